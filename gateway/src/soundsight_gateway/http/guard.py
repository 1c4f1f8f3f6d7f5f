"""Which requests are not for this server: those that a foreign web page has a browser send.

A browser sends requests of any page to any host, loopback included. It says from where (`Origin`),
and a page whose name was made to lead here (DNS rebinding) names its own host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from urllib.parse import urlsplit

import grpc
from aiohttp import web
from aiohttp.typedefs import Middleware

from soundsight_gateway.http.problems import Refused


def guard(hosts: Collection[str], *, listens_on_loopback: bool) -> Middleware:
    """The middleware that refuses them.

    Args:
        hosts: names that requests may be for; none allows any, but on loopback only its own.
        listens_on_loopback: whether only this machine can connect.
    """
    named = {host.lower() for host in hosts}

    def is_ours(host: str) -> bool:
        if named:
            return host in named
        return not listens_on_loopback or is_loopback(host)

    def is_same(origin: str, host: str) -> bool:
        return origin.partition("://")[2].lower() == host.lower() or _host_of(origin) in named

    @web.middleware
    async def refuse_foreign(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        host = _host_of(f"//{request.host}")
        if not is_ours(host):
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this gateway does not answer for the host {host[:100]!r}; "
                "SOUNDSIGHT_GATEWAY_HTTP_HOSTS names those it answers for",
                reason="FOREIGN_HOST",
                code=grpc.StatusCode.PERMISSION_DENIED,
            )
        origin = request.headers.get("Origin")
        if origin is not None and not is_same(origin, request.host):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "web pages of other origins may not call this API; have their server call it, or "
                "serve both from one host",
                reason="FOREIGN_ORIGIN",
                code=grpc.StatusCode.PERMISSION_DENIED,
            )
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "bodies are taken as they are, without Content-Encoding",
                reason="CONTENT_ENCODING",
                code=grpc.StatusCode.INVALID_ARGUMENT,
            )
        return await handler(request)

    return refuse_foreign


def _host_of(url: str) -> str:
    """The host that a URL names; empty when it names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine alone: `localhost` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
