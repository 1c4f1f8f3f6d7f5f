"""Values that cannot work are refused before anything is installed, with what to change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chart.rendering import CHART, NAMESPACE, PLAIN, Refused, Values, merged, render

POOL = "videogen.pools.default"

WRONG: list[tuple[Values, str]] = [
    (
        {"database": {"kind": "sqlite"}, "gateway": {"replicas": 2}},
        "SQLite is for one gateway, and there may be 2: set gateway.replicas to 1, or database",
    ),
    (
        {
            "database": {"kind": "sqlite"},
            "gateway": {"autoscaling": {"enabled": True, "maxReplicas": 4}},
        },
        "SQLite is for one gateway, and there may be 4",
    ),
    (
        {"database": {"external": {"existingSecret": ""}}},
        "name the secret with Postgres' URL in database.external.existingSecret",
    ),
    ({"artifacts": {"s3": {"url": ""}}}, "name the object store in artifacts.s3.url"),
    (
        {"artifacts": {"kind": "volume", "volume": {"accessModes": ["ReadWriteOnce"]}}},
        "pods of several nodes cannot mount a volume that is not ReadWriteMany",
    ),
    (
        {"analyzer": {"enabled": False}},
        "the gateway calls analyzer: set analyzer.enabled, or name another in analyzer.external",
    ),
    (
        {"composer": {"externalAddress": "composer.org:443"}},
        "composer.externalAddress replaces ours: set composer.enabled to false",
    ),
    ({"videogen": {"pools": {"default": None}}}, "the gateway needs a pool named default"),
    ({"videogen": {"enabled": False}}, "the gateway needs a pool named default"),
    ({"vllm": {"script": {"enabled": True}}}, "name the model that is served: vllm.script.model"),
    (
        {"vllm": {"concept": {"enabled": True, "model": "m", "externalUrl": "http://x:1/v1"}}},
        "vllm.concept.externalUrl replaces ours: set vllm.concept.enabled to false",
    ),
    (
        {"composer": {"terminationGracePeriodSeconds": 600}},
        "composer would be killed while it drains: terminationGracePeriodSeconds must be at",
    ),
    (
        {"videogen": {"drainGraceSeconds": 600}},
        "pool default would give up clips when it drains: drainGraceSeconds is below the longest",
    ),
    (
        {"gateway": {"settings": {"SOUNDSIGHT_GATEWAY_FILMING_TIMEOUT_S": "9000.0"}}},
        "SOUNDSIGHT_GATEWAY_FILMING_TIMEOUT_S (9000)",
    ),
    (
        {"analyzer": {"autoscaling": {"enabled": True, "minReplicas": 9}}},
        "analyzer: autoscaling.minReplicas is above maxReplicas",
    ),
    (
        {"analyzer": {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}},
        "analyzer: autoscaling follows the CPU in percent of resources.requests.cpu",
    ),
    (
        {"videogen": {"pools": {"default": {"keda": {"enabled": True}}}}},
        "pool default may have no pod that says what it can do: declare it in profile, or set",
    ),
    (
        {"videogen": {"keda": {"enabled": True, "minReplicas": 9}}},
        "pool default: keda.minReplicas is above maxReplicas",
    ),
    (
        {
            "videogen": {
                "keda": {"enabled": True, "minReplicas": 1},
                "autoscaling": {"enabled": True},
            }
        },
        "pool default has two autoscalers: set keda.enabled or autoscaling.enabled",
    ),
    (
        {
            "gateway": {"enabled": False},
            "videogen": {"keda": {"enabled": True, "minReplicas": 1}},
        },
        "KEDA asks the gateway how much pool default has to do, and there is none",
    ),
    (
        {"gateway": {"replicas": 2}, "videogen": {"replicas": 200}},
        "pool default may have 200 pods, and gets no more than 128 scenes: raise maxInFlight",
    ),
    (
        {"videogen": {"models": ["owner/model"]}},
        "pool default has no way to the weights of owner/model: set download.enabled",
    ),
    (
        {"videogen": {"models": ["owner/model"], "download": {"enabled": True}}},
        "pool default: download.enabled needs modelCache.enabled",
    ),
    (
        {
            "videogen": {
                "models": ["/models/own"],
                "download": {"enabled": True},
                "modelCache": {"enabled": True},
            }
        },
        "pool default: download.enabled has nothing to fetch",
    ),
    (
        {
            "videogen": {
                "models": ["owner/model"],
                "download": {"enabled": True},
                "modelCache": {"enabled": True, "accessModes": ["ReadWriteOnce"]},
            }
        },
        "pool default: the Job of download.enabled and the pods that wait for it cannot share",
    ),
    (
        {
            "videogen": {
                "replicas": 2,
                "modelCache": {"enabled": True, "accessModes": ["ReadWriteOnce"]},
            }
        },
        "videogen-default may have several pods, which cannot share a model cache",
    ),
    (
        {"tls": {"enabled": True}},
        "TLS needs a certificate for gateway: set tls.certManager.enabled",
    ),
    (
        {"tls": {"enabled": True, "certManager": {"enabled": True, "createAuthority": False}}},
        "name the issuer in tls.certManager.issuerRef.name",
    ),
    ({"grpcIngress": {"enabled": True}}, "name the hosts of the Ingress: grpcIngress.hosts"),
    ({"httpIngress": {"enabled": True}}, "name the hosts of the Ingress: httpIngress.hosts"),
    ({"grpcRoute": {"enabled": True}}, "name the Gateways of the route: grpcRoute.parentRefs"),
    ({"httpRoute": {"enabled": True}}, "name the Gateways of the route: httpRoute.parentRefs"),
    (
        {"gateway": {"enabled": False}, "grpcIngress": {"enabled": True, "hosts": ["h"]}},
        "grpcIngress leads to the gateway, and there is none: set gateway.enabled",
    ),
    (
        {"gateway": {"http": {"enabled": False}}, "httpIngress": {"enabled": True, "hosts": ["h"]}},
        "httpIngress leads to the gateway's HTTP, which is off: set gateway.http.enabled",
    ),
    (
        {"gateway": {"service": {"port": 443, "httpPort": 443}}},
        "gRPC and HTTP cannot have one port: change gateway.service.port or gateway.service.http",
    ),
]


@pytest.mark.parametrize(("values", "told"), WRONG, ids=[told[:40] for _, told in WRONG])
def test_what_does_not_fit_together_is_told(values: Values, told: str) -> None:
    """A wrong combination is refused with one line that says what to change."""
    with pytest.raises(Refused) as refused:
        render(merged(PLAIN, values))
    assert f"\n- {told}" in str(refused.value) or told in str(refused.value)
    assert "these values do not fit together" in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Nobody has to install three times to hear three reasons."""
    values = {"grpcIngress": {"enabled": True}, "grpcRoute": {"enabled": True}}
    with pytest.raises(Refused) as refused:
        render(values)
    assert str(refused.value).count("\n- ") == 4


def paths(values: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every map in the values."""
    if isinstance(values, dict):
        yield above
        for key, value in values.items():
            yield from paths(value, (*above, key))


def routes(
    grpc: dict[str, Any], http: dict[str, Any], hostnames: tuple[str, str] = ("", "")
) -> Values:
    """Both routes, each with one reference to its parent and one hostname, or with none."""
    return {
        f"{protocol}Route": {
            "enabled": True,
            "parentRefs": [parent],
            "hostnames": [name] * bool(name),
        }
        for protocol, parent, name in (("grpc", grpc, hostnames[0]), ("http", http, hostnames[1]))
    }


@pytest.mark.parametrize(
    "values",
    [
        routes({"name": "g"}, {"name": "g"}),
        routes({"name": "g"}, {"name": "g"}, ("r.org", "r.org")),
        routes({"name": "g"}, {"name": "g"}, ("r.org", "")),
        routes({"name": "g"}, {"name": "g"}, ("*.r.org", "http.r.org")),
        routes({"name": "g"}, {"name": "g"}, ("a.b.r.org", "*.r.org")),
        routes({"name": "g"}, {"name": "g", "namespace": NAMESPACE, "kind": "Gateway"}),
        routes({"name": "g", "sectionName": "tls"}, {"name": "g"}),
        routes({"name": "g", "sectionName": "tls"}, {"name": "g", "sectionName": "tls"}),
        routes({"name": "g", "sectionName": "tls"}, {"name": "g", "port": 443}),
    ],
)
def test_routes_that_exclude_each_other_are_refused(values: Values) -> None:
    """A GRPCRoute and an HTTPRoute that a listener could not both accept are not installed."""
    with pytest.raises(Refused) as refused:
        render(merged(PLAIN, values))
    told = str(refused.value)
    assert "grpcRoute and httpRoute meet at one listener with a common hostname" in told
    assert "give them different hostnames, or listeners of their own by sectionName" in told


@pytest.mark.parametrize(
    "values",
    [
        routes({"name": "g"}, {"name": "g"}, ("grpc.r.org", "r.org")),
        routes({"name": "g"}, {"name": "g"}, ("*.r.org", "r.org")),
        routes({"name": "g"}, {"name": "g"}, ("*.r.org", "wonder.org")),
        routes({"name": "g"}, {"name": "h"}, ("r.org", "r.org")),
        routes({"name": "g"}, {"name": "g", "namespace": "other"}),
        routes({"name": "g", "sectionName": "grpc"}, {"name": "g", "sectionName": "http"}),
        routes({"name": "g", "port": 443}, {"name": "g", "port": 8443}),
    ],
)
def test_routes_that_keep_apart_are_taken(values: Values) -> None:
    """Hostnames of their own, or listeners of their own, let both routes stand."""
    kinds = [one["kind"] for one in render(merged(PLAIN, values))]
    assert {"GRPCRoute", "HTTPRoute"} <= {*kinds}


FREE = {"strings", "labels", "annotations", "alertLabels"}
"""Maps whose keys are the operator's."""

MAPS = [
    path
    for path in paths(yaml.safe_load((CHART / "values.yaml").read_text()))
    if not FREE & {*path}
    and not {*path} & {"requests", "limits", "updateStrategy", "matchLabels", "affinity"}
    and path[-1:]
    not in [("gpus",), ("nodeSelector",), ("podLabels",), ("podAnnotations",), ("profile",)]
    and path[-1:] != ("pools",)
]


@pytest.mark.parametrize("path", MAPS, ids=[".".join(path) or "top" for path in MAPS])
def test_a_mistyped_value_is_refused(path: tuple[str, ...]) -> None:
    """A key that the chart does not know is refused wherever it stands, and named."""
    values: Any = {"enabeld": "x"}
    for key in reversed(path):
        values = {key: values}
    with pytest.raises(Refused, match="enabeld"):
        render(merged(PLAIN, values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"gateway": {"replicas": "two"}}, "/gateway/replicas"),
        ({"analyzer": {"scratch": {"size": "lots"}}}, "/analyzer/scratch/size"),
        ({"composer": {"settings": {"SOUNDSIGHT_COMPOSER_SLOTZ": 1}}}, "SOUNDSIGHT_COMPOSER_SLOTZ"),
        ({"composer": {"settings": {"SOUNDSIGHT_ANALYZER_SLOTS": 1}}}, "SOUNDSIGHT_ANALYZER_SLOTS"),
        ({"gateway": {"settings": {"SOUNDSIGHT_LISTEN": "x:1"}}}, "SOUNDSIGHT_LISTEN"),
        ({"videogen": {"pools": {"Big": {}}}}, "Big"),
        ({"videogen": {"gpus": {"nvidia": 1}}}, "/videogen/gpus"),
        ({"database": {"kind": "mysql"}}, "/database/kind"),
        ({"artifacts": {"s3": {"url": "file:///songs"}}}, "/artifacts/s3/url"),
        ({"analyzer": {"externalAddress": "http://x"}}, "/analyzer/externalAddress"),
    ],
)
def test_values_of_a_wrong_kind_are_refused(values: Values, told: str) -> None:
    """The schema names the value that is wrong; settings of another service are among them."""
    with pytest.raises(Refused, match=told):
        render(merged(PLAIN, values))


def test_secrets_have_no_place_in_settings() -> None:
    """A setting that is a secret is refused as a value: it comes from a Secret by `extraEnv`."""
    values = {"scenewriter": {"settings": {"SOUNDSIGHT_SCENEWRITER_LLM_API_KEY": "k"}}}
    with pytest.raises(Refused, match="SOUNDSIGHT_SCENEWRITER_LLM_API_KEY"):
        render(merged(PLAIN, values))
