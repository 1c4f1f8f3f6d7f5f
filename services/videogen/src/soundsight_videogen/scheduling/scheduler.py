"""Who of the waiting clips is filmed next, and at which seat. Pure: the clock is given.

Every clip gets a *due time* when it arrives, and the earliest due goes first:

- Renders take turns: a clip is due when it arrives, but not before the time at which the render's
  clip before it would have had its share of the seats (start-time fair queueing, Goyal et al.,
  SIGCOMM 1996).
- Each step of priority is worth `priority_s`, and being a draft `draft_s`: those of higher priority
  go first, yet who has waited so much longer is not passed by newcomers any more. Nobody starves.

Among the clips that are due, and those of the same standing, models decide: `allocation` chooses so
that models are swapped seldom, and a seat that went over to a model stays with it for `stint_s`
while clips of it wait. Two things override that: a clip that somebody waits for (priority above 0)
is never kept waiting for a model's sake; and a model that no seat has loaded gets one when a clip
of it has been due for `stint_s` and a seat has had its own as long. No seat is ever left idle while
a clip waits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from soundsight_kit.errors import ResourceExhausted
from soundsight_kit.turns import Load, Ticket
from soundsight_videogen.scheduling.allocation import Bench, best_seat, next_move
from soundsight_videogen.scheduling.pace import Pace

Clock = Callable[[], float]
MOST_PRIORITY = 3
MUCH_LONGER = 3.0
"""Times that another model's queue must be longer for a seat to leave its own."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a scheduler wants to know of a clip.

    `render` names whom turns are taken with, `work` grows with the time that filming takes.
    """

    render: str
    model: str
    work: float = 1.0
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """How clips are weighed against each other; all in seconds.

    `retry_after_s` is the least that a caller is told to wait who finds no room, `retry_most_s` the
    most.
    """

    priority_s: float = 600.0
    draft_s: float = 60.0
    stint_s: float = 600.0
    retry_after_s: float = 5.0
    retry_most_s: float = 120.0


@dataclass(slots=True)
class _Seat:
    """A seat: its clip, what is loaded, since when it films with that."""

    ticket: Ticket | None = None
    ends_s: float = 0.0
    resident: tuple[str, ...] = ()
    stint_since_s: float = -math.inf

    @property
    def model(self) -> str:
        """What it films with, or filmed with last; none in the beginning."""
        return self.resident[-1] if self.resident else ""


@dataclass(slots=True)
class _Render:
    """How far a render's turns have gone."""

    next_s: float = -math.inf
    waiting: int = 0


@dataclass(slots=True)
class _Clip:
    """A waiting clip: its arrival, and when it would be due if it were an ordinary one."""

    ticket: Ticket
    wish: Wish
    arrived_s: float
    turn_s: float
    cost_s: float


@dataclass(frozen=True, slots=True)
class Waited:
    """How long a clip waited that starts now, for metrics."""

    priority: int
    seconds: float


@dataclass(slots=True)
class Counts:
    """What a scheduler has done so far."""

    started: int = 0
    refused: int = 0
    swaps: int = 0
    loads: int = 0
    waited: list[Waited] = field(default_factory=list)


class Scheduler:
    """Turns for a `JobTable`: each ticket is about a `Wish`.

    Args:
        seats: clips filmed at a time.
        queue_limit: clips that may wait.
        clock: seconds, from any start.
        policy: how clips are weighed.
        pace: how long clips take; what is learned is kept there.
        kept: models that a seat keeps loaded at a time, as far as is known.
    """

    def __init__(
        self,
        seats: int,
        queue_limit: int,
        *,
        clock: Clock,
        policy: Policy = Policy(),
        pace: Pace | None = None,
        kept: int = 1,
    ) -> None:
        if seats < 1 or queue_limit < 0:
            raise ValueError("a scheduler needs seats >= 1 and queue_limit >= 0")
        self.counts = Counts()
        self.pace = pace or Pace()
        self._clock = clock
        self._policy = policy
        self._queue_limit = queue_limit
        self._kept = kept
        self._seats = [_Seat() for _ in range(seats)]
        self._waiting: dict[Ticket, _Clip] = {}
        self._seat_of: dict[str, int] = {}
        self._renders: dict[str, _Render] = {}

    def admit(self, ticket: Ticket) -> None:
        """Takes a clip in; raises ResourceExhausted (NO_FREE_SLOT) when there is no room."""
        starts_now = ticket.key not in self._seat_of and len(self._seat_of) < len(self._seats)
        if not starts_now and not self._has_place(ticket.priority):
            self.counts.refused += 1
            raise ResourceExhausted(
                f"all {len(self._seats)} slots and {self._queue_limit} places in the queue are "
                "taken; try again later or elsewhere",
                reason="NO_FREE_SLOT",
                retry_after_s=self._until_room_s(),
            )
        wish: Wish = ticket.about
        now = self._clock()
        render = self._renders.setdefault(wish.render, _Render())
        cost_s = self.pace.expected_s(wish.model, wish.work)
        turn_s = max(now, render.next_s)
        render.next_s = turn_s + cost_s / len(self._seats)
        render.waiting += 1
        self._waiting[ticket] = _Clip(ticket, wish, now, turn_s, cost_s)

    def take(self) -> Ticket | None:
        """The clip that starts now; None when no seat is free or no clip may start."""
        if len(self._seat_of) == len(self._seats):
            return None
        clips = [clip for clip in self._waiting.values() if clip.ticket.key not in self._seat_of]
        if not clips:
            return None
        clip, number = self._choose(clips)
        self._start(clip, number)
        return clip.ticket

    def leave(self, ticket: Ticket) -> None:
        """A clip waits no longer, or its filming has ended, well or not."""
        clip = self._waiting.pop(ticket, None)
        if clip is not None:
            self._forget_render(clip.wish.render)
            return
        number = self._seat_of.get(ticket.key)
        if number is not None and self._seats[number].ticket is ticket:
            self._seats[number].ticket = None
            del self._seat_of[ticket.key]

    def waiting(self) -> Sequence[Ticket]:
        """Those that wait, the one that is due first at the front."""
        return [clip.ticket for clip in sorted(self._waiting.values(), key=self._due)]

    def load(self) -> Load:
        """How busy the seats are."""
        return Load(len(self._seats), busy=len(self._seat_of), queued=len(self._waiting))

    def seat_of(self, key: str) -> int:
        """The seat at which a clip is filmed."""
        return self._seat_of[key]

    def finished(self, key: str, took_s: float) -> None:
        """A clip was filmed to its end: what that took tells how long the next ones take."""
        ticket = self._seats[self._seat_of[key]].ticket
        assert ticket is not None
        wish: Wish = ticket.about
        self.pace.learn(wish.model, wish.work, took_s)

    def resident(self, seat: int, models: Sequence[str]) -> None:
        """Says which models are loaded at a seat, the one used last at the end."""
        self._seats[seat].resident = tuple(models)

    def _has_place(self, priority: int) -> bool:
        """Whether a clip of a priority may wait. Those that have time take half of the places at
        most, and a quarter is left to those that somebody waits for: what waits longest would fill
        the queue otherwise, and keep out what goes first."""
        places = self._queue_limit
        if len(self._waiting) >= places:
            return False
        if priority > 0:
            return True
        alike = sum(ticket.priority <= min(max(priority, -1), 0) for ticket in self._waiting)
        if priority < 0:
            return alike < (places + 1) // 2
        return alike < places - places // 4

    def _choose(self, clips: Sequence[_Clip]) -> tuple[_Clip, int]:
        now = self._clock()
        head = min(clips, key=self._due)
        by_model: dict[str, list[_Clip]] = {}
        for clip in sorted(clips, key=self._due):
            if self._due(clip) <= now or _standing(clip) == _standing(head):
                by_model.setdefault(clip.wish.model, []).append(clip)
        costs_s = {model: [clip.cost_s for clip in line] for model, line in by_model.items()}
        benches = self._benches(costs_s, now)
        free = [bench for bench in benches if self._seats[bench.number].ticket is None]
        if head.ticket.priority > 0:
            return head, best_seat(free, head.wish.model, by_model).number
        starved = self._starved(by_model, free, now)
        if starved is not None:
            return starved
        move = next_move(benches, costs_s)
        return by_model[move.model][0], move.seat

    def _starved(
        self, by_model: Mapping[str, Sequence[_Clip]], free: Sequence[Bench], now: float
    ) -> tuple[_Clip, int] | None:
        """An overdue clip of a model that no seat has, and a seat that had its own for long."""
        served = {seat.model for seat in self._seats}
        overdue = [
            line[0]
            for model, line in by_model.items()
            if model not in served and self._due(line[0]) + self._policy.stint_s <= now
        ]
        settled = [bench for bench in free if self._settled(bench.number, now)]
        if not overdue or not settled:
            return None
        clip = min(overdue, key=self._due)
        return clip, best_seat(settled, clip.wish.model, by_model).number

    def _benches(self, costs_s: Mapping[str, Sequence[float]], now: float) -> list[Bench]:
        """All seats, to plan with. What waits now is not all that will come: a seat that went over
        to its model while others came leaves it only for a queue that is much longer."""
        held = Counter(seat.model for seat in self._seats)
        queue_s = {model: sum(line) / (held[model] or 0.5) for model, line in costs_s.items()}
        longest_s = max(queue_s.values())
        return [
            Bench(
                number,
                seat.resident,
                max(0.001, seat.ends_s - now) if seat.ticket is not None else 0.0,
                seat.stint_since_s == -math.inf
                or (
                    self._settled(number, now)
                    and queue_s.get(seat.model, 0.0) * MUCH_LONGER < longest_s
                ),
            )
            for number, seat in enumerate(self._seats)
        ]

    def _settled(self, number: int, now: float) -> bool:
        return now - self._seats[number].stint_since_s >= self._policy.stint_s

    def _start(self, clip: _Clip, number: int) -> None:
        now = self._clock()
        seat, model = self._seats[number], clip.wish.model
        del self._waiting[clip.ticket]
        self._forget_render(clip.wish.render)
        self._seat_of[clip.ticket.key] = number
        if seat.model not in ("", model):
            seat.stint_since_s = now
        if model not in seat.resident:
            self.counts.loads += 1
            self.counts.swaps += bool(seat.resident)
        kept = [other for other in seat.resident if other != model]
        seat.resident = (*kept[len(kept) - (self._kept - 1) :], model)
        seat.ticket, seat.ends_s = clip.ticket, now + clip.cost_s
        self.counts.started += 1
        self.counts.waited.append(Waited(clip.ticket.priority, now - clip.arrived_s))
        del self.counts.waited[:-1000]

    def _due(self, clip: _Clip) -> float:
        ahead_s = _standing(clip)[0] * self._policy.priority_s
        return clip.turn_s - ahead_s - (self._policy.draft_s if clip.wish.draft else 0.0)

    def _until_room_s(self) -> float:
        now = self._clock()
        soonest_s = min(
            (seat.ends_s - now for seat in self._seats if seat.ticket is not None), default=0.0
        )
        return min(max(self._policy.retry_after_s, soonest_s), self._policy.retry_most_s)

    def _forget_render(self, name: str) -> None:
        render = self._renders[name]
        render.waiting -= 1
        for idle in [
            name
            for name, each in self._renders.items()
            if not each.waiting and each.next_s <= self._clock()
        ]:
            del self._renders[idle]


def _standing(clip: _Clip) -> tuple[int, bool]:
    """Clips of one standing are alike but for their turn and their model."""
    priority = max(-MOST_PRIORITY, min(clip.ticket.priority, MOST_PRIORITY))
    return priority, clip.wish.draft
