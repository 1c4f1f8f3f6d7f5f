"""Channels to services: limits and keepalive agreed with the server, ids and trace carried along.

Deadlines are the caller's: every call takes `timeout=`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import grpc
from grpc.aio import Metadata

from soundsight_kit import context, tracing
from soundsight_kit.certificates import CertificateFiles
from soundsight_kit.renewal import RenewedChannel
from soundsight_kit.settings import KitSettings

MAX_MESSAGE_BYTES = 4 << 20
KEEPALIVE_S = 30
"""A channel with calls under way asks after the server this often; the server allows it."""
KEEPALIVE_TIMEOUT_S = 10
"""When such a question has no answer for so long, the connection is dead and its calls end."""
MAX_CONNECTION_AGE_S = 600

_CLIENT_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
    # The second is what counts in gRPC of today, for a minute unless it is told otherwise.
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_S * 1000),
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_S * 1000),
    # A scene can take minutes without a message: pings are not rationed by data.
    ("grpc.http2.max_pings_without_data", 0),
    # Several servers behind one name take turns; the default sends all calls to the first.
    ("grpc.lb_policy_name", "round_robin"),
    # The suite's services are never behind the user's web proxy.
    ("grpc.enable_http_proxy", 0),
)

SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # More frequent pings than this count as abuse and end the connection (the default is five
    # minutes): it must lie well below the clients' period.
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_S * 1000 // 3),
    ("grpc.keepalive_permit_without_calls", 1),
    # A client that vanished without a word is noticed too, and its call is cancelled.
    ("grpc.keepalive_time_ms", 2 * KEEPALIVE_S * 1000),
    ("grpc.keepalive_timeout_ms", 2 * KEEPALIVE_TIMEOUT_S * 1000),
    ("grpc.http2.ping_timeout_ms", 2 * KEEPALIVE_TIMEOUT_S * 1000),
    ("grpc.http2.max_pings_without_data", 0),
    # Names are looked up again when a connection ends: so are servers found that came later. Calls
    # that are under way go on to their end.
    ("grpc.max_connection_age_ms", MAX_CONNECTION_AGE_S * 1000),
    # Two processes on one port would take turns in answering, to everyone's surprise.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True)
class ClientTls:
    """How a caller proves servers, and itself."""

    server_ca: bytes | None = None
    """PEM authorities whose servers are trusted; None takes the system's."""
    certificate: bytes | None = None
    """PEM certificate chain shown to servers that ask (mutual TLS)."""
    key: bytes | None = None
    """PEM private key of the certificate."""


TlsSource = Callable[[], ClientTls]
"""Gives what holds now, at each call: what it says may change."""


def client_tls(kit: KitSettings) -> TlsSource | None:
    """How a service calls others: over TLS, with its own certificate, when authorities are set.

    Raises:
        BadCertificate: when the files cannot be used.
    """
    if kit.tls_server_ca is None:
        return None
    files = CertificateFiles(kit)

    def present() -> ClientTls:
        found = files.present()
        return ClientTls(found.server_ca, found.certificate, found.key)

    return present


def open_channel(
    target: str, tls: ClientTls | TlsSource | None = None, *, server_name: str | None = None
) -> grpc.aio.Channel:
    """Opens a channel to `host:port`, `dns:///name:port` or `unix:/path`; use as a context manager.

    Connects when the first call is made. Unix sockets never use TLS.

    Args:
        target: where to.
        tls: how to prove each other; None is plain text. When what a source gives has changed, new
            calls go over a new connection, and those under way end on theirs.
        server_name: the name that the server's certificate must be for, where it is not the host in
            `target`: pods are called by addresses that no certificate names.
    """
    if tls is None or target.startswith("unix:"):
        return _CarryingChannel(grpc.aio.insecure_channel(target, options=_CLIENT_OPTIONS))
    options = _CLIENT_OPTIONS
    if server_name is not None:
        options += (("grpc.ssl_target_name_override", server_name),)

    def connect(shown: ClientTls) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(shown.server_ca, shown.key, shown.certificate)
        return grpc.aio.secure_channel(target, credentials, options=options)

    if isinstance(tls, ClientTls):
        return _CarryingChannel(connect(tls))
    return _CarryingChannel(RenewedChannel(tls, connect))


def _carrying(given: Any) -> Metadata:
    """A call's own metadata with the present ids and trace, where it does not set them itself."""
    pairs: list[tuple[str, Any]] = list(given or ())
    own = {key for key, _ in pairs}
    carried = (*context.to_metadata(), *tracing.to_metadata())
    return Metadata(*pairs, *(pair for pair in carried if pair[0] not in own))


class _CarryingChannel(grpc.aio.Channel):
    """A channel whose calls carry the present ids and trace.

    It wraps a channel instead of using client interceptors: those of grpc.aio put a task of their
    own between a caller and its call, and hide part of the call's methods.
    """

    def __init__(self, inner: grpc.aio.Channel) -> None:
        self._inner = inner

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._inner.__aexit__(*exc_info)

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _CarryingCallable(self._inner.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _CarryingCallable(self._inner.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _CarryingCallable(self._inner.stream_unary(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _CarryingCallable(self._inner.stream_stream(*args, **kwargs))


class _CarryingCallable:
    """Starts calls of one method, as the multicallable that it wraps."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        self._inner = inner

    def __call__(self, *request: Any, metadata: Any = None, **kwargs: Any) -> Any:
        return self._inner(*request, metadata=_carrying(metadata), **kwargs)
