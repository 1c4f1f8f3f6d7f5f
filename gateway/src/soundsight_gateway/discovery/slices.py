"""What the EndpointSlices of a Service say: which addresses are ready, and which pods they are.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/. Pure. Slices are taken as
the JSON they come as: what this does not read may be missing or new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from soundsight_gateway.discovery.source import Addresses
from soundsight_gateway.discovery.targets import Address, Pod, host_port

SERVICE_LABEL: Final = "kubernetes.io/service-name"

Slice = Mapping[str, Any]
"""An EndpointSlice of discovery.k8s.io/v1, as JSON."""

_FAMILIES: Final = ("IPv4", "IPv6")
"""Kinds of addresses that can be called, the preferred one first."""


def addresses(slices: Iterable[Slice], port: str, server_name: str) -> Addresses:
    """The addresses that may be called, one per pod.

    Args:
        slices: all slices of the Service.
        port: a port's number, or its name in the slices.
        server_name: the name that certificates are for.

    While Kubernetes moves an endpoint from one slice to another, both may list it; a Service with
    two address families lists each pod in both.
    """
    found: dict[Pod | str, Address] = {}
    for one in sorted(slices, key=_rank):
        number = _port(one, port)
        if number is None or one.get("addressType") not in _FAMILIES:
            continue
        for endpoint in one.get("endpoints") or ():
            if not _usable(endpoint.get("conditions") or {}) or not endpoint.get("addresses"):
                continue
            target = host_port(endpoint["addresses"][0], number)  # further ones say nothing new
            pod = _pod(endpoint, one)
            found.setdefault(pod or target, Address(target, server_name, pod))
    return frozenset(found.values())


def _rank(one: Slice) -> tuple[int, str]:
    kind = one.get("addressType")
    rank = _FAMILIES.index(kind) if kind in _FAMILIES else len(_FAMILIES)
    return rank, one["metadata"]["name"]


def _port(one: Slice, wanted: str) -> int | None:
    """The number of the wanted port in a slice; a number is taken as it is."""
    if wanted.isdigit():
        return int(wanted)
    for port in one.get("ports") or ():
        if port.get("name") == wanted and port.get("port"):
            return int(port["port"])
    return None


def _usable(conditions: Mapping[str, bool | None]) -> bool:
    """Whether new clips may go there: it serves and is not about to end.

    `serving` is `ready` without the exceptions that a Service can make (publishNotReadyAddresses);
    whoever does not know either means yes.
    """
    if conditions.get("terminating"):
        return False
    serving = conditions.get("serving")
    return conditions.get("ready") is not False if serving is None else serving


def _pod(endpoint: Mapping[str, Any], one: Slice) -> Pod | None:
    reference = endpoint.get("targetRef") or {}
    if reference.get("kind") != "Pod" or not reference.get("name"):
        return None
    namespace = reference.get("namespace") or one["metadata"].get("namespace", "")
    return Pod(namespace, reference["name"])
