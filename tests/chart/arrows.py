"""NetworkPolicies as a cluster reads them: which connections they let through.

An end of an arrow is the component of a pod, `namespace/NAME` for all pods of a namespace, an
address range, or `anyone`. A connection between two pods needs both policies: that of the pod it
leaves, and that of the pod it reaches. Ports are numbers: names are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chart.rendering import Manifest, PodOf, of_kind, pods

ANYONE = "anyone"
EVERY_PORT = -1


@dataclass(frozen=True, order=True)
class Arrow:
    """A connection that is let through."""

    source: str
    target: str
    port: int

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}:{self.port}"


def arrows(manifests: list[Manifest]) -> set[str]:
    """Every connection that the pods of the manifests may take part in."""
    cluster = _Cluster(list(pods(manifests)), of_kind(manifests, "NetworkPolicy"))
    return {str(arrow) for arrow in cluster.arrows()}


class _Cluster:
    def __init__(self, all_pods: list[PodOf], policies: list[Manifest]) -> None:
        self._pods = {pod.component: pod for pod in all_pods}
        self._policies = policies

    def arrows(self) -> Iterator[Arrow]:
        entries = {name: set(self._rules(pod, "ingress")) for name, pod in self._pods.items()}
        exits = {name: set(self._rules(pod, "egress")) for name, pod in self._pods.items()}
        for target, allowed in entries.items():
            for source, port in allowed:
                if source not in self._pods or {(target, port), (ANYONE, port)} & exits[source]:
                    yield Arrow(source, target, port)
        for source, allowed in exits.items():
            for target, port in allowed:
                if target not in self._pods or (ANYONE, port) in entries[target]:
                    yield Arrow(source, target, port)

    def _rules(self, pod: PodOf, way: str) -> Iterator[tuple[str, int]]:
        """Who is at the other end of a pod's connections, and the port they go to."""
        chosen = [p for p in self._policies if _matches(p["spec"]["podSelector"], pod.labels)]
        if not any(way.capitalize() in policy["spec"]["policyTypes"] for policy in chosen):
            yield ANYONE, EVERY_PORT
            return
        for policy in chosen:
            for rule in policy["spec"].get(way) or ():
                peers: list[dict[str, Any]] = rule.get("from" if way == "ingress" else "to") or [{}]
                for peer in peers:
                    for end in self._ends(peer):
                        for port in rule.get("ports") or ({"port": EVERY_PORT},):
                            yield end, port["port"]

    def _ends(self, peer: dict[str, Any]) -> Iterator[str]:
        if not peer:
            yield ANYONE
        elif "ipBlock" in peer:
            yield peer["ipBlock"]["cidr"]
        elif "namespaceSelector" in peer:
            labels = peer["namespaceSelector"]["matchLabels"]
            yield f"namespace/{labels['kubernetes.io/metadata.name']}"
        else:
            for name, pod in self._pods.items():
                if _matches(peer["podSelector"], pod.labels):
                    yield name


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
