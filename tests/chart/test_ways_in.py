"""What leads callers to the gateway: its ports, Ingresses and routes, for gRPC and for HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import grpc
import pytest
import yaml
from chart.arrows import arrows
from chart.rendering import (
    PLAIN,
    Manifest,
    Values,
    container,
    merged,
    of_kind,
    only,
    plain_environment,
    pod,
    render,
)
from chart.switches import INGRESS, ROUTE

from generate_chart_page import PAGE
from soundsight_gateway.http.server import application

SERVICES = {
    "soundsight.render.v1.RenderService",
    "soundsight.render.v1.ArtifactService",
    "soundsight.common.v1.ImplementationService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
}
DOORS = ("Ingress", "GRPCRoute", "HTTPRoute")
ALL: Values = {
    "grpcIngress": INGRESS,
    "httpIngress": INGRESS,
    "grpcRoute": {**ROUTE, "hostnames": ["grpc.render.org"]},
    "httpRoute": {**ROUTE, "hostnames": ["render.org"]},
}
SILENT: Values = {"gateway": {"http": {"enabled": False}}}
SECURE: Values = {"tls": {"enabled": True, "certManager": {"enabled": True}}}


def with_values(values: Values) -> list[Manifest]:
    """The chart with values on top of the least."""
    return render(merged(PLAIN, values))


def ingress_paths(manifests: list[Manifest], protocol: str) -> list[dict[str, Any]]:
    """The paths of a protocol's Ingress, which has one host."""
    (rule,) = only(manifests, "Ingress", f"gateway-{protocol}")["spec"]["rules"]
    paths: list[dict[str, Any]] = rule["http"]["paths"]
    return paths


def route_rule(manifests: list[Manifest], protocol: str) -> dict[str, Any]:
    """The one rule of a protocol's route."""
    route = only(manifests, f"{protocol.upper()}Route", f"gateway-{protocol}")
    rule: dict[str, Any]
    (rule,) = route["spec"]["rules"]
    return rule


def test_ways_for_grpc_lead_to_the_render_api_alone() -> None:
    """Ingress and GRPCRoute lead to what callers may use; the scaler, which is KEDA's, is not."""
    manifests = with_values(ALL)
    paths = ingress_paths(manifests, "grpc")
    assert {path["path"].removeprefix("/") for path in paths} == SERVICES
    assert {path["backend"]["service"]["port"]["name"] for path in paths} == {"grpc"}
    rule = route_rule(manifests, "grpc")
    assert {match["method"]["service"] for match in rule["matches"]} == SERVICES
    assert rule["backendRefs"] == [{"name": "s-soundsight-gateway", "port": 7000}]


def test_ways_for_http_lead_to_the_api_and_its_description() -> None:
    """Ingress and HTTPRoute lead to all below /v1 and to the OpenAPI description."""
    manifests = with_values(merged(ALL, {"gateway": {"service": {"httpPort": 80}}}))
    paths = ingress_paths(manifests, "http")
    assert {(path["path"], path["pathType"]) for path in paths} == {
        ("/v1", "Prefix"),
        ("/openapi.json", "Exact"),
    }
    assert {path["backend"]["service"]["port"]["name"] for path in paths} == {"http"}
    rule = route_rule(manifests, "http")
    assert [match["path"] for match in rule["matches"]] == [
        {"type": "PathPrefix", "value": "/v1"},
        {"type": "Exact", "value": "/openapi.json"},
    ]
    assert rule["backendRefs"] == [{"name": "s-soundsight-gateway", "port": 80}]


def test_everything_but_health_has_a_way_in() -> None:
    """What the gateway serves over HTTP and no way in leads to is its health, and nothing else."""
    paths = ingress_paths(with_values(ALL), "http")

    def is_led_to(route: str) -> bool:
        return any(
            route == one["path"]
            or (one["pathType"] == "Prefix" and route.startswith(f"{one['path']}/"))
            for one in paths
        )

    async def served() -> set[str]:
        async with grpc.aio.insecure_channel("unix:/nobody") as channel:
            app = application(channel, (), listens_on_loopback=True, serves=lambda: True)
            return {resource.canonical for resource in app.router.resources()}

    routes = asyncio.run(served())
    assert len(routes) > 10
    assert {route for route in routes if not is_led_to(route)} == {"/healthz"}


def test_a_watch_of_hours_is_not_cut_off() -> None:
    """The HTTPRoute gives a request no end: a render is watched, and a song sent, in one."""
    assert route_rule(with_values(ALL), "http")["timeouts"] == {"request": "0s"}


@pytest.mark.parametrize("door", ALL)
def test_each_way_in_has_annotations_of_its_own(door: str) -> None:
    """What an annotation says of one protocol it does not say of the other."""
    values = merged(ALL, {door: {"annotations": {"backend-protocol": "X"}}})
    annotated = [
        one["metadata"]["name"]
        for kind in DOORS
        for one in of_kind(with_values(values), kind)
        if one["metadata"].get("annotations")
    ]
    assert annotated == [f"s-soundsight-gateway-{door[:4]}"]


def test_the_page_shows_values_that_are_taken() -> None:
    """The examples in docs/chart.md open every door, and the chart renders them as they stand."""
    section = PAGE.read_text().partition("\n## Ways in\n")[2].partition("\n## ")[0]
    opened = {
        (one["kind"], one["metadata"]["name"])
        for example in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
        for one in with_values(yaml.safe_load(example))
        if one["kind"] in DOORS or one.get("spec", {}).get("type") == "LoadBalancer"
    }
    assert opened == {
        ("Service", "s-soundsight-gateway"),
        ("Ingress", "s-soundsight-gateway-grpc"),
        ("Ingress", "s-soundsight-gateway-http"),
        ("GRPCRoute", "s-soundsight-gateway-grpc"),
        ("HTTPRoute", "s-soundsight-gateway-http"),
    }


def test_doors_are_shut_unless_they_are_opened() -> None:
    """The least that is installed has no way in from outside."""
    assert not {one["kind"] for one in render()} & {*DOORS}


@pytest.mark.parametrize(("values", "protocol"), [({}, "http"), (SECURE, "https")])
def test_http_is_answered_beside_grpc(values: Values, protocol: str) -> None:
    """The gateway listens for HTTP at a port of its container, to which its Service leads; what
    the Service says of it follows TLS."""
    manifests = with_values(values)
    listen = plain_environment(manifests, "gateway")["SOUNDSIGHT_GATEWAY_HTTP_LISTEN"]
    ports = {
        port["name"]: port["containerPort"] for port in container(manifests, "gateway")["ports"]
    }
    assert listen == f"0.0.0.0:{ports['http']}"
    served = {one["name"]: one for one in only(manifests, "Service", "gateway")["spec"]["ports"]}
    assert served["http"] == {
        "name": "http",
        "port": 8080,
        "targetPort": "http",
        "appProtocol": protocol,
    }


@pytest.mark.parametrize("values", [{}, SECURE])
def test_http_can_be_switched_off(values: Values) -> None:
    """Without HTTP the gateway is told not to listen, which its image would do, and no port, policy
    or test is left of it."""
    manifests = with_values(merged(values, SILENT))
    listen = {"name": "SOUNDSIGHT_GATEWAY_HTTP_LISTEN", "value": ""}
    gateway = container(manifests, "gateway")
    assert listen in gateway["env"]
    gateway["env"].remove(listen)
    assert "http" not in json.dumps(pod(manifests, "gateway").spec).lower()
    assert [one["name"] for one in only(manifests, "Service", "gateway")["spec"]["ports"]] == [
        "grpc"
    ]
    assert not [arrow for arrow in arrows(manifests) if arrow.endswith(":8080")]
    for kind in ("NetworkPolicy", "Pod"):
        assert "http" not in json.dumps(of_kind(manifests, kind)).lower()


def test_tests_ask_for_a_host_that_is_answered_for() -> None:
    """`helm test` asks for the gateway's health by its Service, and for the first of the hosts that
    the gateway answers for where these are named."""

    def asked(values: Values) -> list[str]:
        asking = pod(with_values(values), "test").spec["initContainers"][-1]
        assert asking["name"] == "http"
        return list(asking["command"][-2:])

    name = "s-soundsight-gateway:8080"
    assert asked({}) == [f"http://{name}/healthz", name]
    assert asked(SECURE) == [f"https://{name}/healthz", name]
    hosts = {"settings": {"SOUNDSIGHT_GATEWAY_HTTP_HOSTS": "render.org,localhost"}}
    assert asked({"gateway": hosts}) == [f"http://{name}/healthz", "render.org"]
