"""What a pool's endpoints can be configured as, and the addresses that come of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS = re.compile(rf"dns:///(?P<name>{_LABEL}(?:\.{_LABEL})*\.?):(?P<port>\d{{1,5}})", re.I)
_KUBERNETES = re.compile(
    rf"kubernetes:///(?P<service>{_LABEL})(?:\.(?P<namespace>{_LABEL}))?:(?P<port>\d{{1,5}}|{_LABEL})"
)
_FORMS = (
    "must be host:port, unix:/path, dns:///name:port or kubernetes:///service.namespace:port "
    "(a port's number or name)"
)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of Kubernetes."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where one endpoint is.

    Args:
        target: what a channel is opened to: `host:port` or `unix:/path`.
        server_name: the name that its certificate is for, where it is not the host in `target`.
        pod: the pod behind it, where it is known.
    """

    target: str
    server_name: str | None = None
    pod: Pod | None = None


@dataclass(frozen=True, slots=True)
class DnsTarget:
    """Every address that a name resolves to, such as that of a headless Service."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class KubernetesTarget:
    """Every ready address of a Service. No namespace means the gateway's own."""

    service: str
    namespace: str | None
    port: str
    """A number, or the name of a port."""


Target = Address | DnsTarget | KubernetesTarget


def parse_target(text: str) -> Target:
    """Reads one configured target. Raises ValueError for what is none."""
    if match := _DNS.fullmatch(text):
        return DnsTarget(match["name"], _port(text, match["port"]))
    if match := _KUBERNETES.fullmatch(text):
        if match["port"].isdigit():
            _port(text, match["port"])
        return KubernetesTarget(match["service"], match["namespace"], match["port"])
    if text.startswith(("dns:", "kubernetes:")) or ":" not in text or text.endswith(":"):
        raise ValueError(f"{text!r} {_FORMS}")
    return Address(text)


def host_port(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _port(text: str, digits: str) -> int:
    port = int(digits)
    if not 0 < port <= 65_535:
        raise ValueError(f"{text!r} has a port beyond 65535 or below 1")
    return port
