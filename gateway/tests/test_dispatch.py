"""Scenes go to the endpoint that can take them soonest, and to none that cannot."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from soundsight.videogen.v1 import videogen_pb2, videogen_pb2_grpc
from soundsight_gateway.discovery.targets import Address, Pod
from soundsight_gateway.dispatch import Pool
from soundsight_gateway.endpoint import SET_ASIDE_FIRST_S
from soundsight_gateway.testing import ScriptedVideogen, VideogenLog, scripted_videogen
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)
from soundsight_kit.testing import assert_eventually, socket_folder

SOON_S = 60.0
"""For what comes within moments, or never."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints may answer as late as a machine makes them that has much else to do."""
    monkeypatch.setattr("soundsight_gateway.dispatch.SETTLE_S", SOON_S)
    monkeypatch.setattr("soundsight_gateway.endpoint.LOAD_TIMEOUT_S", SOON_S)


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Counting(ScriptedVideogen):
    """Counts how often it is asked how busy it is, and may have no workers."""

    loads_asked = 0
    starting = False
    """Whether none of its workers is up yet: it has a queue, and no slots."""

    async def GetLoad(self, request: videogen_pb2.GetLoadRequest, context: Any) -> Any:
        self.loads_asked += 1
        load = await super().GetLoad(request, context)
        if self.starting:
            load.slots = 0
        return load


class Cluster:
    """Videogen endpoints, and pools over them."""

    def __init__(self, folder: Path, sockets: Path, stack: AsyncExitStack) -> None:
        self._artifacts = ArtifactStore.open((folder / "artifacts").as_uri())
        self._sockets = sockets
        self._stack = stack
        self.log = VideogenLog()
        self.targets: list[str] = []

    async def add(self, *, slots: int = 1, queue_limit: int = 0) -> Counting:
        """Starts one more endpoint."""
        made = Counting(self._artifacts, self.log, slots=slots, queue_limit=queue_limit)
        path = self._sockets / f"v{len(self.targets)}.sock"
        self.targets.append(await self._stack.enter_async_context(scripted_videogen(made, path)))
        return made

    def pool(self, *more: str, clock: Any = None) -> Pool:
        """A pool over all endpoints and some that do not exist."""
        channels = []

        def connect(address: Address) -> Any:
            channels.append(open_channel(address.target))
            return channels[-1]

        arguments = {} if clock is None else {"clock": clock}
        pool = Pool("default", map(Address, [*self.targets, *more]), connect, **arguments)
        self._stack.push_async_callback(pool.close)
        return pool


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    with socket_folder() as sockets:
        async with AsyncExitStack() as stack:
            yield Cluster(tmp_path, sockets, stack)


async def test_scenes_spread_over_free_slots(cluster: Cluster) -> None:
    """As many scenes as there are slots go one to each; more go where the queue is shortest."""
    for _ in range(3):
        await cluster.add(slots=2, queue_limit=2)
    pool = cluster.pool()
    async with AsyncExitStack() as stack:
        taken = [await stack.enter_async_context(pool.lease("f00d", SOON_S)) for _ in range(9)]
    counts = {target: sum(e.target == target for e in taken[:6]) for target in cluster.targets}
    assert set(counts.values()) == {2}
    counts = {target: sum(e.target == target for e in taken) for target in cluster.targets}
    assert set(counts.values()) == {3}


async def test_no_endpoint_gets_more_than_it_has_room_for(cluster: Cluster) -> None:
    """Those beyond all room wait here, first come first served."""
    await cluster.add(slots=1, queue_limit=1)
    pool = cluster.pool()
    held, most, order = 0, 0, []

    async def hold(number: int) -> None:
        nonlocal held, most
        async with pool.lease("f00d", SOON_S):
            order.append(number)
            held += 1
            most = max(most, held)
            await asyncio.sleep(0.01)
            held -= 1

    await asyncio.gather(*(hold(number) for number in range(12)))
    assert most == 2
    assert order == list(range(12))


async def test_a_full_pool_is_waited_for(cluster: Cluster) -> None:
    """Patience is for a pool that does not answer: a scene waits for room as long as it takes."""
    await cluster.add(slots=1)
    pool = cluster.pool()
    async with pool.lease("f00d", SOON_S):
        second = asyncio.create_task(_take(pool, patience_s=0.05))
        await asyncio.sleep(1.2)
        assert not second.done()
    await asyncio.wait_for(second, SOON_S)


async def test_patience_with_a_silent_pool_ends(cluster: Cluster, tmp_path: Path) -> None:
    """Who finds nobody that answers in time is told so, and makes way."""
    pool = cluster.pool(f"unix:{tmp_path}/nobody.sock")
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await _take(pool, patience_s=0.05)
        assert caught.value.reason == "NO_ENDPOINT"


async def test_a_waiter_that_is_cancelled_makes_way(cluster: Cluster) -> None:
    """A cancelled scene does not hold up those behind it."""
    await cluster.add(slots=1)
    pool = cluster.pool()
    async with pool.lease("f00d", SOON_S):
        first = asyncio.create_task(_take(pool))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(_take(pool))
        await asyncio.sleep(0.01)
        first.cancel()
    await asyncio.wait_for(second, SOON_S)


async def _take(pool: Pool, patience_s: float = SOON_S) -> None:
    async with pool.lease("f00d", patience_s):
        pass


async def test_load_from_elsewhere_counts(cluster: Cluster) -> None:
    """An endpoint that others keep busy is passed over."""
    busy, free = await cluster.add(slots=1), await cluster.add(slots=1)
    busy.may_finish.clear()
    channel = open_channel(cluster.targets[0])
    call = videogen_pb2_grpc.VideoGenServiceStub(channel).GenerateClip(_clip("1"), timeout=SOON_S)
    await assert_eventually(lambda: busy.log.begun.total() == 1)
    async with cluster.pool().lease("f00d", SOON_S) as endpoint:
        assert endpoint.target == cluster.targets[1]
    call.cancel()
    await channel.close()
    assert free.log is busy.log


async def test_an_endpoint_that_is_away_is_passed_over(cluster: Cluster, tmp_path: Path) -> None:
    """Dead targets cost nothing but a look; with nobody else, a scene waits and then gives up."""
    await cluster.add(slots=2)
    pool = cluster.pool(f"unix:{tmp_path}/nobody.sock")
    async with pool.lease("f00d", SOON_S) as endpoint:
        assert endpoint.target == cluster.targets[0]
    empty = Cluster(tmp_path, tmp_path, cluster._stack).pool(f"unix:{tmp_path}/nobody.sock")
    with pytest.raises(Unavailable):
        await empty.describe()
    with pytest.raises(Unavailable):
        async with empty.lease("f00d", 0.05):
            pass


async def test_an_endpoint_that_says_it_is_full_is_left_alone_for_as_long_as_it_says(
    cluster: Cluster,
) -> None:
    """RetryInfo closes an endpoint for its time, and no longer."""
    await cluster.add(slots=4)
    await cluster.add(slots=4)
    clock = Clock()
    pool = cluster.pool(clock=clock)
    async with pool.lease("f00d", SOON_S) as first:
        first.failed(ResourceExhausted("full", retry_after_s=3.0))
    for now, expected in ((1.0, {cluster.targets[1]}), (3.5, set(cluster.targets))):
        clock.now = now
        async with AsyncExitStack() as stack:
            taken = [await stack.enter_async_context(pool.lease("f00d", SOON_S)) for _ in range(4)]
        assert {endpoint.target for endpoint in taken} == expected


async def test_another_implementation_is_told_at_once(cluster: Cluster) -> None:
    """When all that answer are others than the clip was keyed for, nobody waits for them."""
    await cluster.add(slots=1)
    with pytest.raises(FailedPrecondition) as caught:
        async with cluster.pool().lease("other", SOON_S):
            pass
    assert caught.value.reason == "FINGERPRINT_MISMATCH"


async def test_during_an_upgrade_each_clip_goes_to_its_own_kind(cluster: Cluster) -> None:
    """Old and new implementations side by side each get what was keyed for them."""
    old, new = await cluster.add(slots=2), await cluster.add(slots=2)
    new.become("beef")
    pool = cluster.pool()
    for fingerprint, target in zip(("f00d", "beef"), cluster.targets, strict=True):
        for _ in range(3):
            async with pool.lease(fingerprint, SOON_S) as endpoint:
                assert endpoint.target == target
    assert old.fingerprint == "f00d"


async def test_work_under_way_is_found_where_it_was_begun(cluster: Cluster) -> None:
    """The endpoint asked before is asked again, even when it looks full."""
    await cluster.add(slots=1)
    await cluster.add(slots=1)
    pool = cluster.pool()
    async with (
        pool.lease("f00d", SOON_S) as first,
        pool.lease("f00d", SOON_S, prefer=first.target) as again,
    ):
        assert again is first


async def test_whoever_has_most_slots_speaks_for_the_pool(cluster: Cluster) -> None:
    """What a pool says it is does not hang on the order in which its endpoints are known."""
    for fingerprint, slots in (("beef", 2), ("f00d", 1), ("f00d", 2)):
        (await cluster.add(slots=slots)).become(fingerprint)
    for order in itertools.permutations(cluster.targets):
        cluster.targets = list(order)
        assert (await cluster.pool().describe()).fingerprint == "f00d"


async def test_endpoints_that_come_are_asked_at_once(cluster: Cluster) -> None:
    """A scene that waits in an empty pool is filmed by the first endpoint that comes."""
    pool = cluster.pool()
    with pytest.raises(Unavailable):
        await pool.describe()
    waiting = asyncio.create_task(_take(pool))
    await asyncio.sleep(0.05)
    await cluster.add(slots=1)
    pool.update([Address(cluster.targets[0])])
    await asyncio.wait_for(waiting, SOON_S)


async def test_endpoints_that_go_keep_what_is_under_way(cluster: Cluster) -> None:
    """They get no new clips; a call goes on to its end, and then the channel is closed."""
    going, staying = await cluster.add(slots=4), await cluster.add(slots=4)
    going.may_finish.clear()
    pool = cluster.pool()
    async with pool.lease("f00d", SOON_S, prefer=cluster.targets[0]) as endpoint:
        assert endpoint.target == cluster.targets[0]
        call = endpoint.stub.GenerateClip(_clip("1"), timeout=SOON_S)
        await assert_eventually(lambda: going.log.begun.total() == 1)
        pool.update([Address(cluster.targets[1])])
        for _ in range(6):
            async with pool.lease("f00d", SOON_S) as other:
                assert other.target == cluster.targets[1]
        # Who was filming there finds the work again.
        async with pool.lease("f00d", SOON_S, prefer=cluster.targets[0]) as again:
            assert again is endpoint
        going.may_finish.set()
        assert [event.WhichOneof("event") async for event in call][-1] == "clip"
    await assert_eventually(lambda: not pool._leaving and not pool._closing)
    with pytest.raises(grpc.aio.UsageError, match="closed"):
        await endpoint.stub.GetLoad(videogen_pb2.GetLoadRequest(), timeout=SOON_S)
    assert staying.log.begun.total() == 1


async def test_an_address_that_comes_back_is_the_same_endpoint(cluster: Cluster) -> None:
    """What is under way there counts on; another pod at the address is asked what it is."""
    await cluster.add(slots=2)
    target = cluster.targets[0]
    pool = cluster.pool()
    async with pool.lease("f00d", SOON_S) as endpoint:
        pool.update([])
        assert [one.target for one in pool.endpoints] == []
        pool.update([Address(target, pod=Pod("media", "new"))])
        assert pool.endpoints == (endpoint,)
        assert endpoint.in_flight == 1
        assert endpoint.info is None
    async with pool.lease("f00d", SOON_S) as again:
        assert again is endpoint


async def test_a_silent_endpoint_holds_nobody_up(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one endpoint accepts calls and says nothing, scenes go to the others without delay."""
    # Once is well, each time would be too often.
    monkeypatch.setattr("soundsight_gateway.dispatch.SETTLE_S", 1.0)
    await cluster.add(slots=2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        pool = cluster.pool(f"{host}:{port}")
        async with asyncio.timeout(SOON_S / 2):
            for _ in range(50):
                await _take(pool)


async def test_a_sick_endpoint_is_set_aside(cluster: Cluster) -> None:
    """One at which clip after clip fails gets ever fewer of them, but is never given up."""
    await cluster.add(slots=4)
    clock = Clock()
    pool = cluster.pool(clock=clock)
    tried: list[float] = []
    for _ in range(600):
        if pool.endpoints[0].open or not tried:
            async with pool.lease("f00d", SOON_S) as endpoint:
                endpoint.failed(Internal("the GPU has fallen off the bus"))
            tried.append(clock.now)
        clock.now += 0.25
    pauses = [later - before for before, later in itertools.pairwise(tried)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


async def test_prometheus_sees_an_endpoint_the_moment_it_is_set_aside(cluster: Cluster) -> None:
    """And the moment it is tried again, though nobody asked it anything in between."""

    def count(what: str) -> float | None:
        return REGISTRY.get_sample_value("soundsight_endpoints", {"pool": "default", "what": what})

    await cluster.add()
    clock = Clock()
    pool = cluster.pool(clock=clock)
    await _take(pool)
    assert (count("open"), count("closed")) == (1, 0)
    async with pool.lease("f00d", SOON_S) as endpoint:
        endpoint.failed(Internal("the GPU has fallen off the bus"))
    assert (count("open"), count("closed")) == (0, 1)
    clock.now += 60
    assert (count("open"), count("closed")) == (1, 0)


async def test_after_failures_in_a_row_clips_are_tried_one_at_a_time(cluster: Cluster) -> None:
    """The only endpoint of a pool is not given up: one clip that works opens it wholly."""
    await cluster.add(slots=4)
    clock = Clock()
    pool = cluster.pool(clock=clock)
    for pause_s in (0.5, 1.0):
        async with pool.lease("f00d", SOON_S) as endpoint:
            endpoint.failed(Internal("no"))
        assert not endpoint.open
        clock.now += pause_s
    async with pool.lease("f00d", SOON_S) as endpoint:
        waiting = asyncio.create_task(_take(pool))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        endpoint.worked()
        await asyncio.wait_for(waiting, SOON_S)


async def test_one_that_failed_comes_after_those_with_a_free_slot(cluster: Cluster) -> None:
    """Being idle because nothing works is no merit."""
    await cluster.add(slots=4)
    await cluster.add(slots=4)
    clock = Clock()
    pool = cluster.pool(clock=clock)
    async with pool.lease("f00d", SOON_S) as sick:
        sick.failed(Internal("no"))
    clock.now += SET_ASIDE_FIRST_S
    async with AsyncExitStack() as stack:
        taken = [await stack.enter_async_context(pool.lease("f00d", SOON_S)) for _ in range(5)]
    assert [endpoint is sick for endpoint in taken] == [False] * 4 + [True]


async def test_one_without_workers_comes_last(cluster: Cluster) -> None:
    """A place in the queue of an endpoint that films nothing yet is no free slot."""
    (await cluster.add(queue_limit=2)).starting = True
    await cluster.add(slots=2)
    pool = cluster.pool()
    async with AsyncExitStack() as stack:
        taken = [await stack.enter_async_context(pool.lease("f00d", SOON_S)) for _ in range(3)]
    last, first = cluster.targets
    assert [endpoint.target for endpoint in taken] == [first, first, last]


async def test_failures_of_one_moment_count_once(cluster: Cluster) -> None:
    """A connection that breaks takes all clips with it, and is one failure."""
    await cluster.add(slots=4)
    clock = Clock()
    pool = cluster.pool(clock=clock)
    async with AsyncExitStack() as stack:
        taken = [await stack.enter_async_context(pool.lease("f00d", SOON_S)) for _ in range(4)]
        for endpoint in taken:
            endpoint.failed(Unavailable("the connection broke"))
    clock.now += SET_ASIDE_FIRST_S
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await asyncio.wait_for(stack.enter_async_context(pool.lease("f00d", SOON_S)), SOON_S)


async def test_a_clip_of_its_own_fault_sets_nobody_aside(cluster: Cluster) -> None:
    """What would fail anywhere says nothing of the endpoint."""
    await cluster.add(slots=1)
    pool = cluster.pool(clock=Clock())
    for error in (InvalidArgument("no such size"), FailedPrecondition("too long", reason="OOM")):
        async with pool.lease("f00d", SOON_S) as endpoint:
            endpoint.failed(error)
        assert endpoint.open


async def test_while_the_old_are_only_full_nobody_moves_to_the_new(cluster: Cluster) -> None:
    """In the middle of an upgrade a clip waits for the implementation that it was keyed for, as
    long as any of that kind is there."""
    await cluster.add(slots=1)
    (await cluster.add(slots=1)).become("beef")
    clock = Clock()
    pool = cluster.pool(clock=clock)
    async with pool.lease("f00d", SOON_S) as old:
        old.failed(ResourceExhausted("full", retry_after_s=3.0))
    waiting = asyncio.create_task(_take(pool))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    clock.now += 3.5
    await asyncio.wait_for(waiting, SOON_S)


async def test_those_that_wait_for_one_kind_hold_up_no_other(cluster: Cluster) -> None:
    """While clips wait for the last of the old endpoints, the new ones film what is theirs."""
    await cluster.add(slots=1)
    (await cluster.add(slots=1)).become("beef")
    pool = cluster.pool()
    async with pool.lease("f00d", SOON_S):
        waiting = asyncio.create_task(_take(pool))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(SOON_S), pool.lease("beef", SOON_S):
            assert not waiting.done()
    await asyncio.wait_for(waiting, SOON_S)


async def test_who_finds_work_under_way_does_not_queue(cluster: Cluster) -> None:
    """A clip that is filmed already needs no room, and waits behind nobody."""
    await cluster.add(slots=1)
    pool = cluster.pool()
    async with pool.lease("f00d", SOON_S) as first:
        waiting = asyncio.create_task(_take(pool))
        await asyncio.sleep(0.05)
        async with (
            asyncio.timeout(SOON_S),
            pool.lease("f00d", SOON_S, prefer=first.target) as again,
        ):
            assert again is first
    await asyncio.wait_for(waiting, SOON_S)


async def test_many_endpoints_are_asked_no_more_than_a_few_each_second(cluster: Cluster) -> None:
    """However many clips are sent, the question how busy an endpoint is stays rare."""
    asked = [await cluster.add(slots=1) for _ in range(8)]
    clock = Clock()
    pool = cluster.pool(clock=clock)
    for _ in range(200):
        clock.now += 0.01
        await _take(pool)
    # In two seconds, with answers that hold for one.
    assert 8 <= sum(one.loads_asked for one in asked) <= 8 * 3


def _clip(name: str) -> videogen_pb2.GenerateClipRequest:
    return videogen_pb2.GenerateClipRequest(
        output_key=f"projects/x/clips/{name}", expected_fingerprint="f00d", shot_frames=2
    )
