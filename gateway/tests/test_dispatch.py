"""Scenes go to the endpoint that can take them soonest, and to none that cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from soundsight.videogen.v1 import videogen_pb2
from soundsight_gateway.dispatch import Pool
from soundsight_gateway.testing import ScriptedVideogen, VideogenLog, scripted_videogen
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import FailedPrecondition, ResourceExhausted, Unavailable
from soundsight_kit.testing import assert_eventually, socket_folder


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Cluster:
    """Videogen endpoints, and pools over them."""

    def __init__(self, folder: Path, sockets: Path, stack: AsyncExitStack) -> None:
        self._artifacts = ArtifactStore.open((folder / "artifacts").as_uri())
        self._sockets = sockets
        self._stack = stack
        self.log = VideogenLog()
        self.targets: list[str] = []

    async def add(self, *, slots: int = 1, queue_limit: int = 0) -> ScriptedVideogen:
        """Starts one more endpoint."""
        made = ScriptedVideogen(self._artifacts, self.log, slots=slots, queue_limit=queue_limit)
        socket = self._sockets / f"v{len(self.targets)}.sock"
        self.targets.append(await self._stack.enter_async_context(scripted_videogen(made, socket)))
        return made

    def pool(self, *more: str, clock: Any = None) -> Pool:
        """A pool over all endpoints and some that do not exist."""
        channels = []

        def connect(target: str) -> Any:
            channels.append(open_channel(target))
            self._stack.push_async_callback(channels[-1].close)
            return channels[-1]

        arguments = {} if clock is None else {"clock": clock}
        return Pool("default", [*self.targets, *more], connect, **arguments)


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
        taken = [await stack.enter_async_context(pool.lease("f00d", 5)) for _ in range(9)]
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
        async with pool.lease("f00d", 20):
            order.append(number)
            held += 1
            most = max(most, held)
            await asyncio.sleep(0.01)
            held -= 1

    await asyncio.gather(*(hold(number) for number in range(12)))
    assert most == 2
    assert order == list(range(12))


async def test_patience_ends(cluster: Cluster) -> None:
    """Who finds no room in time is told so, and makes way."""
    await cluster.add(slots=1)
    pool = cluster.pool()
    async with pool.lease("f00d", 5):
        with pytest.raises(Unavailable) as caught:
            async with pool.lease("f00d", 0.05):
                pass
        assert caught.value.reason == "NO_ENDPOINT"
    async with pool.lease("f00d", 5):
        pass


async def test_a_waiter_that_is_cancelled_makes_way(cluster: Cluster) -> None:
    """A cancelled scene does not hold up those behind it."""
    await cluster.add(slots=1)
    pool = cluster.pool()
    async with pool.lease("f00d", 5):
        first = asyncio.create_task(_take(pool))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(_take(pool))
        await asyncio.sleep(0.01)
        first.cancel()
    await asyncio.wait_for(second, 10)


async def _take(pool: Pool) -> None:
    async with pool.lease("f00d", 10):
        pass


async def test_load_from_elsewhere_counts(cluster: Cluster) -> None:
    """An endpoint that others keep busy is passed over."""
    busy, free = await cluster.add(slots=1), await cluster.add(slots=1)
    busy.takes_s = 5.0
    channel = open_channel(cluster.targets[0])
    request = videogen_pb2.GenerateClipRequest(
        output_key="projects/x/clips/1", expected_fingerprint="f00d", shot_frames=2
    )
    from soundsight.videogen.v1.videogen_pb2_grpc import VideoGenServiceStub

    call = VideoGenServiceStub(channel).GenerateClip(request, timeout=20)
    await assert_eventually(lambda: busy.log.begun.total() == 1)
    async with cluster.pool().lease("f00d", 5) as endpoint:
        assert endpoint.target == cluster.targets[1]
    call.cancel()
    await channel.close()
    assert free.log is busy.log


async def test_an_endpoint_that_is_away_is_passed_over(cluster: Cluster, tmp_path: Path) -> None:
    """Dead targets cost nothing but a look; with nobody else, a scene waits and then gives up."""
    await cluster.add(slots=2)
    pool = cluster.pool(f"unix:{tmp_path}/nobody.sock")
    async with pool.lease("f00d", 5) as endpoint:
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
    async with pool.lease("f00d", 5) as first:
        first.failed(ResourceExhausted("full", retry_after_s=3.0))
    for now, expected in ((1.0, {cluster.targets[1]}), (3.5, set(cluster.targets))):
        clock.now = now
        async with AsyncExitStack() as stack:
            taken = [await stack.enter_async_context(pool.lease("f00d", 5)) for _ in range(4)]
        assert {endpoint.target for endpoint in taken} == expected


async def test_another_implementation_is_told_at_once(cluster: Cluster) -> None:
    """When all that answer are others than the clip was keyed for, nobody waits for them."""
    await cluster.add(slots=1)
    with pytest.raises(FailedPrecondition) as caught:
        async with cluster.pool().lease("other", 60):
            pass
    assert caught.value.reason == "FINGERPRINT_MISMATCH"


async def test_during_an_upgrade_each_clip_goes_to_its_own_kind(cluster: Cluster) -> None:
    """Old and new implementations side by side each get what was keyed for them."""
    old, new = await cluster.add(slots=2), await cluster.add(slots=2)
    new.become("beef")
    pool = cluster.pool()
    for fingerprint, target in zip(("f00d", "beef"), cluster.targets, strict=True):
        for _ in range(3):
            async with pool.lease(fingerprint, 5) as endpoint:
                assert endpoint.target == target
    assert old.fingerprint == "f00d"


async def test_work_under_way_is_found_where_it_was_begun(cluster: Cluster) -> None:
    """The endpoint asked before is asked again, even when it looks full."""
    await cluster.add(slots=1)
    await cluster.add(slots=1)
    pool = cluster.pool()
    async with (
        pool.lease("f00d", 5) as first,
        pool.lease("f00d", 5, prefer=first.target) as again,
    ):
        assert again is first
