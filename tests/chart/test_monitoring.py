"""Alerts and dashboards ask for metrics that exist, with labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chart.exported import FROM_THE_CLUSTER, known_metrics
from chart.rendering import (
    CHART,
    PLAIN,
    TRIAL,
    merged,
    of_kind,
    only,
    pods,
    render,
    render_profile,
)

from soundsight_gateway import states
from soundsight_gateway.metrics import renders_are

SERVICES = ("gateway", "analyzer", "scenewriter", "composer", "videogen")

FROM_SCRAPING = {"namespace", "pod", "job", "instance", "horizontalpodautoscaler"}
"""Labels that the operator's Prometheus adds to every series, and those of the metrics above."""

WORDS = {
    "sum", "max", "min", "avg", "count", "by", "and", "or", "on", "rate", "increase",
    "time", "histogram_quantile", "label_values", "le", "absent", "avg_over_time",
}  # fmt: skip
"""What in an expression is neither a metric nor a label."""


def alert_expressions() -> Iterator[tuple[str, str]]:
    """Every alert's name and expression, with a number where the chart puts one."""
    text = (CHART / "alerts.yaml").read_text().replace("TOO_LATE_S", "1")
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    """Every panel's title and its expressions."""
    for path in (CHART / "dashboards").glob("*.json"):
        dashboard = json.loads(path.read_text())
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield variable["name"], variable["query"]
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"]


EXPRESSIONS = [*alert_expressions(), *dashboard_expressions()]


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[w for w, _ in EXPRESSIONS])
def test_every_metric_and_label_exists(where: str, expression: str) -> None:
    """What an alert or a panel asks for is exported by the code, or is the cluster's by name; and
    it is told apart by labels that the metric has."""
    known = known_metrics()
    bare = re.sub(r'"[^"]*"', "", expression)
    words = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.sub(r"\[\w+\]|\$\w+", "", bare)))
    metrics = {word for word in words if word in known or word in FROM_THE_CLUSTER}
    labels = set().union(*(known.get(metric, set()) for metric in metrics)) | FROM_SCRAPING
    assert metrics, expression
    assert words - metrics - labels - WORDS == set()


def test_a_metric_that_does_not_exist_is_noticed() -> None:
    """The names come from the code: one that nothing exports is not among them."""
    known = known_metrics()
    assert {"soundsight_scenes", "soundsight_rpc_handled_total", "soundsight_jobs"} <= known.keys()
    assert "soundsight_scenez" not in known
    assert "soundsight_rpc_duration_seconds_bucket" in known


def test_states_in_alerts_are_states_of_renders() -> None:
    """An alert for failed renders names the state as the gateway exports it."""
    renders_are({})
    exported = {states.label(state).replace(" ", "_") for state in (states.FAILED, *states.FINAL)}
    named = {
        state for _, expression in EXPRESSIONS for state in re.findall(r'state="(\w+)"', expression)
    }
    assert named
    assert named <= exported


def test_alerts_say_what_to_do() -> None:
    """Each alert has a severity, a sentence that sums up and one that helps."""
    values = {"monitoring": {"prometheusRule": {"alertLabels": {"team": "films"}}}}
    manifests = render(values, ("gpu", "production"))
    names = []
    for group in only(manifests, "PrometheusRule")["spec"]["groups"]:
        for rule in group["rules"]:
            names.append(rule["alert"])
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert rule["labels"]["team"] == "films"
            assert rule["annotations"].keys() == {"summary", "description"}
            assert "needs" not in rule
            assert 'namespace="media"' in rule["expr"]
            assert not re.search(r"NAMESPACE|RELEASE|TOO_LATE", json.dumps(rule))
    assert names == [name for name, _ in alert_expressions()]


def test_alerts_that_mean_nothing_are_left_out() -> None:
    """On SQLite no gateway has a lock, without KEDA no pool has a most: no alert waits for them."""
    on = {"monitoring": {"prometheusRule": {"enabled": True}}}
    rules = only(render(merged(PLAIN, {"database": {"kind": "sqlite"}}, on)), "PrometheusRule")
    alerts = {rule["alert"] for group in rules["spec"]["groups"] for rule in group["rules"]}
    assert "SoundsightRendersFail" in alerts
    assert not alerts & {
        "SoundsightGatewaysWithoutDatabase",
        "SoundsightPoolAtItsMost",
        "SoundsightCertificateOld",
    }


def test_every_service_is_scraped() -> None:
    """The ServiceMonitor finds a metrics port of every service, and only there."""
    manifests = render_profile("production")
    monitor = only(manifests, "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    (endpoint,) = monitor["endpoints"]
    scraped = set()
    for service in of_kind(manifests, "Service"):
        ports = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
        if wanted <= service["metadata"]["labels"].items() and endpoint["port"] in ports:
            selector = service["spec"]["selector"].items()
            (pod,) = [one for one in pods(manifests) if selector <= one.labels.items()]
            served = [port["name"] for port in pod.spec["containers"][0]["ports"]]
            assert ports[endpoint["port"]] in served
            scraped.add(pod.component.partition("-")[0])
    assert scraped == {*SERVICES}


def test_dashboards_are_found_by_grafana() -> None:
    """Each dashboard is whole JSON in a ConfigMap that Grafana's sidecar finds; panels lie side by
    side, none upon another."""
    config = only(render_profile("production"), "ConfigMap")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config["data"].keys() == {path.name for path in (CHART / "dashboards").iterdir()}
    for text in config["data"].values():
        dashboard: dict[str, Any] = json.loads(text)
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken
            assert at["x"] + at["w"] <= 24
            taken |= cells


def test_nothing_of_the_operator_is_asked_for_unasked() -> None:
    """Without switches no custom resource is rendered: the chart installs on any cluster."""
    kinds = {one["apiVersion"].partition("/")[0] for one in render(TRIAL, ("cpu",))}
    assert kinds <= {
        "v1",
        "apps",
        "policy",
        "networking.k8s.io",
        "rbac.authorization.k8s.io",
    }
