"""Start-up and shut-down of a service: the same for all.

A server answers its contract, GetInfo, gRPC health and reflection. When it is told to end it first
says so (health NOT_SERVING), lets running work finish within the drain grace, then stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight.common.v1.implementation_pb2_grpc import (
    add_ImplementationServiceServicer_to_server,
)
from soundsight_kit import metrics
from soundsight_kit.channels import KEEPALIVE_S, MAX_MESSAGE_BYTES
from soundsight_kit.info import InfoServicer
from soundsight_kit.interceptor import CallInterceptor
from soundsight_kit.settings import KitSettings

log = structlog.get_logger()

MAX_SOCKET_PATH_BYTES = 107
IMPLEMENTATION_SERVICE = "soundsight.common.v1.ImplementationService"

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_S * 1000 // 2),
    ("grpc.keepalive_permit_without_calls", 1),
    # Two processes on one port would take turns in answering, to everyone's surprise.
    ("grpc.so_reuseport", 0),
)


class CannotListen(Exception):
    """The address cannot be served; the message is one line for the operator."""


@dataclass(frozen=True)
class ServiceBinding:
    """A contract and how its servicer is added to a server."""

    full_name: str
    """Such as `soundsight.videogen.v1.VideoGenService`."""
    add: Callable[[grpc.aio.Server], None]


class Server:
    """A server with everything around its contracts.

    Args:
        kit: where to listen and how.
        info: the answer to GetInfo.
        services: the contracts it serves.
        drain: finishes or puts away running work; cancelled when the grace is over.
    """

    def __init__(
        self,
        kit: KitSettings,
        info: GetInfoResponse,
        services: Sequence[ServiceBinding],
        drain: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._kit = kit
        self._drain = drain
        self._server = grpc.aio.server(interceptors=[CallInterceptor()], options=_OPTIONS)
        self._health = health.aio.HealthServicer()
        self._names = [binding.full_name for binding in services]
        for binding in services:
            binding.add(self._server)
        add_ImplementationServiceServicer_to_server(InfoServicer(info), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [*self._names, IMPLEMENTATION_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME],
            self._server,
        )

    async def start(self) -> str:
        """Begins to serve; returns the target to connect to.

        Raises:
            CannotListen: when the address is taken or impossible.
        """
        listen = self._kit.listen
        if listen.startswith("unix:"):
            _make_way(Path(listen.removeprefix("unix:")))
        try:
            port = self._bind(listen)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {listen}: is the address taken?") from error
        await self._server.start()
        for name in ("", *self._names, IMPLEMENTATION_SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        if listen.startswith("unix:"):
            _close_to_others(Path(listen.removeprefix("unix:")))
            return listen
        return f"{listen.rpartition(':')[0]}:{port}"

    async def stop(self) -> None:
        """Says NOT_SERVING, drains within the grace, then stops."""
        await self._health.enter_graceful_shutdown()
        if self._drain is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drain(), self._kit.drain_grace_s)
        # Streams that only watch would keep the server up: they are cut off after a moment.
        await self._server.stop(grace=1.0)

    def _bind(self, listen: str) -> int:
        kit = self._kit
        if kit.tls_certificate is None or kit.tls_key is None or listen.startswith("unix:"):
            return self._server.add_insecure_port(listen)
        credentials = grpc.ssl_server_credentials(
            [(kit.tls_key.read_bytes(), kit.tls_certificate.read_bytes())],
            root_certificates=kit.tls_client_ca.read_bytes() if kit.tls_client_ca else None,
            require_client_auth=kit.tls_client_ca is not None,
        )
        return self._server.add_secure_port(listen, credentials)


async def run_server(
    *,
    name: str,
    kit: KitSettings,
    info: GetInfoResponse,
    services: Sequence[ServiceBinding],
    drain: Callable[[], Awaitable[None]] | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then drains.

    Args:
        name: the service's name in logs and messages.
        kit: where to listen and how.
        info: the answer to GetInfo.
        services: the contracts served.
        drain: finishes or puts away running work.
        ready: is told the target once the server serves.

    Raises:
        CannotListen: when the address is taken or impossible.
    """
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    server = Server(kit, info, services, drain)
    target = await server.start()
    scraped = metrics.serve_metrics(kit.metrics_listen) if kit.metrics_listen else None
    log.info("serving", target=target, implementation=info.implementation, version=info.version)
    if ready is not None:
        ready(target)
    try:
        await told.wait()
        log.info("draining", grace_s=kit.drain_grace_s)
    finally:
        await server.stop()
        if scraped is not None:
            scraped.shutdown()
    log.info("stopped", name=name)


def _close_to_others(path: Path) -> None:
    path.chmod(0o600)


def _make_way(path: Path) -> None:
    """Removes the socket of a server that is gone; never that of one that answers.

    Raises:
        CannotListen: when the path is too long, or a server answers there.
    """
    if len(str(path).encode()) > MAX_SOCKET_PATH_BYTES:
        raise CannotListen(
            f"a Unix socket's path has at most {MAX_SOCKET_PATH_BYTES} bytes; {path} is longer"
        )
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise CannotListen(f"another server already listens on {path}")
