"""Several gateways on one Postgres share the work, and take over what one of them leaves behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import artifacts_pb2, render_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.videogen.v1.videogen_pb2 import GetLoadRequest
from soundsight_gateway import states
from soundsight_gateway.app import EXIT_LOST
from soundsight_kit.errors import error_from_rpc
from soundsight_kit.testing import assert_eventually

Bench = Any  # conftest's
Caller = Any
Child = Any

TIMEOUT_S = 5.0
"""Silence that a gateway must not be taken for gone for, though its machine has much else to do."""


@pytest.fixture
def shared(bench: Bench, postgres_url: str) -> Bench:
    """Scripted services, and gateways that share a Postgres."""
    bench.database_url = postgres_url
    return bench


def replica(shared: Bench, number: int, **environment: str) -> Any:
    """A gateway in a process of its own."""
    return shared.child(
        SOUNDSIGHT_GATEWAY_EXECUTOR_ID=f"gateway-{number}",
        SOUNDSIGHT_GATEWAY_EXECUTOR_TIMEOUT_S=str(TIMEOUT_S),
        **environment,
    )


async def changes(caller: Caller, name: str) -> list[r.StateChange]:
    """The state changes of a render that has ended, as a watcher sees them."""
    return [
        event.state_change for event in await caller.watch(name) if event.HasField("state_change")
    ]


async def watched_elsewhere(caller: Caller, name: str, seen: list[r.RenderEvent]) -> None:
    """Watches as the client does: again from the last number, until the end."""
    while True:
        after = max((e.state_change.sequence for e in seen), default=0)
        request = render_pb2.WatchRenderRequest(name=name, after_sequence=after)
        try:
            async for event in caller.renders.WatchRender(request, timeout=120):
                seen.append(event)
            return
        except grpc.RpcError as error:
            assert error_from_rpc(error).code == grpc.StatusCode.UNAVAILABLE
            await asyncio.sleep(0.1)


async def test_a_gateway_that_stays_away_is_taken_over(shared: Bench, song: bytes) -> None:
    """Killed for good, its renders are finished by the other; scenes that were finished, or went on
    meanwhile, are not filmed again, and a watcher there sees every number."""
    services = shared.services
    services.videogen.takes_s = 0.4
    services.writer.scene_frames = 4
    log = services.videogen.log
    seen: list[r.RenderEvent] = []
    async with replica(shared, 0) as first, replica(shared, 1) as second:
        ref = await first.caller.upload(song)
        made = [await first.caller.create(r.RenderSpec(song=ref, seed=seed)) for seed in (1, 2)]
        watching = asyncio.create_task(watched_elsewhere(second.caller, made[0].name, seen))
        await assert_eventually(lambda: sum(log.filmed.values()) >= 6)
        services.videogen.may_finish.clear()
        await first.kill()
        services.videogen.may_finish.set()
        ended = [await second.caller.ended(one.name) for one in made]
        await watching
        assert "taking over the work of an executor" in second.log.read_text()
    assert [one.state for one in ended] == [states.SUCCEEDED] * 2
    assert set(log.filmed.values()) == {1}
    assert set(log.begun.values()) == {1}
    numbers = [e.state_change.sequence for e in seen if e.HasField("state_change")]
    assert numbers == list(range(1, ended[0].sequence + 1))


async def test_a_zombie_publishes_nothing_and_ends(shared: Bench, song: bytes) -> None:
    """A gateway that was stopped for longer than its time-out, and goes on, finds its work taken
    over: it exits with a code of its own, and each render succeeds once."""
    services = shared.services
    services.videogen.may_finish.clear()
    services.composer.takes_s = 0.2
    async with replica(shared, 0) as zombie, replica(shared, 1) as other:
        ref = await zombie.caller.upload(song)
        made = [await zombie.caller.create(r.RenderSpec(song=ref, seed=seed)) for seed in (1, 2)]
        await zombie.caller.reaches(made[0].name, states.FILMING)
        zombie.process.send_signal(signal.SIGSTOP)
        services.videogen.may_finish.set()
        ended = [await other.caller.ended(one.name) for one in made]
        zombie.process.send_signal(signal.SIGCONT)
        assert await asyncio.wait_for(zombie.process.wait(), 60) == EXIT_LOST
        again = [await other.caller.get(one.name) for one in made]
        told = [await changes(other.caller, one.name) for one in made]
        said = zombie.log.read_text()
        assert "executor is lost" in said
        assert "Traceback" not in said
    assert [one.state for one in ended] == [states.SUCCEEDED] * 2, ended
    assert again == ended
    for one in told:
        assert sum(change.state == states.SUCCEEDED for change in one) == 1
        assert [change.sequence for change in one] == list(range(1, len(one) + 1))
    assert set(services.videogen.log.begun.values()) == {1}
    assert set(services.composer.composed.values()) == {1}


@pytest.mark.long
async def test_a_gateway_that_returns_in_time_goes_on_itself(shared: Bench, song: bytes) -> None:
    """Killed and started again under its name, it waits for its lock and finishes its renders; so
    does one whose sessions the server ended."""
    shared.services.videogen.may_finish.clear()
    async with replica(shared, 0) as first:
        created = await first.caller.create(
            r.RenderSpec(song=await first.caller.upload(song), seed=3)
        )
        await first.caller.reaches(created.name, states.FILMING)
        await first.kill()
    shared.services.videogen.may_finish.set()
    async with replica(shared, 0) as back:
        await shared.cut_off_from_database()
        assert (await back.caller.ended(created.name)).state == states.SUCCEEDED
        await assert_eventually(lambda: "has its lock again" in back.log.read_text())
        assert back.process.returncode is None
    assert set(shared.services.videogen.log.begun.values()) == {1}


@pytest.mark.long
async def test_scenes_of_a_render_are_dispatched_by_all(shared: Bench, song: bytes) -> None:
    """A pool that one gateway may not fill alone is filled by two, which share the queue."""
    shared.services.videogen.may_finish.clear()
    shared.services.writer.scene_frames = 4
    pool = '[{"name": "default", "endpoints": ["%s"], "max_in_flight": 2}]'
    limited = {"SOUNDSIGHT_GATEWAY_VIDEO_POOLS": pool % shared.services.targets["videogen"]}
    async with replica(shared, 0, **limited) as first, replica(shared, 1, **limited) as second:
        created = await first.caller.create(r.RenderSpec(song=await first.caller.upload(song)))

        async def busy() -> bool:
            load = await shared.services.videogen.GetLoad(GetLoadRequest(), None)
            return bool(load.busy == 4)

        await assert_eventually(busy)
        shared.services.videogen.may_finish.set()
        assert (await second.caller.ended(created.name)).state == states.SUCCEEDED
    assert set(shared.services.videogen.log.begun.values()) == {1}


async def test_cancelling_at_one_stops_the_work_at_another(shared: Bench, song: bytes) -> None:
    """Whichever gateway is asked, clips stop everywhere, for good."""
    videogen = shared.services.videogen
    videogen.may_finish.clear()
    async with replica(shared, 0) as first, replica(shared, 1) as second:
        created = await first.caller.create(r.RenderSpec(song=await first.caller.upload(song)))
        await assert_eventually(lambda: sum(videogen.log.begun.values()) == 4)
        assert (await second.caller.cancel(created.name)).state == states.CANCELLED

        async def idle() -> bool:
            load = await videogen.GetLoad(GetLoadRequest(), None)
            return bool(load.busy + load.queued == 0)

        await assert_eventually(idle)
        await assert_eventually(lambda: sum(videogen.log.cancelled.values()) == 4)


async def test_progress_is_seen_at_every_gateway(shared: Bench, song: bytes) -> None:
    """A watcher at a gateway that does nothing for the render is told how far it is."""
    services = shared.services
    idle = {"SOUNDSIGHT_GATEWAY_QUEUE_POLLING_S": "10"}
    seen: list[r.RenderEvent] = []

    def shares() -> list[float]:
        return [event.progress.fraction for event in seen if event.HasField("progress")]

    for working in (services.analyzer, services.videogen, services.composer):
        working.may_finish.clear()
    async with replica(shared, 0) as first, replica(shared, 1, **idle) as second:
        created = await first.caller.create(r.RenderSpec(song=await first.caller.upload(song)))
        watching = asyncio.create_task(watched_elsewhere(second.caller, created.name, seen))
        await assert_eventually(lambda: len(seen) > 0)
        services.analyzer.may_finish.set()
        await assert_eventually(lambda: len(shares()) > 0)
        before = len(shares())
        services.videogen.may_finish.set()
        await assert_eventually(lambda: len(shares()) > before)
        services.composer.may_finish.set()
        await watching
    assert shares() == sorted(shares())


async def test_an_upload_goes_on_at_another_gateway(shared: Bench, song: bytes) -> None:
    """What one gateway took in need not be sent again to the next."""

    async def send(caller: Caller, start: int, end: int) -> common_pb2.ArtifactRef:
        async def requests() -> AsyncIterator[artifacts_pb2.UploadRequest]:
            header = artifacts_pb2.UploadHeader(
                parent=caller.parent,
                upload_id="two-halves",
                size_bytes=len(song),
                offset_bytes=start,
            )
            yield artifacts_pb2.UploadRequest(header=header)
            yield artifacts_pb2.UploadRequest(chunk=song[start:end])

        response: artifacts_pb2.UploadResponse = await caller.files.Upload(requests(), timeout=120)
        return response.artifact

    half = len(song) // 2
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(replica(shared, 0))
        with pytest.raises(grpc.RpcError) as caught:
            await send(first.caller, 0, half)
        assert error_from_rpc(caught.value).reason == "UPLOAD_INCOMPLETE"
        await first.kill()
        second = await stack.enter_async_context(replica(shared, 1))
        asked = artifacts_pb2.GetUploadRequest(parent=second.caller.parent, upload_id="two-halves")
        assert (await second.caller.files.GetUpload(asked)).committed_bytes == half
        whole = await send(second.caller, half, len(song))
    assert whole.size_bytes == len(song)


async def test_gateways_may_all_start_at_once(shared: Bench, song: bytes) -> None:
    """On a database without any table, too: whoever comes later waits, and all serve."""
    async with AsyncExitStack() as stack:
        children = await asyncio.gather(
            *(stack.enter_async_context(replica(shared, number)) for number in range(3))
        )
        for child in children:
            listed = render_pb2.ListRendersRequest(parent=child.caller.parent)
            assert not (await child.caller.renders.ListRenders(listed, timeout=120)).renders


@pytest.mark.long
async def test_a_render_of_an_older_gateway_that_stays_away_is_ended(
    shared: Bench, song: bytes
) -> None:
    """What no gateway there is can continue does not hang for ever."""
    shared.services.videogen.may_finish.clear()
    async with replica(shared, 0) as first:
        created = await first.caller.create(r.RenderSpec(song=await first.caller.upload(song)))
        await first.caller.reaches(created.name, states.FILMING)
        await first.kill()
    await shared.run("UPDATE dbos.workflow_status SET application_version = '0'")
    await shared.run("UPDATE executors SET version = '0'")
    async with replica(shared, 1, SOUNDSIGHT_GATEWAY_SWEEP_INTERVAL_S="1") as second:
        ended = await second.caller.ended(created.name)
    assert ended.state == states.FAILED
    assert "upgraded" in ended.error.message
