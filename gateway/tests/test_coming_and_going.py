"""Endpoints come and go in the middle of renders, and every scene is filmed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from google.protobuf import json_format

from soundsight.render.v1 import resources_pb2 as r
from soundsight.videogen.v1.videogen_pb2 import GetLoadRequest
from soundsight_gateway import states
from soundsight_gateway.discovery import dns
from soundsight_gateway.discovery.deletion_cost import ANNOTATION
from soundsight_gateway.testing import ScriptedVideogen
from soundsight_gateway.testing.kubernetes import (
    ScriptedCluster,
    endpoint,
    kubeconfig,
    scripted_cluster,
)
from soundsight_gateway.testing.suite import videogen_binding
from soundsight_kit.errors import DeadlineExceeded, Internal, Unavailable
from soundsight_kit.server import Server
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import assert_eventually

Bench = Any  # conftest's
Caller = Any


class Pods:
    """Videogen servers on loopback, as pods of a Service, that share one log."""

    def __init__(self, bench: Bench, api: ScriptedCluster, stack: AsyncExitStack) -> None:
        self.api = api
        self.log = bench.services.videogen.log
        self._artifacts = bench.services.artifacts
        self._stack = stack
        self._ports: dict[str, int] = {}
        self._servers: dict[str, Server] = {}

    async def add(self, name: str, takes_s: float = 0.1, slots: int = 2) -> ScriptedVideogen:
        """Starts a pod and has it listed."""
        videogen = ScriptedVideogen(self._artifacts, self.log, slots=slots, queue_limit=0)
        videogen.takes_s = takes_s
        kit = KitSettings(listen="127.0.0.1:0", drain_grace_s=10.0)
        jobs = videogen._jobs
        server = Server(kit, videogen.info, [videogen_binding(videogen)], jobs.drain)
        self._servers[name] = server
        self._stack.push_async_callback(server.stop)
        self._ports[name] = int((await server.start()).rpartition(":")[2])
        self.api.annotations[name] = {}
        await self._list(name)
        return videogen

    async def remove(self, name: str) -> None:
        """Ends a pod as Kubernetes does: it is listed as terminating while it drains, then gone."""
        await self._list(name, terminating=True)
        await self._servers.pop(name).stop()
        await self.api.delete(name)

    async def kill(self, name: str) -> None:
        """Ends a pod as the loss of its node does; the Service hears of it later."""
        await self._servers.pop(name)._server.stop(None)

    async def _list(self, name: str, *, terminating: bool = False) -> None:
        # Pods share loopback here, so each has a slice of its own, with a port of its own.
        ports = (("grpc", self._ports[name]),)
        listed = endpoint(
            "127.0.0.1", name, ready=not terminating, serving=True, terminating=terminating
        )
        await self.api.put(name, [listed], ports=ports)


@pytest.fixture
async def pods(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pods]:
    api = ScriptedCluster()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(scripted_cluster(api))
        config = bench.folder / "kubeconfig"
        config.write_text(kubeconfig(server))
        monkeypatch.setenv("KUBECONFIG", str(config))
        bench.services.writer.scene_frames = 4
        yield Pods(bench, api, stack)


def over(bench: Bench, target: str, **changed: Any) -> Any:
    """A gateway with a pool that may have no endpoint for now, and can be planned for."""
    profile = json_format.MessageToDict(bench.services.videogen.profile)
    pool = {"name": "default", "endpoints": [target], "profile": profile}
    return bench.gateway(video_pools=[pool], **changed)


def in_cluster(bench: Bench, **changed: Any) -> Any:
    """A gateway whose pool is a Service."""
    return over(bench, "kubernetes:///videogen.media:grpc", **changed)


async def begin(caller: Caller, song: bytes) -> r.Render:
    created: r.Render = await caller.create(r.RenderSpec(song=await caller.upload(song)))
    return created


async def test_pods_come_and_go_in_mid_render(bench: Bench, pods: Pods, song: bytes) -> None:
    """A pool that is scaled from none up, down and up again films every scene once; busy pods were
    dear to delete, and in the end all are cheap."""

    def cost(pod: str) -> str | None:
        return pods.api.annotations[pod].get(ANNOTATION)

    async with in_cluster(bench, pod_deletion_cost=True) as caller:
        created = await begin(caller, song)
        await caller.reaches(created.name, states.WRITING)
        await pods.add("first", takes_s=0.3)
        await assert_eventually(lambda: pods.log.filmed.total() >= 2)
        second = await pods.add("second")
        second.may_finish.clear()
        await assert_eventually(lambda: second._jobs.load().busy > 0)
        await asyncio.gather(pods.remove("first"), pods.add("third"))
        await assert_eventually(lambda: cost("second") in ("1000", "2000"))
        second.may_finish.set()
        await pods.add("fourth")
        done = await caller.ended(created.name)
        left = ("second", "third", "fourth")
        await assert_eventually(lambda: all(cost(pod) == "0" for pod in left))
    assert done.state == states.SUCCEEDED, done.error
    assert len(pods.log.filmed) == len(done.scenes) == 12
    assert set(pods.log.filmed.values()) == {1}
    assert set(pods.log.begun.values()) == {1}
    assert {scene.attempts for scene in done.scenes} == {1}


async def test_a_pod_that_dies_loses_no_scene(bench: Bench, pods: Pods, song: bytes) -> None:
    """What was under way at a pod whose node is lost is filmed elsewhere; nothing is twice."""
    async with in_cluster(bench) as caller:
        dying, living = await pods.add("dying"), await pods.add("living")
        for pod in (dying, living):
            pod.may_finish.clear()
        created = await begin(caller, song)
        await assert_eventually(lambda: dying._jobs.load().busy > 0)
        living.may_finish.set()
        await assert_eventually(lambda: pods.log.filmed.total() >= 3)
        lost = (await dying.GetLoad(GetLoadRequest(), None)).busy
        await pods.kill("dying")
        dying.drop_all()
        done = await caller.ended(created.name)
    assert lost > 0
    assert done.state == states.SUCCEEDED, done.error
    assert set(pods.log.filmed.values()) == {1}
    assert len(pods.log.filmed) == 12


async def test_a_sick_pod_fails_no_render(bench: Bench, pods: Pods, song: bytes) -> None:
    """A pod at which every clip fails at once, and which is idle for that, does not draw scene
    after scene into failure; each is tried again elsewhere."""
    # When the first scenes are tried again, the sick pod is no longer set aside.
    async with in_cluster(bench, retry_attempts=3, retry_first_s=2.2) as caller:
        sick = await pods.add("sick")
        sick.script = lambda request, begun: Internal("the GPU has fallen off the bus")
        await pods.add("well", slots=1)
        done = await caller.ended((await begin(caller, song)).name)
    assert done.state == states.SUCCEEDED, done.error
    assert sum(scene.attempts - 1 for scene in done.scenes) <= 8


async def test_a_rolling_upgrade_films_each_scene_once(
    bench: Bench, pods: Pods, song: bytes
) -> None:
    """While both implementations are there, clips go to their own; once the old one is gone, what
    remains is keyed anew."""
    async with in_cluster(bench) as caller:
        old = await pods.add("old", takes_s=0.3)
        created = await begin(caller, song)
        await assert_eventually(lambda: pods.log.filmed.total() >= 2)
        (await pods.add("new", takes_s=0.05, slots=4)).become("beef")
        seen = pods.log.filmed.total()
        await assert_eventually(lambda: pods.log.filmed.total() >= seen + 3)
        old.may_finish.clear()
        by_old = {request.expected_fingerprint for request in pods.log.requests}
        going = asyncio.create_task(pods.remove("old"))
        await assert_eventually(lambda: old._jobs._draining)
        old.may_finish.set()
        await going
        done = await caller.ended(created.name)
    assert done.state == states.SUCCEEDED, done.error
    assert by_old == {"f00d"}
    assert list(done.video.fingerprints) == ["f00d", "beef"]
    assert set(pods.log.filmed.values()) == {1}
    assert len(pods.log.filmed) == 12


async def test_a_name_in_dns_is_followed(
    bench: Bench, pods: Pods, song: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses behind a name are the pool; one that appears later films as well."""
    answers: list[str] = []

    async def lookup(name: str) -> list[str]:
        assert name == "videogen.media.svc"
        return answers

    monkeypatch.setattr(dns, "system_lookup", lookup)
    monkeypatch.setattr(dns, "LOOK_AGAIN_S", 0.05)
    await pods.add("only")
    target = f"dns:///videogen.media.svc:{pods._ports['only']}"
    async with over(bench, target) as caller:
        created = await begin(caller, song)
        await caller.reaches(created.name, states.WRITING)
        answers.append("127.0.0.1")
        done = await caller.ended(created.name)
    assert done.state == states.SUCCEEDED, done.error
    assert set(pods.log.filmed.values()) == {1}


async def test_a_scene_has_its_time(bench: Bench, song: bytes) -> None:
    """When a scene's time is up, all attempts together, the render fails and says so."""
    bench.services.videogen.script = lambda request, begun: Unavailable("not now", reason="NO")
    async with bench.gateway(scene_timeout_s=0.5, retry_attempts=100, retry_most_s=0.2) as caller:
        failed = await caller.ended((await begin(caller, song)).name)
    assert failed.state == states.FAILED
    assert failed.error.details[0].type_url.endswith("ErrorInfo")
    assert b"SCENE_TIMEOUT" in failed.error.details[0].value
    assert failed.error.code == DeadlineExceeded.code.value[0]
