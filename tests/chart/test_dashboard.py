"""Dashboard and alerts before a real Prometheus, which scrapes a suite of real services."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from chart.exported import scraped_as
from chart.prometheus import Prometheus, program, running_prometheus, written
from chart.rendering import CHART, NAMESPACE, render_profile
from cluster import Cluster, running_cluster

from soundsight.common.v1.common_pb2 import Resolution
from soundsight.render.v1 import resources_pb2 as r
from soundsight.videogen.v1.videogen_pb2 import QUALITY_DRAFT
from soundsight_client.client import Client
from soundsight_gateway.testing import ScriptedVideogen, scripted_videogen
from soundsight_gateway.testing.postgres import running_postgres
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.errors import InvalidArgument
from soundsight_kit.testing import assert_eventually, free_ports, socket_folder
from soundsight_kit.testing_s3 import running_s3

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

COMPONENTS = {
    "gateway": "s-soundsight-gateway-0",
    "analyzer": "s-soundsight-analyzer-1",
    "scenewriter": "s-soundsight-scenewriter-1",
    "composer": "s-soundsight-composer-1",
    "videogen-default": "s-soundsight-videogen-default-1",
}
"""A pod of each component that has metrics."""


@dataclass(frozen=True)
class Query:
    """One line of a panel."""

    panel: str
    expression: str
    legend: str


def queries() -> Iterator[Query]:
    """Every query of the dashboard, with the namespace in place of its variable."""
    for path in (CHART / "dashboards").iterdir():
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$namespace", NAMESPACE)
                yield Query(panel["title"], expression, target["legendFormat"])


def variables() -> Iterator[tuple[str, str]]:
    """The metric and the label from which the dashboard offers its choices."""
    for path in (CHART / "dashboards").iterdir():
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"])
                assert asked, variable["query"]
                yield asked[1], asked[2]


@pytest.fixture
async def watched_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Cluster, Prometheus]]:
    """All services and a Prometheus that scrapes them as the chart has it."""
    program("prometheus")
    manifests = render_profile("production")
    ports = zip(COMPONENTS, free_ports(len(COMPONENTS)), strict=True)
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports}
    scraped = {
        addresses[name]: scraped_as(manifests, name, pod) for name, pod in COMPONENTS.items()
    }
    rules = written(manifests, tmp_path)
    (tmp_path / "s3").mkdir()
    with (
        running_postgres() as postgres,
        running_s3(tmp_path / "s3") as objects,
        socket_folder() as folder,
    ):
        for name, value in objects.environment().items():
            monkeypatch.setenv(name, value)
        async with running_cluster(folder, postgres, objects) as cluster:
            await start_suite(cluster, addresses)
            with running_prometheus(tmp_path, scraped, rules) as prometheus:
                yield cluster, prometheus


async def start_suite(cluster: Cluster, addresses: dict[str, str]) -> None:
    """Starts each component with its metrics at its address; the pool `spare` has no pod yet."""
    targets = {}
    for name in ("analyzer", "scenewriter", "composer", "videogen-default"):
        module = f"soundsight_{name.partition('-')[0]}"
        listen = {"SOUNDSIGHT_METRICS_LISTEN": addresses[name]}
        targets[name] = (await cluster.start(name, module, **listen)).target
    pools = [
        {"name": "default", "endpoints": [targets["videogen-default"]]},
        {"name": "spare", "endpoints": [f"unix:{cluster.folder}/spare.sock"]},
    ]
    gateway = await cluster.start(
        "gateway",
        "soundsight_gateway",
        SOUNDSIGHT_METRICS_LISTEN=addresses["gateway"],
        SOUNDSIGHT_GATEWAY_DATABASE_URL=cluster.database_url,
        SOUNDSIGHT_GATEWAY_EXECUTOR_ID=COMPONENTS["gateway"],
        SOUNDSIGHT_GATEWAY_ANALYZER=targets["analyzer"],
        SOUNDSIGHT_GATEWAY_SCENEWRITER=targets["scenewriter"],
        SOUNDSIGHT_GATEWAY_COMPOSER=targets["composer"],
        SOUNDSIGHT_GATEWAY_VIDEO_POOLS=json.dumps(pools),
    )
    cluster.link.upstream = gateway.target


async def rendered(client: Client, song: Path, pool: str, seed: int) -> str:
    """The name of a render that has begun."""
    spec = r.RenderSpec(
        song=await client.upload(song), quality=QUALITY_DRAFT, seed=seed, video_pool=pool
    )
    spec.resolution.CopyFrom(Resolution(width=160, height=90))
    return (await client.create_render(spec)).name


async def ended(client: Client, name: str) -> r.RenderState.ValueType:
    """The state in which a render ends."""
    async for _ in client.watch_render(name):
        pass
    return (await client.get_render(name)).state


async def things_happen(cluster: Cluster, song: Path) -> None:
    """One film succeeds, one fails since its pod refuses it, one waits in vain for a pod."""
    async with cluster.client() as client:
        film = await rendered(client, song, "default", 1)
        assert await ended(client, film) == r.RENDER_STATE_SUCCEEDED, cluster.logs()
        spare = ScriptedVideogen(ArtifactStore.open(cluster.artifacts_url))
        spare.script = lambda *_: InvalidArgument("this clip cannot be filmed")
        async with scripted_videogen(spare, cluster.folder / "spare.sock"):
            film = await rendered(client, song, "spare", 2)
            assert await ended(client, film) == r.RENDER_STATE_FAILED, cluster.logs()
        await rendered(client, song, "spare", 3)


async def waits_for_its_time(prometheus: Prometheus, alert: str, **labels: str) -> None:
    """Asserts that an alert's expression comes to hold."""
    wanted = {"alertname": alert, **labels}

    async def holds() -> bool:
        found = await asyncio.to_thread(prometheus.get, "alerts")
        return any(wanted.items() <= one["labels"].items() for one in found["alerts"])

    await assert_eventually(holds, within_s=120, message=f"nothing wrong, says {alert}")


async def shows(prometheus: Prometheus, query: Query) -> bool:
    """Whether a query has an answer, with the labels that its legend names. A rate has none before
    its series was scraped twice."""
    answer = await asyncio.to_thread(prometheus.ask, query.expression)
    named = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    return bool(answer) and all(named <= one["metric"].keys() for one in answer)


async def test_panels_show_and_alerts_see_what_happens(
    watched_suite: tuple[Cluster, Prometheus], song: Path
) -> None:
    """Each query of the dashboard has an answer, with the labels that its legend names; and what is
    out of order has the alert that is meant for it."""
    cluster, prometheus = watched_suite
    await things_happen(cluster, song)
    await waits_for_its_time(prometheus, "SoundsightScenesStandStill", pool="spare")
    for metric, label in variables():
        path = f"label/{label}/values"
        assert await asyncio.to_thread(prometheus.get, path, **{"match[]": metric}) == [NAMESPACE]
    for query in queries():
        await assert_eventually(partial(shows, prometheus, query), message=str(query))
    cluster.parts["gateway"].kill()
    await waits_for_its_time(prometheus, "SoundsightGatewaysWithoutDatabase")
    await waits_for_its_time(prometheus, "SoundsightTargetDown", pod=COMPONENTS["gateway"])
    found = await asyncio.to_thread(prometheus.get, "rules")
    faults = [
        rule for group in found["groups"] for rule in group["rules"] if rule["health"] != "ok"
    ]
    assert faults == []
