"""What there is for Prometheus to scrape: the metrics of the code, and who adds labels to them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence

from chart.rendering import NAMESPACE, ROOT, Manifest, of_kind, only, pod
from prometheus_client import REGISTRY

FROM_THE_CLUSTER = frozenset(
    {
        "up",
        "kube_horizontalpodautoscaler_status_desired_replicas",
        "kube_horizontalpodautoscaler_spec_max_replicas",
    }
)
"""Metrics of Prometheus itself and of kube-state-metrics."""


@functools.cache
def known_metrics() -> Mapping[str, frozenset[str]]:
    """The names of all series that the parts export, with their labels."""
    for path in ROOT.glob("**/src/soundsight_*/metrics.py"):
        importlib.import_module(f"{path.parent.name}.metrics")
    found: dict[str, frozenset[str]] = {}
    for collector, names in REGISTRY._collector_to_names.items():
        labels = frozenset(getattr(collector, "_labelnames", ()))
        for name in names:
            if name.startswith("soundsight_"):
                found[name] = labels | ({"le"} if name.endswith("_bucket") else frozenset())
    return found


def scraped_as(manifests: Sequence[Manifest], component: str, pod_name: str) -> dict[str, str]:
    """The labels that the Prometheus operator gives to all series of a pod, but for `instance`.

    As its documentation of ServiceMonitor has it: the Service is the job.
    """
    monitor = only(manifests, "ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    labels = pod(manifests, component).labels.items()
    (service,) = (
        one
        for one in of_kind(manifests, "Service")
        if one["spec"]["selector"].items() <= labels
        and endpoint["port"] in [port["name"] for port in one["spec"]["ports"]]
    )
    name, carried = service["metadata"]["name"], service["metadata"]["labels"]
    return {
        "namespace": NAMESPACE,
        "job": name,
        "service": name,
        "pod": pod_name,
        "container": component.partition("-")[0],
        "endpoint": endpoint["port"],
        **{_as_label(key): carried[key] for key in monitor["targetLabels"]},
    }


def _as_label(key: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in key)
