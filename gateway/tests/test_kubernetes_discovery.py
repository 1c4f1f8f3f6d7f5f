"""A Service's addresses are those that the API server has, whatever happens on the way."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soundsight_gateway.discovery.cluster import Cluster, ClusterError
from soundsight_gateway.discovery.following import Following
from soundsight_gateway.discovery.service_source import Pace, ServiceSource
from soundsight_gateway.discovery.slices import addresses
from soundsight_gateway.discovery.source import Addresses
from soundsight_gateway.discovery.targets import Address, KubernetesTarget, Pod
from soundsight_gateway.testing.kubernetes import (
    Misbehaviour,
    ScriptedCluster,
    break_off,
    endpoint,
    half_an_event,
    half_an_event_politely,
    kubeconfig,
    most_tries,
    nonsense,
    scripted_cluster,
)
from soundsight_kit.testing import assert_eventually

TARGET = KubernetesTarget("videogen", "media", "grpc")
BRISK = Pace(watch_s=30, steady_s=0.2, pause_first_s=0.002, pause_most_s=0.05)


class Follower:
    """What a pool would be told."""

    def __init__(self) -> None:
        self.now: Addresses = frozenset()
        self.told: list[Addresses] = []

    def tell(self, found: Addresses) -> None:
        self.now = found
        self.told.append(found)

    @property
    def targets(self) -> set[str]:
        return {address.target for address in self.now}


@asynccontextmanager
async def following(
    cluster: Cluster, pace: Pace = BRISK, target: KubernetesTarget = TARGET
) -> AsyncIterator[Follower]:
    """Follows a Service for as long as the context lasts."""
    follower = Follower()
    tasks = Following(frozenset(), [ServiceSource(target, cluster, pace)], follower.tell)
    tasks.start()
    try:
        yield follower
    finally:
        await tasks.close()
        await cluster.close()


@pytest.fixture
async def api() -> ScriptedCluster:
    return ScriptedCluster()


@pytest.fixture
async def cluster(
    api: ScriptedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    """A client of the scripted API server."""
    async with scripted_cluster(api) as server:
        config = tmp_path / "kubeconfig"
        config.write_text(kubeconfig(server, token="good", namespace="media"))
        monkeypatch.setenv("KUBECONFIG", str(config))
        made = Cluster(request_timeout_s=60.0)
        yield made
        await made.close()


async def test_addresses_follow_the_slices(api: ScriptedCluster, cluster: Cluster) -> None:
    """What a slice says when it comes, changes and goes is known at once, with one list in all."""
    await api.put("a", [endpoint("10.0.0.1", "pod-1")])
    async with following(cluster) as follower:
        await assert_eventually(lambda: follower.targets == {"10.0.0.1:7003"})
        await api.put("b", [endpoint("fd00::2", "pod-2")], kind="IPv6")
        await assert_eventually(lambda: len(follower.now) == 2)
        assert follower.now == {
            Address("10.0.0.1:7003", "videogen.media.svc", Pod("media", "pod-1")),
            Address("[fd00::2]:7003", "videogen.media.svc", Pod("media", "pod-2")),
        }
        await api.put("a", [endpoint("10.0.0.1", "pod-1", ready=False)])
        await assert_eventually(lambda: follower.targets == {"[fd00::2]:7003"})
        await api.delete("b")
        await assert_eventually(lambda: follower.targets == set())
        await api.put("c", [endpoint("10.0.0.9")], service="another")
    assert api.requests == {"list": 1, "watch": 1}


async def test_a_long_list_is_read_to_its_end(api: ScriptedCluster, cluster: Cluster) -> None:
    """Slices beyond the first page count."""
    api.page = 3
    for number in range(10):
        await api.put(f"s{number}", [endpoint(f"10.0.0.{number}")])
    async with following(cluster) as follower:
        await assert_eventually(lambda: len(follower.now) == 10)


async def test_a_large_slice_is_read(api: ScriptedCluster, cluster: Cluster) -> None:
    """An event of any length is one event: a slice holds up to a thousand endpoints."""
    async with following(cluster) as follower:
        await assert_eventually(lambda: api.requests["watch"] == 1)
        many = [
            endpoint(f"10.0.{n // 250}.{n % 250}", f"videogen-{n}-{'x' * 200}") for n in range(1000)
        ]
        await api.put("large", many)
        await assert_eventually(lambda: len(follower.now) == 1000)


async def test_an_orderly_end_is_taken_up_where_it_ended(
    api: ScriptedCluster, cluster: Cluster
) -> None:
    """A watch that ends as planned is followed by another, without a list, and nothing is lost."""
    async with following(cluster) as follower:
        for number in range(5):
            await assert_eventually(partial(_watched, api, number + 1))
            await api.end_watches()
            await api.put(f"s{number}", [endpoint(f"10.0.0.{number}")])
            await assert_eventually(partial(_knows, follower, number + 1))
    assert api.requests["list"] == 1


def _watched(api: ScriptedCluster, times: int) -> bool:
    return api.requests["watch"] == times


def _knows(follower: Follower, count: int) -> bool:
    return len(follower.now) == count


async def test_bookmarks_keep_a_quiet_watch_young(api: ScriptedCluster, cluster: Cluster) -> None:
    """After a bookmark the history before it may be forgotten without a new list."""
    async with following(cluster) as follower:
        await assert_eventually(lambda: api.requests["watch"] == 1)
        await api.put("elsewhere", [endpoint("10.9.9.9")], service="another")
        await api.bookmark()
        await assert_eventually(lambda: api.sent["BOOKMARK"] == 1)
        api._oldest = api._version  # what the bookmark told of is the oldest that is still known
        await api.end_watches()
        await assert_eventually(lambda: api.requests["watch"] == 2)
        await api.put("a", [endpoint("10.0.0.1")])
        await assert_eventually(lambda: follower.targets == {"10.0.0.1:7003"})
    assert api.requests["list"] == 1


async def test_a_version_that_is_too_old_is_listed_anew(
    api: ScriptedCluster, cluster: Cluster
) -> None:
    """410 in the stream and 410 in the answer both lead to a list."""
    await api.put("a", [endpoint("10.0.0.1")])
    async with following(cluster) as follower:
        await assert_eventually(lambda: api.requests["watch"] == 1)
        await api.end_watches()
        await api.delete("a")
        await api.put("b", [endpoint("10.0.0.2")])
        await api.forget()
        await assert_eventually(lambda: follower.targets == {"10.0.0.2:7003"})
        api.misbehaviours.append(api.refuse(410))
        await api.end_watches()
        await assert_eventually(lambda: not api.misbehaviours)
        await api.put("c", [endpoint("10.0.0.3")])
        await assert_eventually(lambda: len(follower.now) == 2)
    assert api.requests["list"] == 3


@pytest.mark.parametrize(
    "misbehaviour",
    ["401", "403", "429", "500", "503", "broken", "half", "half, politely", "nonsense"],
)
async def test_trouble_is_waited_out(
    api: ScriptedCluster, cluster: Cluster, misbehaviour: str
) -> None:
    """While the server refuses or breaks off, what is known holds and it is asked ever less often;
    afterwards nothing was lost."""

    def one() -> Misbehaviour:
        others: dict[str, Misbehaviour] = {
            "broken": break_off,
            "half": half_an_event,
            "half, politely": half_an_event_politely,
            "nonsense": nonsense,
        }
        return others.get(misbehaviour) or api.refuse(int(misbehaviour))

    await api.put("a", [endpoint("10.0.0.1")])
    pace = Pace(watch_s=30, steady_s=60.0, pause_first_s=0.02, pause_most_s=5.0)
    async with following(cluster, pace) as follower:
        await assert_eventually(lambda: api.requests["watch"] == 1)
        before, began = api.requests.total(), time.monotonic()
        api.misbehaviours.extend(one() for _ in range(200))
        api.drop_connections()
        await api.put("a", [endpoint("10.0.0.1"), endpoint("10.0.0.2")])
        await assert_eventually(lambda: api.requests.total() - before >= 2)
        await asyncio.sleep(0.5)
        assert follower.targets == {"10.0.0.1:7003"}
        # Over a kept connection that turns out to be closed, a request is made twice.
        tries = most_tries(time.monotonic() - began, pace.pause_first_s)
        assert api.requests.total() - before <= 2 * tries
        api.misbehaviours.clear()
        await assert_eventually(lambda: len(follower.now) == 2)


async def test_a_server_that_says_when_to_come_back_is_obeyed(
    api: ScriptedCluster, cluster: Cluster
) -> None:
    """Retry-After is a floor for the pause."""
    api.misbehaviours.append(api.refuse(429, **{"Retry-After": "1"}))
    began = time.monotonic()
    async with following(cluster):
        await assert_eventually(lambda: api.requests["watch"] == 1)
    assert time.monotonic() - began >= 1.0
    assert api.requests["list"] == 2


async def test_watches_that_end_at_once_are_no_busy_loop(
    api: ScriptedCluster, cluster: Cluster
) -> None:
    """A proxy that ends every watch right away is asked ever less often."""

    async def ends_at_once() -> None:
        while True:
            await api.end_watches()
            await asyncio.sleep(0.001)

    pace = Pace(watch_s=30, steady_s=60.0, pause_first_s=0.02, pause_most_s=5.0)
    began = time.monotonic()
    async with following(cluster, pace):
        ending = asyncio.create_task(ends_at_once())
        await assert_eventually(lambda: api.requests["watch"] >= 2)
        await asyncio.sleep(0.5)
        ending.cancel()
    assert api.requests["watch"] <= most_tries(time.monotonic() - began, pace.pause_first_s)


async def test_closing_is_prompt(api: ScriptedCluster, cluster: Cluster) -> None:
    """A watch in which nothing happens does not hold up the end."""
    lasting = Pace(watch_s=600, steady_s=0.2, pause_first_s=0.002, pause_most_s=0.05)
    async with asyncio.timeout(120), following(cluster, lasting):
        await assert_eventually(lambda: api.requests["watch"] == 1)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and the certificate and key of a server on 127.0.0.1."""
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    usage = ("-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca", *usage)
    names = "subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n"
    (folder / "names").write_text(names)
    openssl("req", *key, "-keyout", "api.key", "-out", "api.csr", "-subj", "/CN=api")
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "api.csr", "-out", "api.crt", *signed)
    return folder


async def test_in_a_pod_its_account_is_used_and_a_new_token_is_read(
    api: ScriptedCluster, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Token, namespace and authority are those of the pod; a token that expired is read anew."""
    for name, text in (
        ("token", "old"),
        ("namespace", "media\n"),
        ("ca.crt", (authority / "ca.crt").read_text()),
    ):
        (tmp_path / name).write_text(text)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "api.crt", authority / "api.key")
    api.token = "old"
    await api.put("a", [endpoint("10.0.0.1")])
    async with scripted_cluster(api, tls) as server:
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", server.rpartition(":")[2])
        mine = Cluster(tmp_path, request_timeout_s=60.0)
        target = KubernetesTarget("videogen", None, "7003")
        async with following(mine, target=target) as follower:
            await assert_eventually(lambda: len(follower.now) == 1)
            api.token = "new"
            (tmp_path / "token").write_text("new")
            await api.put("a", [endpoint("10.0.0.1"), endpoint("10.0.0.2")])
            api.drop_connections()
            await assert_eventually(lambda: len(follower.now) == 2)
            await api.put("b", [endpoint("10.0.0.3")])
            await assert_eventually(lambda: len(follower.now) == 3)
    assert 1 <= api.refused[401] <= 2


async def test_without_a_cluster_the_next_step_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of a pod and without a kubeconfig one line says what to do."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match="run in a pod, or name a kubeconfig in KUBECONFIG"):
        await Cluster().namespace()


_NAMES = ("a", "b", "c")
_ENDPOINTS = st.lists(
    st.builds(
        lambda host, pod, conditions: endpoint(
            f"10.0.0.{host}", f"pod-{pod}" if pod else "", **conditions
        ),
        st.integers(1, 6),
        st.integers(0, 4),
        st.sampled_from([{}, {"ready": True}, {"ready": False}, {"terminating": True}]),
    ),
    min_size=1,
    max_size=4,
)
_OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(_NAMES), _ENDPOINTS | st.none()),
        st.tuples(st.just("delete"), st.sampled_from(_NAMES)),
        st.tuples(st.just("breathe")),
        st.tuples(st.sampled_from(["forget", "end", "drop", "bookmark"])),
        st.tuples(st.just("refuse"), st.sampled_from([401, 403, 409, 410, 429, 500])),
        st.tuples(st.just("misbehave"), st.sampled_from([break_off, half_an_event, nonsense])),
    ),
    min_size=4,
    max_size=16,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=_OPERATIONS)
def test_the_end_is_the_servers_truth(
    operations: list[tuple[object, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any sequence of changes, expiries, refusals and broken connections, what is known is
    what the server has."""
    asyncio.run(_ends_at_the_truth(operations, tmp_path, monkeypatch))


async def _ends_at_the_truth(
    operations: list[tuple[object, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = ScriptedCluster()
    async with scripted_cluster(api) as server:
        config = tmp_path / "kubeconfig"
        config.write_text(kubeconfig(server))
        monkeypatch.setenv("KUBECONFIG", str(config))
        async with following(Cluster(request_timeout_s=60.0)) as follower:
            await assert_eventually(lambda: api.requests["watch"] > 0)
            for operation in operations:
                match operation:
                    case ("put", str(name), endpoints):
                        await api.put(name, endpoints)  # type: ignore[arg-type]
                    case ("delete", str(name)):
                        await api.delete(name)
                    case ("refuse", int(status)):
                        api.misbehaviours.append(api.refuse(status))
                    case ("misbehave", misbehaviour):
                        api.misbehaviours.append(misbehaviour)  # type: ignore[arg-type]
                    case ("forget",):
                        await api.forget()
                    case ("end",):
                        await api.end_watches()
                    case ("drop",):
                        api.drop_connections()
                    case ("bookmark",):
                        await api.bookmark()
                    case ("breathe",):
                        await asyncio.sleep(0.02)
            # Whoever knows of the last change knows of all before it.
            await api.put("last", [endpoint("10.0.0.99")])
            await assert_eventually(lambda: "10.0.0.99:7003" in follower.targets)
            truth = addresses(api.slices("media", "videogen"), "grpc", "videogen.media.svc")
            assert follower.now == truth
