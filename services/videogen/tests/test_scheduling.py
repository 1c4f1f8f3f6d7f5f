"""The scheduler: turns, priorities, models, and that nobody waits without end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scheduling
from soundsight_kit.errors import ResourceExhausted
from soundsight_kit.turns import Load, Ticket
from soundsight_videogen.scheduling.pace import Pace
from soundsight_videogen.scheduling.scheduler import Policy, Scheduler, Wish


class Hall:
    """A scheduler with a clock that a test sets."""

    def __init__(
        self, seats: int = 1, queue_limit: int = 100, policy: Policy | None = None
    ) -> None:
        self.now_s = 0.0
        pace = Pace()
        for model in "ab":
            pace.learn(model, 1.0, 1.0)
        self.scheduler = Scheduler(
            seats, queue_limit, clock=lambda: self.now_s, policy=policy or Policy(), pace=pace
        )

    def bring(
        self, key: str, render: str = "", model: str = "a", priority: int = 0, **wish: float
    ) -> Ticket:
        """A clip arrives, 10 s long unless told otherwise."""
        draft = bool(wish.get("draft"))
        about = Wish(render or key, model, wish.get("work", 10.0), draft)
        ticket = Ticket(key, priority, about)
        self.scheduler.admit(ticket)
        return ticket

    def order(self) -> list[str]:
        """Films everything on one seat, each clip as long as expected; returns the keys in turn."""
        keys = []
        while (ticket := self.scheduler.take()) is not None:
            keys.append(ticket.key)
            self.now_s += ticket.about.work
            self.scheduler.leave(ticket)
        return keys


def test_renders_take_turns() -> None:
    """A render that brings all its clips at once does not keep another one waiting for the last."""
    hall = Hall()
    for number in range(4):
        hall.bring(f"first-{number}", "first")
    for number in range(2):
        hall.bring(f"second-{number}", "second")
    order = hall.order()
    assert order[:4] == ["first-0", "second-0", "first-1", "second-1"]


def test_people_come_before_batches_and_drafts_before_finals() -> None:
    """Higher priority starts first; of equal priority, drafts do."""
    hall = Hall()
    hall.bring("batch", priority=-1)
    hall.bring("final")
    hall.bring("draft", draft=1)
    hall.bring("person", priority=1)
    assert hall.order() == ["person", "draft", "final", "batch"]


def test_who_has_waited_long_enough_is_not_passed_any_more() -> None:
    """Of two priorities the lower one goes first once it has waited for longer than they differ."""
    hall = Hall(policy=Policy(priority_s=100.0))
    hall.bring("old", priority=-1)
    hall.now_s = 101.0
    hall.bring("new")
    assert hall.order() == ["old", "new"]


def test_a_raised_priority_counts() -> None:
    """A caller that joins with a higher priority moves the clip forward."""
    hall = Hall()
    hall.bring("first")
    ticket = hall.bring("second")
    ticket.priority = 1
    assert hall.order() == ["second", "first"]


def test_a_seat_stays_with_its_model_but_not_for_ever() -> None:
    """Clips of the loaded model go first, until another model's has been due for the stint."""
    hall = Hall(policy=Policy(stint_s=35.0))
    hall.bring("a0")
    assert hall.scheduler.take() is not None
    hall.bring("b0", model="b")
    for number in range(1, 9):
        hall.bring(f"a{number}")
    hall.now_s = 10.0
    hall.scheduler.leave(hall.scheduler._seats[0].ticket)  # type: ignore[arg-type]
    order = hall.order()
    assert order.index("b0") == 3
    assert hall.scheduler.counts.swaps == 2


def test_a_person_does_not_wait_for_a_models_sake() -> None:
    """Whoever is waited for starts next, although its model must be loaded."""
    hall = Hall()
    hall.scheduler.resident(0, ["a"])
    hall.bring("batch")
    hall.bring("person", model="b", priority=1)
    assert hall.order()[0] == "person"


def test_one_key_never_runs_twice() -> None:
    """A clip whose key is still stopping waits, and lets others pass."""
    hall = Hall(seats=2)
    first = hall.bring("key")
    assert hall.scheduler.take() is first
    second = hall.bring("key")
    other = hall.bring("other")
    assert hall.scheduler.take() is other
    assert hall.scheduler.take() is None
    hall.scheduler.leave(first)
    assert hall.scheduler.take() is second


def test_who_finds_no_room_hears_when_to_come_back() -> None:
    """Beyond the queue callers are refused with the time until a seat is likely to be free."""
    hall = Hall(queue_limit=1)
    hall.bring("running", work=42.0)
    hall.scheduler.take()
    hall.bring("waiting")
    with pytest.raises(ResourceExhausted) as refused:
        hall.bring("too-many")
    assert refused.value.reason == "NO_FREE_SLOT"
    assert refused.value.retry_after_s == 42.0
    assert hall.scheduler.load() == Load(slots=1, busy=1, queued=1)


def test_those_with_time_do_not_fill_the_queue() -> None:
    """Half of the places are all that low priorities take; a quarter is kept for people."""
    hall = Hall(queue_limit=8)
    hall.bring("running")
    hall.scheduler.take()
    for priority, places in ((-1, 4), (0, 2), (1, 2)):
        for number in range(places):
            hall.bring(f"{priority}/{number}", priority=priority)
        with pytest.raises(ResourceExhausted):
            hall.bring(f"{priority}/no-more", priority=priority)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("bring"), st.sampled_from("abcdefgh"), st.sampled_from("ab"),
                  st.integers(-4, 4), st.booleans()),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("drop"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.floats(0.0, 2000.0)),
    ),
    max_size=60,
)  # fmt: skip


@given(STEPS, st.integers(1, 4))
def test_no_order_of_events_loses_a_seat(steps: list[tuple[object, ...]], seats: int) -> None:
    """Whatever arrives, ends and goes away: no seat idles while a clip may run, none is given
    twice, and at the end all are free."""
    hall = Hall(seats, queue_limit=6)
    scheduler = hall.scheduler
    waiting: list[Ticket] = []
    running: list[Ticket] = []
    for step in steps:
        match step:
            case ("bring", str(key), str(model), int(priority), bool(draft)):
                try:
                    waiting.append(hall.bring(key, key, model, priority, draft=draft))
                except ResourceExhausted:
                    assert len(waiting) >= 3
            case ("end", int(number)) if running:
                scheduler.leave(running.pop(number % len(running)))
            case ("drop", int(number)) if waiting:
                scheduler.leave(waiting.pop(number % len(waiting)))
            case ("wait", float(seconds)):
                hall.now_s += seconds
        while (ticket := scheduler.take()) is not None:
            waiting.remove(ticket)
            running.append(ticket)
        taken = [scheduler.seat_of(ticket.key) for ticket in running]
        assert len(set(taken)) == len(taken)
        assert set(scheduler.waiting()) == set(waiting)
        free = len(running) < seats
        assert not (free and {t.key for t in waiting} - {t.key for t in running})
    for ticket in [*waiting, *running]:
        scheduler.leave(ticket)
    assert scheduler.load() == Load(seats, 0, 0)
    hall.now_s += 1e6
    scheduler.leave(hall.bring("last"))
    assert set(scheduler._renders) <= {"last"}


@pytest.mark.parametrize("seats", [1, 4, 16])
def test_devices_are_kept_busy_and_waiting_is_bounded(seats: int) -> None:
    """Under a backlog of two models with deaths at least 97 % of the time goes into clips that are
    kept, and nobody waits longer than the bound of his priority."""
    load = scheduling.Load(seats, horizon_s=(4 if seats < 16 else 2) * 3600.0, fails=0.002)
    tally = scheduling.Simulation(load).run()
    assert tally.utilisation >= 0.97
    for priority, waits_s in tally.waits_s.items():
        assert max(waits_s) <= scheduling.bound_s(load, Policy(), priority)
    assert tally.longest_waiting_s <= scheduling.bound_s(load, Policy(), -1)


def test_models_are_swapped_as_seldom_as_can_be() -> None:
    """In every case of up to 12 clips of two models on one or two devices, swaps are at most 1.2
    times the fewest of any order in which no device idles."""
    cases = 0
    for loaded, costs in scheduling.small_cases(12, 2, scheduling.COSTS):
        fewest = scheduling.fewest_swaps(loaded, costs)
        assert scheduling.scheduled_swaps(loaded, costs) <= 1.2 * fewest, (loaded, costs)
        cases += 1
    assert cases == 3 * (3 + 6) * 90


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["", "a", "b"]), min_size=3, max_size=3),
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from(scheduling.COSTS),
)
def test_three_devices_swap_as_seldom(
    loaded: list[str], first: int, second: int, costs: tuple[float, float]
) -> None:
    """The same for cases on three devices."""
    case = {"a": (costs[0],) * first, "b": (costs[1],) * second}
    case = {model: line for model, line in case.items() if line}
    fewest = scheduling.fewest_swaps(sorted(loaded), case)
    assert scheduling.scheduled_swaps(sorted(loaded), case) <= 1.2 * fewest
