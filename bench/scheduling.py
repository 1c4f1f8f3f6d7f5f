"""How well videogen's scheduler keeps many devices busy, simulated with a virtual clock.

Drives the scheduler that the service runs, no copy of it. Prints a table for 1 to 256 devices:
share of time spent filming what is kept, waiting by priority beside its bound, model swaps; and,
for small cases, swaps beside the fewest that any order without idle seats can do with.

    .venv/bin/python bench/scheduling.py --seats 1 8 64 --hours 12
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from soundsight_kit.errors import ResourceExhausted
from soundsight_kit.turns import Ticket
from soundsight_videogen.scheduling.pace import Pace
from soundsight_videogen.scheduling.scheduler import Policy, Scheduler, Wish

INTERACTIVE, ORDINARY, LEISURELY = 1, 0, -1
COME_BACK = 4
"""Callers of those who were turned away that try again when a clip has begun: more would change
little but the time that this takes."""


@dataclass(frozen=True)
class Load:
    """What comes in, and what the devices are like. Seconds, and shares of clips."""

    seats: int
    seed: int = 1
    horizon_s: float = 6 * 3600.0
    shortest_s: float = 40.0
    longest_s: float = 400.0
    load_s: float = 12.0
    """Loading a model; only where it is not loaded."""
    restart_s: float = 10.0
    second_model: float = 0.3
    interactive: float = 0.05
    leisurely: float = 0.2
    fails: float = 0.004
    """Runs at whose middle the worker dies."""
    hand_over_s: float = 0.5
    """Between room in the queue and the next clip there."""

    @property
    def renders(self) -> int:
        """Renders under way at a time: each is one song's clips, with one model."""
        return max(6, self.seats // 2)

    @property
    def queue_limit(self) -> int:
        """A short queue: half of the seats, and at least six."""
        return max(6, self.seats // 2)


@dataclass(eq=False)
class Clip:
    """One clip to film."""

    wish: Wish
    priority: int
    needs_s: float
    admitted_s: float = 0.0


@dataclass
class Tally:
    """What came out."""

    filmed_s: float = 0.0
    clips: int = 0
    waits_s: dict[int, list[float]] = field(default_factory=dict)
    by_render_s: Counter[str] = field(default_factory=Counter)
    swaps: int = 0
    died: int = 0
    utilisation: float = 0.0
    longest_waiting_s: float = 0.0


class Simulation:
    """A videogen with a backlog behind it, in virtual time."""

    def __init__(self, load: Load, policy: Policy | None = None) -> None:
        self._load = load
        self._random = random.Random(load.seed)
        self._now_s = 0.0
        self._events: list[tuple[float, int, str, object]] = []
        self._numbers = itertools.count()
        self._keys = itertools.count()
        self._clips: dict[Ticket, Clip] = {}
        self._loaded: list[str] = [""] * load.seats
        self._turned_away = 0
        self._next_of_render = {f"render-{i}": self._sequence(i) for i in range(load.renders)}
        self._turn = itertools.cycle(self._next_of_render)
        self.tally = Tally()
        self.scheduler = Scheduler(
            load.seats, load.queue_limit, clock=lambda: self._now_s, policy=policy or Policy()
        )

    def run(self) -> Tally:
        """Simulates to the horizon."""
        load, tally = self._load, self.tally
        for _ in range(load.seats + load.queue_limit):
            self._at(0.0, "offer", None)
        self._at(self._until_interactive_s(), "interactive", None)
        while self._events:
            at_s, _, kind, what = heapq.heappop(self._events)
            if at_s > load.horizon_s:
                break
            self._now_s = at_s
            if kind == "offer":
                self._offer(next(self._next_of_render[next(self._turn)]))
            elif kind == "interactive":
                self._interactive()
            elif kind == "filmed":
                assert isinstance(what, Ticket)
                self._filmed(what)
            elif kind == "died":
                assert isinstance(what, Ticket)
                self._died(what)
            self._start()
        tally.swaps = self.scheduler.counts.swaps
        under_way_s = sum(
            max(0.0, load.horizon_s - (at_s - self._clips[what].needs_s))
            for at_s, _, kind, what in [(at_s, 0, kind, what), *self._events]
            if kind == "filmed" and isinstance(what, Ticket)
        )
        tally.utilisation = (tally.filmed_s + under_way_s) / (load.seats * load.horizon_s)
        waiting = [self._now_s - self._clips[t].admitted_s for t in self.scheduler.waiting()]
        tally.longest_waiting_s = max(waiting, default=0.0)
        return tally

    def _sequence(self, number: int) -> Iterator[Clip]:
        """The clips of one render: all with one model, as renders are."""
        while True:
            model = "b" if self._random.random() < self._load.second_model else "a"
            priority = LEISURELY if self._random.random() < self._load.leisurely else ORDINARY
            for _ in range(self._random.randint(10, 60)):
                yield self._clip(f"render-{number}", model, priority)

    def _clip(self, render: str, model: str, priority: int) -> Clip:
        low, high = self._load.shortest_s, self._load.longest_s
        needs_s = low * (high / low) ** self._random.random()
        return Clip(Wish(render, model, needs_s), priority, needs_s)

    def _until_interactive_s(self) -> float:
        mean_s = (self._load.longest_s + self._load.shortest_s) / 2
        rate_hz = self._load.interactive * self._load.seats / mean_s
        return self._now_s + (self._random.expovariate(rate_hz) if rate_hz else 1e12)

    def _interactive(self) -> None:
        model = "b" if self._random.random() < self._load.second_model else "a"
        clip = self._clip(f"person-{next(self._keys)}", model, INTERACTIVE)
        self._offer(clip, again=False)
        self._at(self._until_interactive_s(), "interactive", None)

    def _offer(self, clip: Clip, *, again: bool = True) -> None:
        """Hands a clip over; who finds no room comes back once another clip has begun."""
        ticket = Ticket(f"clip-{next(self._keys)}", clip.priority, clip.wish)
        try:
            self.scheduler.admit(ticket)
        except ResourceExhausted:
            self._turned_away += again
            return
        clip.admitted_s = self._now_s
        self._clips[ticket] = clip

    def _start(self) -> None:
        while (ticket := self.scheduler.take()) is not None:
            clip = self._clips[ticket]
            waited_s = self._now_s - clip.admitted_s
            self.tally.waits_s.setdefault(clip.priority, []).append(waited_s)
            self._run(ticket)
            coming = min(self._turned_away, COME_BACK)
            self._turned_away -= coming
            for _ in range(coming + (clip.priority != INTERACTIVE)):
                self._at(self._now_s + self._load.hand_over_s, "offer", None)

    def _run(self, ticket: Ticket, restart_s: float = 0.0) -> None:
        clip, seat = self._clips[ticket], self.scheduler.seat_of(ticket.key)
        load_s = 0.0 if self._loaded[seat] == clip.wish.model else self._load.load_s
        self._loaded[seat] = clip.wish.model
        begins_s = self._now_s + restart_s + load_s
        if self._random.random() < self._load.fails:
            self._at(begins_s + clip.needs_s * self._random.random(), "died", ticket)
        else:
            self._at(begins_s + clip.needs_s, "filmed", ticket)

    def _died(self, ticket: Ticket) -> None:
        """The worker is replaced and the clip tried again at its seat, as the renderer does."""
        self.tally.died += 1
        self._loaded[self.scheduler.seat_of(ticket.key)] = ""
        self._run(ticket, self._load.restart_s)

    def _filmed(self, ticket: Ticket) -> None:
        clip = self._clips.pop(ticket)
        self.tally.clips += 1
        self.tally.filmed_s += clip.needs_s
        self.tally.by_render_s[clip.wish.render] += clip.needs_s  # type: ignore[assignment]
        self.scheduler.finished(ticket.key, clip.needs_s)
        self.scheduler.leave(ticket)

    def _at(self, at_s: float, kind: str, what: object) -> None:
        heapq.heappush(self._events, (at_s, next(self._numbers), kind, what))


def bound_s(load: Load, policy: Policy, priority: int) -> float:
    """The longest that a clip waits in the queue, from when it was taken in.

    Before it go at most those of the queue, each as long as the longest one with a swap and a death
    of its worker, over all seats; then its own render's turns; then, unless somebody waits for it,
    those that higher priority puts before it and the stint of the model that has the seats.
    """
    longest_s = 2 * load.longest_s + 2 * load.load_s + load.restart_s
    queue_s = (load.queue_limit / load.seats + 1) * longest_s
    if priority > 0:
        return queue_s
    return 2 * queue_s + policy.stint_s + (INTERACTIVE - priority) * policy.priority_s


Seated = tuple[float, str]
Costs = tuple[tuple[str, tuple[float, ...]], ...]


def fewest_swaps(seats: Sequence[str], costs: Mapping[str, Sequence[float]]) -> int:
    """The fewest swaps of any order in which no seat idles while a clip waits: exhaustive."""

    @cache
    def search(benches: tuple[Seated, ...], left: Costs) -> int:
        if not left:
            return 0
        now = benches[0][0]
        best = 1 << 30
        for bench in {bench for bench in benches if bench[0] == now}:
            others = list(benches)
            others.remove(bench)
            for model, line in left:
                for cost in set(line):
                    rest = list(line)
                    rest.remove(cost)
                    after = tuple(
                        (m, tuple(rest) if m == model else c) for m, c in left if m != model or rest
                    )
                    moved = sorted([*others, (now + cost, model)])
                    least = moved[0][0]
                    shifted = tuple((at - least, m) for at, m in moved)
                    best = min(best, (bench[1] != model) + search(shifted, after))
        return best

    start = tuple(sorted((0.0, model) for model in seats))
    return search(start, tuple((m, tuple(sorted(c))) for m, c in sorted(costs.items()) if c))


def scheduled_swaps(seats: Sequence[str], costs: Mapping[str, Sequence[float]]) -> int:
    """The swaps that the scheduler makes of the same case, all clips there at the beginning."""
    now_s = 0.0
    pace = Pace()
    for model in costs:
        pace.learn(model, 1.0, 1.0)
    clips = sum(map(len, costs.values()))
    scheduler = Scheduler(len(seats), clips, clock=lambda: now_s, pace=pace)
    for number, model in enumerate(seats):
        scheduler.resident(number, [model] if model else [])
    for model, line in costs.items():
        for number, cost_s in enumerate(line):
            scheduler.admit(Ticket(f"{model}{number}", 0, Wish(f"{model}{number}", model, cost_s)))
    swaps = 0
    loaded = list(seats)
    running: list[tuple[float, int, Ticket]] = []
    numbers = itertools.count()
    while True:
        while (ticket := scheduler.take()) is not None:
            seat, wish = scheduler.seat_of(ticket.key), ticket.about
            swaps += loaded[seat] != wish.model
            loaded[seat] = wish.model
            heapq.heappush(running, (now_s + wish.work, next(numbers), ticket))
        if not running:
            return swaps
        now_s = running[0][0]
        while running and running[0][0] == now_s:
            scheduler.leave(heapq.heappop(running)[2])


def small_cases(
    most_clips: int, most_seats: int, costs: Sequence[tuple[float, float]]
) -> Iterator[tuple[tuple[str, ...], dict[str, Sequence[float]]]]:
    """Every case of two models: clips of each, seats, what is loaded, seconds of each model's."""
    for first in range(most_clips + 1):
        for second in range(most_clips + 1 - first):
            if first + second == 0:
                continue
            for seats in range(1, most_seats + 1):
                for loaded in itertools.combinations_with_replacement(("", "a", "b"), seats):
                    for one, other in costs:
                        yield loaded, {"a": (one,) * first, "b": (other,) * second}


COSTS = ((1.0, 1.0), (1.0, 2.0), (2.0, 3.0))


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seats", type=int, nargs="+", default=[1, 2, 4, 8, 16, 64, 256])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clips", type=int, default=12, help="largest case compared with the best")
    words = parser.parse_args()
    policy = Policy()
    print("longest wait in the queue by priority, in seconds, beside its bound")
    print(f"{'devices':>8}{'clips':>8}{'filming':>9}{'swaps':>7}{'deaths':>8}"
          f"{'people':>15}{'ordinary':>15}{'leisurely':>15}")  # fmt: skip
    for seats in words.seats:
        load = Load(seats, seed=words.seed, horizon_s=words.hours * 3600.0)
        tally = Simulation(load, policy).run()
        waits = "".join(
            f"{max(tally.waits_s.get(p, [0.0])):>8.0f}/{bound_s(load, policy, p):<6.0f}"
            for p in (INTERACTIVE, ORDINARY, LEISURELY)
        )
        print(f"{seats:>8}{tally.clips:>8}{tally.utilisation:>9.1%}{tally.swaps:>7}"
              f"{tally.died:>8}{waits}", flush=True)  # fmt: skip
    cases = worst = ours = best = 0
    ratio = 0.0
    for loaded, costs in small_cases(words.clips, 3, COSTS):
        fewest, made = fewest_swaps(loaded, costs), scheduled_swaps(loaded, costs)
        cases, ours, best = cases + 1, ours + made, best + fewest
        ratio = max(ratio, made / fewest if fewest else 1.0 + made)
        worst += made > 1.2 * fewest
    print(f"\n{cases} cases of up to {words.clips} clips on up to 3 devices: {ours} swaps, the "
          f"fewest possible are {best}; worst ratio {ratio:.2f}, above 1.2 in {worst}")  # fmt: skip


if __name__ == "__main__":
    main()
