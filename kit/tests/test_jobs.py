"""Work belongs to its key: it runs once, can be left and joined, and always gives its slot back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import virtual_time
from soundsight.common.v1.common_pb2 import Progress
from soundsight.videogen.v1.videogen_pb2 import Clip, GenerateClipResponse
from soundsight_kit.context import bind_ids, bound_ids
from soundsight_kit.errors import Cancelled, ResourceExhausted, Unavailable
from soundsight_kit.jobs import Emit, JobTable
from soundsight_kit.testing import assert_eventually

Work = Callable[[Emit[GenerateClipResponse]], Awaitable[None]]


class Gate:
    """Work that counts its starts and ends when it is let through."""

    def __init__(self) -> None:
        self.starts = 0
        self.ended = 0
        self.open = asyncio.Event()

    async def work(self, emit: Emit[GenerateClipResponse]) -> None:
        self.starts += 1
        try:
            for done in range(5):
                emit(GenerateClipResponse(progress=Progress(stage="film", done=done, total=5)))
            await self.open.wait()
            emit(GenerateClipResponse(clip=Clip(shot_frames=7)))
        finally:
            self.ended += 1


async def collect(table: JobTable, key: str, work: Work, **how: float) -> list[str]:
    """Follows the work to its end; returns the kinds of its events."""
    kinds = []
    async for event in table.events(key, work, **how):  # type: ignore[arg-type]
        kinds.append(str(event.WhichOneof("event")))
    return kinds


async def started(table: JobTable, key: str, gate: Gate, **how: float) -> asyncio.Task[list[str]]:
    """Follows the work in a task, from when it runs."""
    task = asyncio.create_task(collect(table, key, gate.work, **how))
    await assert_eventually(lambda: gate.starts > 0)
    return task


async def test_callers_of_one_key_share_one_run() -> None:
    """However many call, the work starts once, and all see its result."""
    table, gate = JobTable(4, 4), Gate()
    tasks = [asyncio.create_task(collect(table, "k", gate.work)) for _ in range(10)]
    await assert_eventually(lambda: gate.starts == 1)
    late = asyncio.create_task(collect(table, "k", gate.work))
    await asyncio.sleep(0)
    gate.open.set()
    for task in [*tasks, late]:
        assert await task == ["progress", "clip"]
    assert gate.starts == 1
    assert table.load().busy == 0


async def test_slots_bound_what_runs_and_the_queue_what_waits() -> None:
    """Beyond slots and queue a caller is told to come back later; a freed slot takes the next."""
    table, gate, second = JobTable(1, 1), Gate(), Gate()
    first = await started(table, "a", gate)
    waiting = asyncio.create_task(collect(table, "b", second.work))
    await assert_eventually(lambda: table.load().queued == 1)
    with pytest.raises(ResourceExhausted) as refused:
        await collect(table, "c", Gate().work)
    assert refused.value.retry_after_s
    assert second.starts == 0
    gate.open.set()
    second.open.set()
    assert "clip" in await first
    assert "clip" in await waiting
    assert table.load() == type(table.load())(slots=1, busy=0, queued=0)


async def test_the_more_urgent_starts_first() -> None:
    """Among the waiting, priority goes before arrival."""
    table, gate = JobTable(1, 3), Gate()
    first = await started(table, "a", gate)
    order: list[str] = []

    def noting(name: str) -> Work:
        async def work(emit: Emit[GenerateClipResponse]) -> None:
            order.append(name)

        return work

    rest = [
        asyncio.create_task(collect(table, name, noting(name), priority=priority))
        for name, priority in (("b", 0), ("c", 5), ("d", 0))
    ]
    await assert_eventually(lambda: table.load().queued == 3)
    gate.open.set()
    await asyncio.gather(first, *rest)
    assert order == ["c", "b", "d"]


async def test_work_goes_on_for_its_grace_and_no_longer() -> None:
    """Work that everyone left is cancelled after the grace, and can be joined before."""
    table, gate = JobTable(1, 0), Gate()
    first = await started(table, "k", gate, detach_grace_s=30)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert table.load().busy == 1
    second = asyncio.create_task(collect(table, "k", gate.work, detach_grace_s=0.05))
    await asyncio.sleep(0.01)
    gate.open.set()
    assert (await second)[-1] == "clip"

    forgotten = Gate()
    third = await started(table, "l", forgotten, detach_grace_s=0.05)
    third.cancel()
    await assert_eventually(lambda: forgotten.ended == 1 and table.load().busy == 0)


async def test_cancel_ends_running_and_waiting_work() -> None:
    """Cancelling frees the slot, tells the callers, and is no error the second time."""
    table, gate, waiting = JobTable(1, 1), Gate(), Gate()
    first = await started(table, "a", gate)
    second = asyncio.create_task(collect(table, "b", waiting.work))
    await assert_eventually(lambda: table.load().queued == 1)
    for key, task in (("b", second), ("a", first)):
        assert table.cancel(key)
        assert not table.cancel(key)
        with pytest.raises(Cancelled):
            await task
    await assert_eventually(lambda: table.load().busy == 0)
    assert (gate.ended, waiting.starts) == (1, 0)


async def test_what_the_work_raises_reaches_every_caller() -> None:
    """A failure is everyone's, and the next call of the key starts anew."""
    table = JobTable(1, 0)

    async def failing(emit: Emit[GenerateClipResponse]) -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    tasks = [asyncio.create_task(collect(table, "k", failing)) for _ in range(3)]
    for task in tasks:
        with pytest.raises(ValueError, match="broken"):
            await task
    gate = Gate()
    gate.open.set()
    assert "clip" in await collect(table, "k", gate.work)


async def test_draining_refuses_the_new_and_finishes_the_old() -> None:
    """A draining table runs what it has, sends the waiting away, and takes nothing more."""
    table, gate = JobTable(1, 1), Gate()
    running = await started(table, "a", gate)
    waiting = asyncio.create_task(collect(table, "b", Gate().work))
    await assert_eventually(lambda: table.load().queued == 1)
    draining = asyncio.create_task(table.drain())
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await collect(table, "c", Gate().work)
    assert not draining.done()
    gate.open.set()
    assert (await running)[-1] == "clip"
    await asyncio.wait_for(draining, 60)


async def test_leaving_does_not_disturb_those_who_stay() -> None:
    """Work goes on for whoever is attached, whatever grace those who left had."""
    table, gate = JobTable(1, 0), Gate()
    stays = await started(table, "k", gate)
    leaves = asyncio.create_task(collect(table, "k", gate.work))
    await asyncio.sleep(0.01)
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    await asyncio.sleep(0.01)
    gate.open.set()
    assert (await stays)[-1] == "clip"


async def test_the_longest_promise_counts() -> None:
    """Work that one caller left with a grace is not ended by another who leaves without."""
    table, gate = JobTable(1, 0), Gate()
    patient = await started(table, "k", gate, detach_grace_s=60)
    hasty = asyncio.create_task(collect(table, "k", gate.work))
    await asyncio.sleep(0.01)
    for caller in (patient, hasty):
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert (table.load().busy, gate.ended) == (1, 0)
    table.cancel("k")


def test_joining_stops_the_clock() -> None:
    """Work that is joined within its grace outlives it."""

    async def join() -> None:
        table, gate = JobTable(1, 0), Gate()
        first = await started(table, "k", gate, detach_grace_s=30)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = asyncio.create_task(collect(table, "k", gate.work))
        await asyncio.sleep(60)
        gate.open.set()
        assert (await second)[-1] == "clip"
        assert gate.starts == 1

    virtual_time.run(join())


async def test_who_comes_after_the_result_still_gets_it() -> None:
    """What was emitted for good is told to everyone who joins before the work has ended."""
    table, emitted, tidy = JobTable(1, 0), asyncio.Event(), asyncio.Event()

    async def work(emit: Emit[GenerateClipResponse]) -> None:
        emit(GenerateClipResponse(clip=Clip(shot_frames=7)))
        emit(GenerateClipResponse(progress=Progress(stage="tidy")))
        emitted.set()
        await tidy.wait()

    first = asyncio.create_task(collect(table, "k", work))
    await emitted.wait()
    late = asyncio.create_task(collect(table, "k", work))
    await asyncio.sleep(0.01)
    tidy.set()
    assert sorted(await late) == ["clip", "progress"]
    assert "clip" in await first


async def test_a_slow_caller_holds_nobody_up_and_misses_only_old_progress() -> None:
    """Unread progress is superseded, so that it takes no room; results are not."""
    table = JobTable(1, 0)

    async def work(emit: Emit[GenerateClipResponse]) -> None:
        for done in range(10_000):
            emit(GenerateClipResponse(progress=Progress(stage="film", done=done)))
        emit(GenerateClipResponse(clip=Clip(shot_frames=7)))

    events = [event async for event in table.events("k", work)]
    assert [event.WhichOneof("event") for event in events] == ["progress", "clip"]
    assert events[0].progress.done == 9_999


async def test_threads_may_emit() -> None:
    """Events from a worker thread arrive, before the result that follows them."""
    table = JobTable(1, 0)

    async def work(emit: Emit[GenerateClipResponse]) -> None:
        message = GenerateClipResponse(progress=Progress(stage="film"))
        await asyncio.to_thread(emit, message)
        emit(GenerateClipResponse(clip=Clip(shot_frames=7)))

    # Debug mode refuses calls into the loop from other threads that are not meant for it.
    asyncio.get_running_loop().set_debug(True)
    assert await collect(table, "k", work) == ["progress", "clip"]


async def test_work_knows_whom_it_is_for() -> None:
    """The ids of the caller that brought the work hold in it, even when another freed its slot."""
    table, gate, seen = JobTable(1, 1), Gate(), dict[str, str]()

    async def work(emit: Emit[GenerateClipResponse]) -> None:
        seen.update(bound_ids())

    with bind_ids(render="first"):
        first = await started(table, "a", gate)
    with bind_ids(render="second"):
        second = asyncio.create_task(collect(table, "b", work))
    await assert_eventually(lambda: table.load().queued == 1)
    gate.open.set()
    await asyncio.gather(first, second)
    assert seen == {"render": "second"}


async def test_those_who_wait_are_told_their_place_and_may_move_up() -> None:
    """A waiting caller hears how many are ahead; one who joins with more urgency moves the job."""
    table, gate = JobTable(1, 2), Gate()
    running = await started(table, "a", gate)
    heard: dict[str, list[int]] = {"b": [], "c": []}

    def ahead(jobs: int) -> GenerateClipResponse:
        return GenerateClipResponse(progress=Progress(stage="queue", done=jobs))

    async def wait_for(key: str, priority: int = 0) -> None:
        async for event in table.events(key, gate.work, priority=priority, waiting=ahead):
            if event.progress.stage == "queue":
                heard[key].append(event.progress.done)

    tasks = [asyncio.create_task(wait_for("b"))]
    await assert_eventually(lambda: heard["b"] == [0])
    tasks.append(asyncio.create_task(wait_for("c")))
    await assert_eventually(lambda: heard["c"] == [1])
    tasks.append(asyncio.create_task(wait_for("c", priority=9)))
    await assert_eventually(lambda: heard["b"][-1] == 1 and heard["c"][-1] == 0)
    gate.open.set()
    await asyncio.gather(running, *tasks)


async def test_failures_that_nobody_hears_are_in_the_log(
    json_log: Callable[[], list[dict[str, Any]]],
) -> None:
    """Work that fails while everyone is away is not lost in silence."""
    table, gate = JobTable(1, 0), asyncio.Event()

    async def failing(emit: Emit[GenerateClipResponse]) -> None:
        await gate.wait()
        raise ValueError("nobody is here")

    caller = asyncio.create_task(collect(table, "k", failing, detach_grace_s=60))
    await assert_eventually(lambda: table.load().busy == 1)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    gate.set()
    await assert_eventually(lambda: table.load().busy == 0)
    (line,) = json_log()
    assert line["key"] == "k"
    assert "nobody is here" in line["exception"]


async def test_work_that_was_stopped_is_over_before_its_key_runs_again() -> None:
    """A caller who comes while cancelled work still tidies up waits for it, then starts anew."""
    table, tidy, order = JobTable(2, 1), asyncio.Event(), list[str]()

    async def stubborn(emit: Emit[GenerateClipResponse]) -> None:
        order.append("start")
        try:
            await asyncio.sleep(1000)
        finally:
            await tidy.wait()
            order.append("end")

    first = asyncio.create_task(collect(table, "k", stubborn))
    await assert_eventually(lambda: order == ["start"])
    assert table.cancel("k")
    with pytest.raises(Cancelled):
        await first
    gate = Gate()
    gate.open.set()
    again = asyncio.create_task(collect(table, "k", gate.work))
    await assert_eventually(lambda: table.load().queued == 1)
    assert gate.starts == 0
    tidy.set()
    assert "clip" in await again
    assert order == ["start", "end"]
