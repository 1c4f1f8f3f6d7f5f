"""Pods take part in the connections of the design, and in no other."""

from __future__ import annotations

import pytest
from chart.arrows import arrows
from chart.rendering import PLAIN, PROFILES, TRIAL, merged, of_kind, pods, render, render_profile
from chart.switches import COMBINATIONS, combinations, values_of

PRODUCTION = {
    # Callers reach the gateway by gRPC and HTTP, KEDA by gRPC; nobody else reaches anything but
    # metrics.
    "namespace/platform -> gateway:7000",
    "namespace/platform -> gateway:8080",
    "namespace/keda -> gateway:7000",
    # The gateway calls every service, Postgres, the object store and the API server.
    "gateway -> analyzer:7001",
    "gateway -> scenewriter:7002",
    "gateway -> videogen-default:7003",
    "gateway -> composer:7004",
    "gateway -> anyone:5432",
    "gateway -> anyone:443",
    "gateway -> anyone:6443",
    # Services read and write files.
    "analyzer -> anyone:443",
    "videogen-default -> anyone:443",
    "composer -> anyone:443",
    # The scene writer asks its language model, which fetches its weights.
    "scenewriter -> vllm-script:8000",
    "vllm-script -> anyone:443",
    "weights-default -> anyone:443",
    # Tests ask every service what it is, and the gateway over HTTP.
    "test -> gateway:7000",
    "test -> gateway:8080",
    "test -> analyzer:7001",
    "test -> scenewriter:7002",
    "test -> videogen-default:7003",
    "test -> composer:7004",
    *(
        f"namespace/monitoring -> {name}:9100"
        for name in ("gateway", "analyzer", "scenewriter", "composer", "videogen-default")
    ),
    *(
        f"{name} -> namespace/kube-system:53"
        for name in (
            "gateway",
            "analyzer",
            "scenewriter",
            "composer",
            "videogen-default",
            "vllm-script",
            "weights-default",
            "test",
        )
    ),
}

CPU = {
    "anyone -> gateway:7000",
    "anyone -> gateway:8080",
    "gateway -> postgres:5432",
    "gateway -> anyone:443",
    "gateway -> anyone:6443",
    *(
        f"{name} -> objectstore:8333"
        for name in ("gateway", "analyzer", "composer", "videogen-default")
    ),
    *(
        f"{name} -> {target}"
        for name in ("gateway", "test")
        for target in (
            "analyzer:7001",
            "scenewriter:7002",
            "videogen-default:7003",
            "composer:7004",
        )
    ),
    "test -> gateway:7000",
    "test -> gateway:8080",
    *(
        f"namespace/monitoring -> {name}:9100"
        for name in ("gateway", "analyzer", "scenewriter", "composer", "videogen-default")
    ),
    *(
        f"{name} -> namespace/kube-system:53"
        for name in ("gateway", "analyzer", "scenewriter", "composer", "videogen-default", "test")
    ),
}


@pytest.mark.parametrize(
    ("profile", "allowed"), [("production", PRODUCTION), ("cpu", CPU)], ids=["production", "cpu"]
)
def test_only_the_arrows_of_the_design_are_let_through(profile: str, allowed: set[str]) -> None:
    """What policies let through is this list: nothing is missing, nothing is more."""
    found = arrows(render_profile(profile))
    assert found - allowed == set()
    assert allowed - found == set()


@pytest.mark.parametrize("profile", PROFILES)
def test_ports_of_policies_are_numbers(profile: str) -> None:
    """There are network plugins that know no names of ports, and open every port instead."""
    for policy in of_kind(render_profile(profile), "NetworkPolicy"):
        for rule in (*policy["spec"]["ingress"], *policy["spec"]["egress"]):
            assert {type(port["port"]) for port in rule["ports"]} == {int}, policy["metadata"]


@pytest.mark.parametrize("number", range(COMBINATIONS))
def test_every_pod_is_closed_by_a_policy(number: int) -> None:
    """However switches are set, each pod has a policy for both ways, unless they are off."""
    values = values_of(combinations()[number])
    manifests = render(values)
    policies = of_kind(manifests, "NetworkPolicy")
    if not values.get("networkPolicy", {}).get("enabled", True):
        assert policies == []
        return
    closed = {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for policy in policies
        if sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    }
    assert {one.component for one in pods(manifests)} == closed


def test_services_elsewhere_are_reached_by_their_port() -> None:
    """Where others stand in for our services, the gateway may go to their ports."""
    values = {
        "analyzer": {"enabled": False, "externalAddress": "hear.org:8443"},
        "videogen": {"pools": {"default": {"externalAddresses": ["film.org:9443"]}}},
        "vllm": {"script": {"externalUrl": "https://llm.org/v1", "model": "m"}},
        "tracing": {"endpoint": "http://collector:4317"},
    }
    found = arrows(render(merged(PLAIN, values)))
    assert {
        "gateway -> anyone:8443",
        "gateway -> anyone:9443",
        "scenewriter -> anyone:443",
        "composer -> anyone:4317",
    } <= found
    assert not {arrow for arrow in found if "analyzer:" in arrow or "videogen" in arrow}


def test_the_ends_of_arrows_can_be_narrowed() -> None:
    """Postgres, the object store, the API server, DNS and callers may be named: then nothing is
    open to everyone."""
    values = {
        "artifacts": {"s3": {"endpoint": "http://minio.storage:9000"}},
        "networkPolicy": {
            name: [{"ipBlock": {"cidr": cidr}}]
            for name, cidr in (
                ("database", "10.1.0.0/16"),
                ("objectStore", "10.2.0.0/16"),
                ("apiServer", "10.3.0.1/32"),
                ("dns", "10.4.0.0/16"),
                ("clients", "10.5.0.0/16"),
            )
        },
    }
    found = arrows(render(merged(PLAIN, values)))
    assert {
        "gateway -> 10.1.0.0/16:5432",
        "composer -> 10.2.0.0/16:9000",
        "gateway -> 10.3.0.1/32:443",
        "analyzer -> 10.4.0.0/16:53",
        "10.5.0.0/16 -> gateway:7000",
        "10.5.0.0/16 -> gateway:8080",
        "test -> gateway:7000",
        "test -> gateway:8080",
    } <= found
    assert not {arrow for arrow in found if "anyone" in arrow}


def test_bundled_servers_go_nowhere() -> None:
    """The bundled Postgres and S3 answer, and open no connection of their own."""
    values = {"database": {"kind": "bundled"}, "artifacts": {"kind": "bundled"}}
    found = arrows(render(merged(TRIAL, values)))
    assert not {arrow for arrow in found if arrow.startswith(("postgres", "objectstore"))}


def test_extra_rules_are_added() -> None:
    """A component's own rules come on top: a remote server that films, for instance."""
    values = {"videogen": {"networkPolicy": {"extraEgress": [{"ports": [{"port": 8091}]}]}}}
    found = arrows(render(merged(PLAIN, values)))
    assert "videogen-default -> anyone:8091" in found
    assert "composer -> anyone:8091" not in found


def test_weights_come_the_way_of_the_pool() -> None:
    """Where the hub is behind a proxy or a mirror, the Job that fetches goes there as pods do."""
    values = {"videogen": {"networkPolicy": {"extraEgress": [{"ports": [{"port": 3128}]}]}}}
    found = arrows(render(merged(PLAIN, values), ("gpu",)))
    assert {"weights-default -> anyone:3128", "videogen-default -> anyone:3128"} <= found
    assert "weights-default -> anyone:3128" not in arrows(render_profile("gpu"))
