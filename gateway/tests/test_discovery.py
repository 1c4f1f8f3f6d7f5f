"""What can be configured as endpoints, and what DNS and EndpointSlices say of them."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from soundsight_gateway.discovery.backoff import Backoff
from soundsight_gateway.discovery.cluster import Cluster
from soundsight_gateway.discovery.dns import DnsSource, system_lookup
from soundsight_gateway.discovery.following import Following
from soundsight_gateway.discovery.slices import addresses
from soundsight_gateway.discovery.source import Addresses
from soundsight_gateway.discovery.targets import (
    Address,
    DnsTarget,
    KubernetesTarget,
    Pod,
    parse_target,
)
from soundsight_gateway.settings import GatewaySettings
from soundsight_gateway.testing.kubernetes import endpoint
from soundsight_kit.errors import FailedPrecondition
from soundsight_kit.testing import assert_eventually


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("127.0.0.1:7003", Address("127.0.0.1:7003")),
        ("[::1]:7003", Address("[::1]:7003")),
        ("unix:/run/v.sock", Address("unix:/run/v.sock")),
        ("dns:///videogen:7003", DnsTarget("videogen", 7003)),
        ("dns:///videogen.media.svc.:7003", DnsTarget("videogen.media.svc.", 7003)),
        ("kubernetes:///videogen:7003", KubernetesTarget("videogen", None, "7003")),
        ("kubernetes:///wan-14b.media:grpc", KubernetesTarget("wan-14b", "media", "grpc")),
    ],
)
def test_each_form_is_read(text: str, target: object) -> None:
    """A target is one endpoint, a name, or a Service."""
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "videogen",
        "videogen:",
        "dns:videogen:7003",
        "dns:///videogen",
        "dns:///videogen:70000",
        "dns:///video_gen:7003",
        "kubernetes://media/videogen:7003",
        "kubernetes:///videogen",
        "kubernetes:///videogen:0",
        "kubernetes:///videogen.media.svc.cluster.local:7003",
        "kubernetes:///Videogen.media:7003",
    ],
)
def test_what_is_no_target_is_refused_at_start(text: str) -> None:
    """A wrong target stops the gateway with what is allowed, in lists and in pools."""
    with pytest.raises(ValidationError, match=r"kubernetes:///service\.namespace:port|65535"):
        GatewaySettings(video_endpoints=text)
    with pytest.raises(ValidationError, match=r"kubernetes:///service\.namespace:port|65535"):
        GatewaySettings(video_pools=[{"name": "p", "endpoints": [text]}])


def one_slice(endpoints: list[dict[str, Any]] | None, **changed: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "s", "namespace": "media"},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "metrics", "port": 9100}, {"name": "grpc", "port": 7003}],
        **changed,
    }


@pytest.mark.parametrize(
    ("conditions", "usable"),
    [
        ({}, True),
        ({"ready": True}, True),
        ({"ready": None}, True),
        ({"ready": False}, False),
        ({"ready": True, "serving": True, "terminating": False}, True),
        ({"ready": False, "serving": True, "terminating": True}, False),
        ({"ready": True, "serving": True, "terminating": True}, False),
        ({"ready": True, "serving": False}, False),
    ],
)
def test_only_what_serves_and_stays_is_used(conditions: dict[str, Any], usable: bool) -> None:
    """Pods that are not ready, or about to end, get no clips, even where the Service publishes
    them."""
    found = addresses(
        [one_slice([{"addresses": ["10.0.0.1"], "conditions": conditions}])], "grpc", "n"
    )
    assert bool(found) == usable


def test_a_port_is_found_by_its_name_or_taken_as_a_number() -> None:
    """A slice without the named port has nothing to call."""
    here = one_slice([endpoint("10.0.0.1")])
    assert addresses([here], "grpc", "n") == {Address("10.0.0.1:7003", "n")}
    assert addresses([here], "7777", "n") == {Address("10.0.0.1:7777", "n")}
    assert addresses([here], "http", "n") == frozenset()
    assert addresses([one_slice([endpoint("10.0.0.1")], ports=None)], "grpc", "n") == frozenset()


def test_a_pod_counts_once() -> None:
    """A pod with two address families, or in two slices at once, is one endpoint."""
    four = one_slice([endpoint("10.0.0.1", "pod")])
    six = one_slice([endpoint("fd00::1", "pod")], addressType="IPv6")
    again = one_slice([endpoint("10.0.0.1", "pod")], metadata={"name": "t", "namespace": "media"})
    for order in itertools.permutations([four, six, again]):
        assert addresses(order, "grpc", "n") == {Address("10.0.0.1:7003", "n", Pod("media", "pod"))}


def test_what_is_not_known_is_passed_over() -> None:
    """Slices without endpoints, of names, or of kinds to come do no harm."""
    strange = [
        one_slice(None),
        one_slice([{"addresses": []}]),
        one_slice([endpoint("a.example")], addressType="FQDN"),
        one_slice([endpoint("x")], addressType="New"),
        {"metadata": {"name": "bare"}},
    ]
    assert addresses(strange, "grpc", "n") == frozenset()


class Resolver:
    """Answers by script, and counts."""

    def __init__(self) -> None:
        self.answer: list[str] | OSError = []
        self.asked: list[str] = []

    async def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


async def test_every_address_of_a_name_is_an_endpoint() -> None:
    """Sets are told when they change; a name that is gone has none; a server that fails changes
    nothing."""
    resolver = Resolver()
    told: list[Addresses] = []
    source = DnsSource(DnsTarget("videogen", 7003), resolver, look_again_s=0.01)
    following = Following(frozenset({Address("fixed:1")}), [source], told.append)
    resolver.answer = ["10.0.0.1", "fd00::1"]
    following.start()
    await assert_eventually(lambda: len(told) == 1)
    assert told[-1] == {
        Address("fixed:1"),
        Address("10.0.0.1:7003", "videogen"),
        Address("[fd00::1]:7003", "videogen"),
    }
    resolver.answer = ["fd00::1", "10.0.0.1"]
    asked = len(resolver.asked)
    await assert_eventually(lambda: len(resolver.asked) > asked + 2)
    resolver.answer = socket.gaierror(socket.EAI_AGAIN, "try again")
    asked = len(resolver.asked)
    await assert_eventually(lambda: len(resolver.asked) > asked + 2)
    assert len(told) == 1
    resolver.answer = socket.gaierror(socket.EAI_NONAME, "no such name")
    await assert_eventually(lambda: told[-1] == {Address("fixed:1")})
    await following.close()
    assert set(resolver.asked) == {"videogen"}


async def test_the_systems_resolver_is_asked() -> None:
    """A name that the system knows resolves; one that cannot exist has no address."""
    assert "127.0.0.1" in await system_lookup("localhost")
    with pytest.raises(socket.gaierror):
        await system_lookup("no.such.name.invalid")
    async with aclosing(DnsSource(DnsTarget("localhost", 7003)).follow()) as sets:
        assert Address("127.0.0.1:7003", "localhost") in await anext(sets)


async def test_a_source_with_a_fault_is_followed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours does not leave a pool with yesterday's endpoints."""
    monkeypatch.setattr("soundsight_gateway.discovery.following.START_AGAIN_S", 0.01)
    told: list[Addresses] = []
    asked = 0

    async def lookup(name: str) -> list[str]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ZeroDivisionError
        return ["10.0.0.1"]

    following = Following(
        frozenset(), [DnsSource(DnsTarget("videogen", 7003), lookup)], told.append
    )
    following.start()
    await assert_eventually(lambda: len(told) == 1)
    await following.close()
    await asyncio.sleep(0)


@given(failures=st.integers(0, 200), asked_for_s=st.none() | st.floats(0, 100))
def test_pauses_grow_to_their_bound(failures: int, asked_for_s: float | None) -> None:
    """No pause is shorter than half of what is due, or than what was asked for."""
    backoff = Backoff(0.2, 30.0, failures)
    pause_s = backoff.next_s(asked_for_s)
    due_s = min(30.0, 0.2 * 2.0 ** min(failures, 32))
    assert max(due_s / 2, asked_for_s or 0.0) <= pause_s <= max(due_s, asked_for_s or 0.0)
    backoff.reset()
    assert backoff.next_s() <= 0.2


def test_without_the_client_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library for Kubernetes is not installed, one line says how to get it."""
    monkeypatch.setitem(sys.modules, "kubernetes.aio.client", None)
    with pytest.raises(FailedPrecondition, match=r"install soundsight-gateway\[kubernetes\]"):
        Cluster()
