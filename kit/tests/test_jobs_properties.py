"""Whatever callers do, in whatever order: one run per key, bounded slots, nothing left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight.common.v1.common_pb2 import Progress
from soundsight.videogen.v1.videogen_pb2 import Clip, GenerateClipResponse
from soundsight_kit.errors import Cancelled, ResourceExhausted, Unavailable
from soundsight_kit.jobs import Emit, JobTable

SLOTS, QUEUE_LIMIT = 2, 2
KEYS = ("a", "b", "c", "d", "e")
LONG_GRACE_S = 1000.0

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("call"),
            st.sampled_from(KEYS),
            st.sampled_from([0.0, LONG_GRACE_S]),
            st.integers(-1, 1),
        ),
        st.tuples(st.just("leave"), st.integers(0, 20)),
        st.tuples(st.just("finish"), st.sampled_from(KEYS)),
        st.tuples(st.just("fail"), st.sampled_from(KEYS)),
        st.tuples(st.just("cancel"), st.sampled_from(KEYS)),
        st.tuples(st.just("settle")),
    ),
    max_size=40,
)


@dataclass
class World:
    """A table, what runs in it, and who calls."""

    table: JobTable = field(default_factory=lambda: JobTable(SLOTS, QUEUE_LIMIT))
    running: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    callers: list[asyncio.Task[str]] = field(default_factory=list)

    async def work(self, key: str, emit: Emit[GenerateClipResponse]) -> None:
        """Runs until it is told to finish or fail; takes a while to stop when cancelled."""
        self.running[key] += 1
        assert self.running[key] == 1, "one key ran twice at a time"
        assert self.running.total() <= SLOTS, "more work ran than there are slots"
        verdict = self.verdicts[key] = asyncio.get_running_loop().create_future()
        try:
            emit(GenerateClipResponse(progress=Progress(stage="film")))
            await verdict
            emit(GenerateClipResponse(clip=Clip(shot_frames=1)))
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            raise
        finally:
            self.running[key] -= 1

    async def call(self, key: str, grace_s: float, priority: int) -> str:
        """Follows the work on a key; returns how that ended."""
        last = "nothing"

        async def work(emit: Emit[GenerateClipResponse]) -> None:
            await self.work(key, emit)

        try:
            async for event in self.table.events(key, work, grace_s, priority):
                last = str(event.WhichOneof("event"))
        except (Cancelled, ResourceExhausted, Unavailable, ArithmeticError) as error:
            return type(error).__name__
        return last

    def step(self, name: str, *how: object) -> None:
        """Does one thing that a caller or the work may do."""
        match name, how:
            case "call", (str(key), float(grace_s), int(priority)):
                self.callers.append(asyncio.create_task(self.call(key, grace_s, priority)))
            case "leave", (int(index),) if self.callers:
                self.callers[index % len(self.callers)].cancel()
            case "finish" | "fail", (str(key),) if key in self.verdicts:
                verdict = self.verdicts[key]
                if not verdict.done():
                    if name == "finish":
                        verdict.set_result(None)
                    else:
                        verdict.set_exception(ArithmeticError())
            case "cancel", (str(key),):
                self.table.cancel(key)

    def check(self) -> None:
        """What holds at any time."""
        load = self.table.load()
        assert load.busy <= SLOTS
        assert load.queued <= QUEUE_LIMIT
        assert self.running.total() <= load.busy


async def settle() -> None:
    """Lets everything that can happen without us happen."""
    for _ in range(12):
        await asyncio.sleep(0)


async def live(steps: list[tuple[object, ...]]) -> None:
    world = World()
    for name, *how in steps:
        if name == "settle":
            await settle()
        world.step(str(name), *how)
        world.check()
    await settle()
    world.check()

    # A free slot never stays free while somebody waits.
    load = world.table.load()
    assert load.queued == 0 or load.busy == SLOTS

    # Everyone who is still there gets an answer once the work is done.
    await finish_all(world)
    endings = await asyncio.gather(*world.callers, return_exceptions=True)
    for ending in endings:
        known = ("clip", "Cancelled", "ResourceExhausted", "ArithmeticError")
        assert isinstance(ending, asyncio.CancelledError) or ending in known

    # Nothing is left: no slot, no place, no task, no timer that holds a job.
    assert world.table.load() == type(load)(slots=SLOTS, busy=0, queued=0)
    assert world.running.total() == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not world.table._joinable
    assert not world.table._jobs


async def finish_all(world: World) -> None:
    """Lets all work end well, what waits included."""
    await settle()
    while world.table.load().busy or world.table.load().queued:
        for key in KEYS:
            world.step("finish", key)
        await settle()


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_order_of_events_breaks_the_table(steps: list[tuple[object, ...]]) -> None:
    """Calls, departures, results, failures and cancellations in any order keep every promise."""
    asyncio.run(live(steps))


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_a_drain_ends_whatever_was_going_on(steps: list[tuple[object, ...]]) -> None:
    """From any state a drain whose time is up stops everything and takes nothing new."""

    async def drained() -> None:
        world = World()
        for name, *how in steps:
            if name == "settle":
                await settle()
            world.step(str(name), *how)
        await settle()
        draining = asyncio.create_task(world.table.drain())
        await settle()
        assert world.table.load().queued == 0
        if not draining.done():
            draining.cancel()
        await asyncio.gather(draining, *world.callers, return_exceptions=True)
        await settle()
        assert world.table.load().busy == 0
        assert await world.call("new", 0.0, 0) == "Unavailable"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(drained())
