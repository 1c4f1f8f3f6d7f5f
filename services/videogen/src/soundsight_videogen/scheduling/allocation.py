"""Which free seat takes a clip of which model, so that models are swapped seldom. Pure.

Seats work off what waits, never idle. How many seats each model gets, and from when on, decides how
often models are swapped: this module tries allocations of seats to models, followed at once or
later, follows each to the end of what waits, and takes the one that swaps least and, of those, ends
first. For many clips the allocation that follows the models' shares of the waiting work stands in
for the search.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

SEARCHED_CLIPS = 12
"""With at most so many clips waiting allocations are searched."""
SEARCHED_MODELS = 3


@dataclass(frozen=True, slots=True)
class Bench:
    """A seat as planning sees it: the models that are loaded, the one used last at the end, and
    seconds until it is free. `may_leave` is whether it may go over to another model while clips of
    its own still wait."""

    number: int
    resident: tuple[str, ...]
    free_in_s: float = 0.0
    may_leave: bool = True

    @property
    def model(self) -> str:
        """The model that it films with at present; none in the beginning."""
        return self.resident[-1] if self.resident else ""


@dataclass(frozen=True, slots=True)
class Move:
    """A seat takes a clip of a model."""

    seat: int
    model: str


@dataclass(frozen=True, slots=True)
class Course:
    """What following an allocation to the end comes to."""

    first: Move
    swaps: int
    swaps_now: bool
    end_s: float

    @property
    def rank(self) -> tuple[int, bool, float]:
        """What makes it better than another, the least being the best."""
        return self.swaps, self.swaps_now, self.end_s


def next_move(benches: Sequence[Bench], waiting: Mapping[str, Sequence[float]]) -> Move:
    """The next move.

    Args:
        benches: all seats; at least one is free now.
        waiting: by model, the expected seconds of the clips that wait, in their order; none empty.
    """
    free = [bench for bench in benches if bench.free_in_s <= 0]
    if len(waiting) == 1:
        (model,) = waiting
        return Move(best_seat(free, model, waiting).number, model)
    clips = sum(len(costs) for costs in waiting.values())
    if clips > SEARCHED_CLIPS or len(waiting) > SEARCHED_MODELS:
        return _share_move(benches, free, waiting)
    return _best_course(_soonest(benches, clips), waiting, clips).first


def _best_course(
    benches: Sequence[Bench], waiting: Mapping[str, Sequence[float]], clips: int
) -> Course:
    """The course that swaps least and ends first; those that swap more are not followed to their
    end, which saves most of the work."""
    fair = shares({model: sum(costs) for model, costs in waiting.items()}, len(benches))
    likely = follow(benches, waiting, fair, fair, clips - 1)
    assert likely is not None
    most_swaps = likely.swaps
    chosen: Course | None = None
    for allocation in _allocations(sorted(waiting), len(benches)):
        for stay in range(clips):
            course = follow(benches, waiting, allocation, fair, stay, most_swaps)
            if course is not None and (chosen is None or course.rank < chosen.rank):
                chosen, most_swaps = course, course.swaps
    assert chosen is not None
    return chosen


def _soonest(benches: Sequence[Bench], clips: int) -> list[Bench]:
    """The seats that may take part: of each model no more than there are clips."""
    taken: Counter[str] = Counter()
    soonest = []
    for bench in sorted(benches, key=lambda bench: (bench.free_in_s, bench.number)):
        taken[bench.model] += 1
        if taken[bench.model] <= clips:
            soonest.append(bench)
    return soonest


def best_seat(free: Sequence[Bench], model: str, waiting: Mapping[str, object]) -> Bench:
    """The free seat for a model: one that has it loaded, else an empty one, else one whose model
    nobody waits for."""

    def loss(bench: Bench) -> tuple[bool, bool, bool, int]:
        return (
            model not in bench.resident,
            bool(bench.resident),
            bench.model in waiting,
            bench.number,
        )

    return min(free, key=loss)


def follow(
    benches: Sequence[Bench],
    waiting: Mapping[str, Sequence[float]],
    allocation: Mapping[str, int],
    fair: Mapping[str, int],
    stay: int,
    most_swaps: int | None = None,
) -> Course | None:
    """Follows an allocation until nothing waits: a seat stays with its model unless that has more
    seats than allocated and another one fewer; who has nothing left goes where most is left. Until
    `stay` clips have begun no seat leaves its model, and empty ones share the work, by `fair`. None
    when there are more swaps than `most_swaps`."""
    left = {model: list(reversed(costs)) for model, costs in waiting.items()}
    seats = [(max(0.0, bench.free_in_s), bench.number, bench.model) for bench in benches]
    held = Counter(bench.model for bench in benches)
    allowed = {bench.number: bench.may_leave for bench in benches}
    nobody = dict.fromkeys(allowed, False)
    first: Move | None = None
    swaps, swaps_now, end_s = 0, False, 0.0
    for begun in range(sum(map(len, waiting.values()))):
        now = min(seats)[0]
        free = [seat for seat in seats if seat[0] <= now]
        if begun < stay:
            number, model = _step(free, left, held, fair, nobody)
        else:
            number, model = _step(free, left, held, allocation, allowed)
        seat = next(seat for seat in free if seat[1] == number)
        if first is None:
            first, swaps_now = Move(number, model), seat[2] != model
        if seat[2] != model:
            swaps += 1
            if most_swaps is not None and swaps > most_swaps:
                return None
            held[seat[2]] -= 1
            held[model] += 1
        cost_s = left[model].pop()
        if not left[model]:
            del left[model]
        seats.remove(seat)
        seats.append((now + cost_s, number, model))
        end_s = max(end_s, now + cost_s)
    assert first is not None
    return Course(first, swaps, swaps_now, end_s)


def _step(
    free: Sequence[tuple[float, int, str]],
    left: Mapping[str, Sequence[float]],
    held: Mapping[str, int],
    allocation: Mapping[str, int],
    may_leave: Mapping[int, bool],
) -> tuple[int, str]:
    """The next seat and its model: first those that stay, then those that go over."""

    def short(model: str) -> int:
        return allocation.get(model, 0) - held.get(model, 0)

    wanting = max(left, key=lambda model: (short(model), sum(left[model]), model))
    for _, number, model in free:
        leaves = short(model) < 0 and short(wanting) > 0 and may_leave[number]
        if model in left and not leaves:
            return number, model
    idle = [seat for seat in free if seat[2] not in left] or free
    return min(idle, key=lambda seat: seat[1])[1], wanting


def _allocations(models: Sequence[str], seats: int) -> Iterator[Mapping[str, int]]:
    """Every way to give the seats to the models."""
    for bars in itertools.combinations_with_replacement(range(seats + 1), len(models) - 1):
        edges = (0, *bars, seats)
        yield {model: edges[i + 1] - edges[i] for i, model in enumerate(models)}


def shares(work_s: Mapping[str, float], seats: int) -> dict[str, int]:
    """Seats for each model by its share of the work, largest remainders first."""
    total_s = sum(work_s.values()) or 1.0
    exact = {model: seats * work / total_s for model, work in work_s.items()}
    given = {model: int(value) for model, value in exact.items()}
    rest = seats - sum(given.values())
    by_remainder = heapq.nlargest(rest, exact, key=lambda model: (exact[model] % 1, model))
    return {model: given[model] + (model in by_remainder) for model in exact}


def _share_move(
    benches: Sequence[Bench], free: Sequence[Bench], waiting: Mapping[str, Sequence[float]]
) -> Move:
    held = Counter(bench.model for bench in benches)
    allocation = shares({model: sum(costs) for model, costs in waiting.items()}, len(benches))
    seats = [(0.0, bench.number, bench.model) for bench in free]
    may_leave = {bench.number: bench.may_leave for bench in free}
    return Move(*_step(seats, waiting, held, allocation, may_leave))
