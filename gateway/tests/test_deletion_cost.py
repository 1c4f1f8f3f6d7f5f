"""Pods that film are dearer to delete than idle ones, as far as the API server can be told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from soundsight.videogen.v1 import videogen_pb2
from soundsight_gateway.discovery.cluster import Cluster
from soundsight_gateway.discovery.deletion_cost import ANNOTATION, DeletionCosts
from soundsight_gateway.discovery.targets import Address, Pod
from soundsight_gateway.dispatch import Pool
from soundsight_gateway.testing import ScriptedVideogen, VideogenLog, scripted_videogen
from soundsight_gateway.testing.kubernetes import (
    ScriptedCluster,
    break_off,
    kubeconfig,
    most_tries,
    scripted_cluster,
)
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.channels import open_channel
from soundsight_kit.testing import assert_eventually, socket_folder

SPACING_S = 0.02


class Farm:
    """Endpoints in pods, a pool over them, and whoever keeps their costs."""

    def __init__(self, api: ScriptedCluster, pool: Pool, videogens: list[ScriptedVideogen]) -> None:
        self.api = api
        self.pool = pool
        self.videogens = videogens

    def cost(self, number: int) -> str | None:
        """The deletion cost of a pod, as it was written."""
        return self.api.annotations[f"pod-{number}"].get(ANNOTATION)


@pytest.fixture
async def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Farm]:
    """Two endpoints with two slots each, with costs kept."""
    api, log = ScriptedCluster(), VideogenLog()
    artifacts = ArtifactStore.open((tmp_path / "artifacts").as_uri())
    videogens = [ScriptedVideogen(artifacts, log, slots=2) for _ in range(2)]
    async with AsyncExitStack() as stack:
        sockets = stack.enter_context(socket_folder())
        server = await stack.enter_async_context(scripted_cluster(api))
        (tmp_path / "kubeconfig").write_text(kubeconfig(server))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        addresses = []
        for number, videogen in enumerate(videogens):
            path = sockets / f"{number}.sock"
            target = await stack.enter_async_context(scripted_videogen(videogen, path))
            addresses.append(Address(target, pod=Pod("media", f"pod-{number}")))
            api.annotations[f"pod-{number}"] = {}
        pool = Pool("default", addresses, lambda address: open_channel(address.target))
        stack.push_async_callback(pool.close)
        cluster = Cluster(request_timeout_s=60.0)
        stack.push_async_callback(cluster.close)
        costs = DeletionCosts([pool], cluster, look_s=0.2, spacing_s=SPACING_S)
        keeping = asyncio.create_task(costs.keep())
        yield Farm(api, pool, videogens)
        assert not keeping.done()
        keeping.cancel()
        await asyncio.wait({keeping})


async def test_a_pod_costs_what_it_films(farm: Farm) -> None:
    """A thousand for each clip while it films, nothing when it is idle, and no word more."""
    await assert_eventually(lambda: farm.cost(0) == farm.cost(1) == "0")
    async with farm.pool.lease("f00d", 60) as endpoint:
        number = 0 if endpoint.address.pod == Pod("media", "pod-0") else 1
        await assert_eventually(lambda: farm.cost(number) == "1000")
        async with farm.pool.lease("f00d", 60, prefer=endpoint.target):
            await assert_eventually(lambda: farm.cost(number) == "2000")
        await assert_eventually(lambda: farm.cost(number) == "1000")
    await assert_eventually(lambda: farm.cost(number) == "0")
    await asyncio.sleep(0.5)
    assert farm.api.requests["patch"] == 6


async def test_clips_of_other_gateways_count(farm: Farm) -> None:
    """The cost follows what the pod says of itself."""
    farm.videogens[1].may_finish.clear()
    async with open_channel(farm.pool.endpoints[1].target) as channel:
        stub = type(farm.pool.endpoints[1].stub)(channel)
        call = stub.GenerateClip(
            videogen_pb2.GenerateClipRequest(
                output_key="projects/x/clips/1", expected_fingerprint="f00d", shot_frames=2
            ),
            timeout=120,
        )
        await assert_eventually(lambda: farm.cost(1) == "1000")
        await assert_eventually(lambda: farm.cost(0) == "0")
        farm.videogens[1].may_finish.set()
        async for _ in call:
            pass
    await assert_eventually(lambda: farm.cost(1) == "0")


async def test_changes_in_quick_succession_are_written_as_one(farm: Farm) -> None:
    """A pod that turns busy and idle many times between two rounds is no flood of requests."""
    await assert_eventually(lambda: farm.api.requests["patch"] == 2)
    began = time.monotonic()
    for _ in range(300):
        async with farm.pool.lease("f00d", 60):
            pass
    rounds = 2 + (time.monotonic() - began) / SPACING_S
    await assert_eventually(lambda: farm.cost(0) == farm.cost(1) == "0")
    assert farm.api.requests["patch"] <= 2 * rounds


@pytest.mark.parametrize("trouble", ["401", "403", "409", "429", "500", "broken"])
async def test_refusals_are_waited_out(farm: Farm, trouble: str) -> None:
    """Dispatch goes on, requests become rare, and in the end the costs are right."""
    await assert_eventually(lambda: farm.api.requests["patch"] == 2)
    answer = break_off if trouble == "broken" else farm.api.refuse(int(trouble))
    farm.api.misbehaviours.extend([answer] * 50)
    began = time.monotonic()
    async with farm.pool.lease("f00d", 60) as endpoint:
        await assert_eventually(lambda: farm.api.requests["patch"] > 2)
        await asyncio.sleep(0.5)
        # A kept connection that turns out closed doubles the request.
        tries = most_tries(time.monotonic() - began, SPACING_S)
        assert farm.api.requests["patch"] - 2 <= 2 * tries
        farm.api.misbehaviours.clear()
        number = 0 if endpoint.address.pod == Pod("media", "pod-0") else 1
        await assert_eventually(lambda: farm.cost(number) == "1000")


async def test_a_pod_that_is_gone_keeps_no_other_from_its_cost(farm: Farm) -> None:
    """404 is final for one pod, and for one only."""
    await assert_eventually(lambda: farm.cost(0) == farm.cost(1) == "0")
    del farm.api.annotations["pod-0"]
    gone, stays = farm.pool.endpoints
    async with farm.pool.lease("f00d", 60, prefer=gone.target):
        await assert_eventually(lambda: farm.api.refused[404] == 1)
    await assert_eventually(lambda: farm.api.refused[404] == 2)
    async with farm.pool.lease("f00d", 60, prefer=stays.target):
        await assert_eventually(lambda: farm.cost(1) == "1000")
    await assert_eventually(lambda: farm.cost(1) == "0")
    before = farm.api.requests["patch"]
    await asyncio.sleep(0.5)
    assert farm.api.requests["patch"] == before
