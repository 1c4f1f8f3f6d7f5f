"""Start-up and shut-down of a service: the same for all.

A server answers its contract, GetInfo, gRPC health and reflection. When it is told to end it first
says so (health NOT_SERVING), lets running work finish within the drain grace, then stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight.common.v1.implementation_pb2_grpc import (
    add_ImplementationServiceServicer_to_server,
)
from soundsight_kit import metrics
from soundsight_kit.certificates import CertificateFiles, Contents
from soundsight_kit.channels import SERVER_OPTIONS
from soundsight_kit.info import InfoServicer
from soundsight_kit.interceptor import CallInterceptor
from soundsight_kit.logs import log
from soundsight_kit.settings import KitSettings

MAX_SOCKET_PATH_BYTES = 107
IMPLEMENTATION_SERVICE = "soundsight.common.v1.ImplementationService"

STOP_GRACE_S = 1.0
"""What calls still under way at the end of the drain grace get, to send their last words."""


class CannotListen(Exception):
    """The address cannot be served; the message is one line for the operator."""


@dataclass(frozen=True)
class ServiceBinding:
    """A contract and how its servicer is added to a server."""

    full_name: str
    """Such as `soundsight.videogen.v1.VideoGenService`."""
    add: Callable[[grpc.aio.Server], None]
    default_deadlines_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds, by method name, that a call gets whose caller sets no deadline."""
    polled: Collection[str] = ()
    """Methods that machines ask all the time: only calls that fail are in the access log."""


class Server:
    """A server with everything around its contracts.

    Args:
        kit: where to listen and how.
        info: the answer to GetInfo.
        services: the contracts it serves.
        drain: finishes or puts away running work; cancelled when the grace is over.
        socket: a Unix socket to serve on as well.
    """

    def __init__(
        self,
        kit: KitSettings,
        info: GetInfoResponse,
        services: Sequence[ServiceBinding],
        drain: Callable[[], Awaitable[None]] | None = None,
        socket: Path | None = None,
    ) -> None:
        self._kit = kit
        self._drain = drain
        self._listen = [kit.listen, *([f"unix:{socket}"] if socket else [])]
        self._calls = CallInterceptor(
            {
                f"/{binding.full_name}/{method}": seconds
                for binding in services
                for method, seconds in binding.default_deadlines_s.items()
            },
            polled=[
                f"/{binding.full_name}/{method}"
                for binding in services
                for method in binding.polled
            ],
        )
        self._server = grpc.aio.server(interceptors=[self._calls], options=SERVER_OPTIONS)
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
            BadCertificate: when the TLS files cannot be used.
        """
        ports = [self._bind(listen) for listen in self._listen]
        await self._server.start()
        for name in ("", *self._names, IMPLEMENTATION_SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        for listen in self._listen:
            if listen.startswith("unix:"):
                _close_to_others(Path(listen.removeprefix("unix:")))
        first = self._listen[0]
        return first if first.startswith("unix:") else f"{first.rpartition(':')[0]}:{ports[0]}"

    async def stop(self) -> None:
        """Says NOT_SERVING, lets running work and calls end within the grace, then stops."""
        await self._health.enter_graceful_shutdown()
        try:
            async with asyncio.timeout(self._kit.drain_grace_s):
                if self._drain is not None:
                    await self._drain()
                await self._calls.wait_idle()
        except TimeoutError:
            log.warning("drain grace is over", grace_s=self._kit.drain_grace_s)
        finally:
            # Those who watch health would keep the server up: they are cut off after a moment.
            await self._server.stop(STOP_GRACE_S)

    def _bind(self, listen: str) -> int:
        if listen.startswith("unix:"):
            _make_way(Path(listen.removeprefix("unix:")))
        credentials = None if listen.startswith("unix:") else self._credentials()
        try:
            if credentials is None:
                return self._server.add_insecure_port(listen)
            return self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {listen}: is the address taken?") from error

    def _credentials(self) -> grpc.ServerCredentials | None:
        """TLS as it is set; None without. Each new connection gets what the files hold then."""
        if self._kit.tls_certificate is None:
            return None
        file, files = self._kit.tls_certificate, CertificateFiles(self._kit)
        shown = files.present()

        def configuration(found: Contents) -> grpc.ServerCertificateConfiguration:
            assert found.certificate and found.key and found.certificate_end_s, "they are set"
            metrics.certificate_in_use(file, found.certificate_end_s)
            pairs = [(found.key, found.certificate)]
            return grpc.ssl_server_certificate_configuration(pairs, found.client_ca)

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal shown
            present = files.present()
            if present is shown:
                return None
            shown = present
            return configuration(present)

        return grpc.dynamic_ssl_server_credentials(
            configuration(shown),
            renewed,  # type: ignore[arg-type] # None, which keeps the present one, is not typed
            require_client_authentication=self._kit.tls_client_ca is not None,
        )


async def run_server(
    *,
    name: str,
    kit: KitSettings,
    info: GetInfoResponse,
    services: Sequence[ServiceBinding],
    drain: Callable[[], Awaitable[None]] | None = None,
    ready: Callable[[str], None] | None = None,
    socket: Path | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then drains.

    Args:
        name: the service's name in logs and messages.
        kit: where to listen and how.
        info: the answer to GetInfo.
        services: the contracts served.
        drain: finishes or puts away running work.
        ready: is told the target once the server serves.
        socket: a Unix socket to serve on as well.

    Raises:
        CannotListen: when the address is taken or impossible.
        OSError: when that of the metrics is.
    """
    told, hurried = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        # Asked once, the service drains; asked twice, it does not.
        (hurried if told.is_set() else told).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    with metrics.served(kit.metrics_listen):
        server = Server(kit, info, services, drain, socket)
        target = await server.start()
        log.info("serving", target=target, implementation=info.implementation, version=info.version)
        if ready is not None:
            ready(target)
        try:
            await told.wait()
            log.info("draining", grace_s=kit.drain_grace_s)
        finally:
            await _stop_unless_hurried(server, hurried)
    log.info("stopped", name=name)


async def _stop_unless_hurried(server: Server, hurried: asyncio.Event) -> None:
    stopping = asyncio.create_task(server.stop())
    hurry = asyncio.create_task(hurried.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not stopping.done():
        stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping


def _close_to_others(path: Path) -> None:
    """Leaves the socket to its owner: whoever may write to it may call."""
    path.chmod(0o600)


def _make_way(path: Path) -> None:
    """Removes the socket of a server that is gone; never that of one that answers.

    Raises:
        CannotListen: when the path is too long or no place for a socket, or a server answers there.
    """
    if len(str(path).encode()) > MAX_SOCKET_PATH_BYTES:
        raise CannotListen(
            f"a Unix socket's path has at most {MAX_SOCKET_PATH_BYTES} bytes; {path} is longer: "
            "choose a folder with a shorter name"
        )
    if not path.parent.is_dir():
        raise CannotListen(f"cannot listen on {path}: there is no folder {path.parent}")
    if not path.exists():
        return
    if not path.is_socket():
        raise CannotListen(f"cannot listen on {path}: a file that is no socket is in the way")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # Nobody listens: its server is gone.
        except OSError as error:
            raise CannotListen(f"cannot listen on {path}: {error}") from error
        else:
            raise CannotListen(f"another server already listens on {path}")
