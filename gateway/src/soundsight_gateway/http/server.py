"""The HTTP server beside the gateway's gRPC server, whose caller it is."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any, Final

import grpc
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware
from grpc_health.v1 import health_pb2, health_pb2_grpc

from soundsight.render.v1 import render_pb2
from soundsight_gateway.http import metrics
from soundsight_gateway.http.calls import Handler, handler_of
from soundsight_gateway.http.files import Files
from soundsight_gateway.http.guard import guard, is_loopback
from soundsight_gateway.http.problems import Refused, errors_as_problems, response_of
from soundsight_gateway.http.rules import rules_of
from soundsight_gateway.http.streams import outages_as_events
from soundsight_gateway.http.tls import served_tls
from soundsight_gateway.settings import GatewaySettings
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import Unavailable
from soundsight_kit.logs import log
from soundsight_kit.server import CannotListen
from soundsight_kit.settings import KitSettings

MAX_BODY_BYTES: Final = 8 << 20
"""Largest JSON body: twice a gRPC message, which needs less room. Files are streamed."""
KEEPALIVE_S: Final = 75.0
"""How long a connection is kept that asks nothing."""
LINGER_S: Final = 10.0
"""How long a body is read on after its refusal, which its sender may not see before it is sent."""
UNREAD_S: Final = 60.0
"""How long a connection is kept whose peer takes nothing of what is sent, or has vanished."""
CONTINUE: Final = "100-continue"
HEALTH_TIMEOUT_S: Final = 5.0
STOP_GRACE_S: Final = 1.0
"""What answers under way get to be written, once their calls have ended."""


@dataclass(frozen=True, slots=True)
class HttpServer:
    """An HTTP server that runs."""

    address: str
    """host:port it listens on."""
    grpc_socket: Path
    """The Unix socket on which the gateway's gRPC server must be served for it."""


@asynccontextmanager
async def http_served(
    kit: KitSettings, settings: GatewaySettings
) -> AsyncIterator[HttpServer | None]:
    """Serves HTTP within the block; yields None, and serves nothing, without an address for it.

    Raises:
        CannotListen: when the address is taken or impossible.
        BadCertificate: when the TLS files cannot be used.
    """
    if settings.http_listen is None:
        yield None
        return
    named, _, port = settings.http_listen.rpartition(":")
    host = named.strip("[]")
    with tempfile.TemporaryDirectory(prefix="soundsight-gateway-", dir=_short_folder()) as folder:
        grpc_socket = Path(folder) / "grpc.sock"
        async with open_channel(f"unix:{grpc_socket}") as channel:
            app = application(
                channel,
                settings.http_hosts,
                listens_on_loopback=is_loopback(host),
                serves=grpc_socket.exists,
            )
            app.on_response_prepare.append(_bound_silence)
            runner = web.AppRunner(
                app,
                # Who goes away lets go of the call that was made for them.
                handler_cancellation=True,
                access_log=None,
                logger=_logger(),
                auto_decompress=False,
                keepalive_timeout=KEEPALIVE_S,
                lingering_time=LINGER_S,
                shutdown_timeout=STOP_GRACE_S,
            )
            await runner.setup()
            _refuse_expectations(runner)
            try:
                tls = served_tls(kit)
                try:
                    await _site(runner, host, int(port), tls).start()
                except OSError as error:
                    raise CannotListen(
                        f"cannot serve HTTP on {settings.http_listen}: {error.strerror}"
                    ) from error
                served = HttpServer(f"{named}:{runner.addresses[0][1]}", grpc_socket)
                log.info("serving HTTP", address=served.address)
                yield served
            finally:
                await runner.cleanup()


def _site(runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> web.BaseSite:
    """Where it listens. Raises OSError when the address is taken or impossible."""
    if host == "::" and socket.has_dualstack_ipv6():
        # As gRPC does there; asyncio by itself would listen for IPv6 alone.
        both = socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
        return web.SockSite(runner, both, ssl_context=tls)
    return web.TCPSite(runner, host, port, ssl_context=tls)


def _logger() -> logging.Logger:
    """What aiohttp logs with: not each request that is no HTTP, and not each caller that leaves."""
    logger = logging.getLogger("soundsight_gateway.http")
    logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    raised = record.exc_info[1] if record.exc_info else None
    return not isinstance(raised, HttpProcessingError | ConnectionError)


def application(
    channel: grpc.aio.Channel,
    hosts: tuple[str, ...],
    *,
    listens_on_loopback: bool,
    serves: Callable[[], bool],
) -> web.Application:
    """All routes.

    Args:
        channel: to the gateway's own gRPC server.
        hosts, listens_on_loopback: as `guard` explains them.
        serves: whether that server was started.
    """
    app = web.Application(
        middlewares=[
            errors_as_problems,
            guard(hosts, listens_on_loopback=listens_on_loopback),
            outages_as_events,
            _once(serves),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    large = ThreadPoolExecutor(1, "large-bodies")

    async def end(_: web.Application) -> None:
        large.shutdown(wait=False, cancel_futures=True)

    app.on_cleanup.append(end)
    for rule in rules_of(render_pb2.DESCRIPTOR.services_by_name["RenderService"]):
        app.router.add_route(rule.verb, rule.path(), handler_of(rule, channel, large))
    app.add_routes(Files(channel).routes())
    app.on_response_prepare.append(_for_all_answers)
    app.router.add_get("/healthz", _health(channel, serves))
    app.router.add_get("/openapi.json", _openapi)
    return app


def _once(serves: Callable[[], bool]) -> Middleware:
    """The middleware that makes no call before there is a server for it.

    Such a call would fail too, and have the channel wait, longer each time, before it tries again.
    """

    @web.middleware
    async def refuse_early(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/v1/") and not serves():
            raise Unavailable("the gateway is not ready yet; try again soon", retry_after_s=1.0)
        return await handler(request)

    return refuse_early


async def _for_all_answers(_: web.BaseRequest, response: web.StreamResponse) -> None:
    # Not which versions of what answer.
    response.headers["Server"] = "soundsight-gateway"
    # Files are what their uploader said they are, and nothing that a browser makes of them.
    response.headers["X-Content-Type-Options"] = "nosniff"


def _refuse_expectations(runner: web.AppRunner) -> None:
    """Answers requests that expect more than to go on with a problem, before aiohttp sees them.

    It would do so around all middlewares, and fail on values that are no UTF-8.
    """
    server = runner.server
    assert server is not None, "setup makes it"
    handle = server.request_handler

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", CONTINUE).lower() == CONTINUE:
            return await handle(request)
        response = response_of(
            Refused(
                HTTPStatus.EXPECTATION_FAILED,
                f"this gateway knows no expectation but {CONTINUE}",
                reason="EXPECTATION_FAILED",
                code=grpc.StatusCode.INVALID_ARGUMENT,
            )
        )
        await _for_all_answers(request, response)
        metrics.answered(request.method, "", response.status)
        return response

    server.request_handler = answer


async def _bound_silence(request: web.Request, _: web.StreamResponse) -> None:
    """Has Linux end a connection whose peer takes nothing: no write would ever fail."""
    if sys.platform == "linux" and request.transport is not None:
        connection: Any = request.transport.get_extra_info("socket")
        limit_ms = round(UNREAD_S * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit_ms)


def _health(channel: grpc.aio.Channel, serves: Callable[[], bool]) -> Handler:
    """What load balancers ask: whether the gRPC server serves."""
    health = health_pb2_grpc.HealthStub(channel)

    async def answer(request: web.Request) -> web.StreamResponse:
        status = health_pb2.HealthCheckResponse.NOT_SERVING
        if serves():
            with suppress(grpc.RpcError):
                asked = health_pb2.HealthCheckRequest()
                status = (await health.Check(asked, timeout=HEALTH_TIMEOUT_S)).status
        is_well = status == health_pb2.HealthCheckResponse.SERVING
        name = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
        code = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": name}, status=code)

    return answer


def _short_folder() -> str:
    """Where temporary files lie, unless a socket's path (107 bytes at most) would be too long."""
    usual = tempfile.gettempdir()
    return usual if len(usual.encode()) < 60 else "/tmp"  # noqa: S108 - only to hold a folder of our own


async def _openapi(request: web.Request) -> web.StreamResponse:
    """The description of the API, which `make openapi` writes."""
    text = resources.files(__package__).joinpath("openapi.json").read_text()
    return web.json_response(text=text)
