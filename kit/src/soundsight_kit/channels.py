"""Channels to services: limits and keepalive agreed with the server, ids and trace carried along.

Deadlines are the caller's: every call takes `timeout=`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpc.aio import ClientCallDetails, Metadata

from soundsight_kit import context, tracing
from soundsight_kit.settings import KitSettings

MAX_MESSAGE_BYTES = 4 << 20
KEEPALIVE_S = 30
"""A channel with calls under way asks after the server this often; the server allows it."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The suite's services are never behind the user's web proxy.
    ("grpc.enable_http_proxy", 0),
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


def client_tls(kit: KitSettings) -> ClientTls | None:
    """How a service calls others: over TLS, with its own certificate, when authorities are set."""
    if kit.tls_server_ca is None:
        return None
    return ClientTls(
        server_ca=kit.tls_server_ca.read_bytes(),
        certificate=kit.tls_certificate.read_bytes() if kit.tls_certificate else None,
        key=kit.tls_key.read_bytes() if kit.tls_key else None,
    )


def open_channel(target: str, tls: ClientTls | None = None) -> grpc.aio.Channel:
    """Opens a channel to `host:port`, `dns:///name:port` or `unix:/path`; use as a context manager.

    Connects when the first call is made. Unix sockets never use TLS.
    """
    interceptors = [_CarryUnaryUnary(), _CarryUnaryStream(), _CarryStreamUnary()]
    if tls is None or target.startswith("unix:"):
        return grpc.aio.insecure_channel(target, options=_OPTIONS, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(tls.server_ca, tls.key, tls.certificate)
    return grpc.aio.secure_channel(target, credentials, options=_OPTIONS, interceptors=interceptors)


def _carrying(details: ClientCallDetails) -> ClientCallDetails:
    """The call's details with the present ids and trace in its metadata."""
    metadata = Metadata(*(details.metadata or ()))
    for key, value in (*context.to_metadata(), *tracing.to_metadata()):
        metadata.add(key, value)
    return ClientCallDetails(
        method=details.method,
        timeout=details.timeout,
        metadata=metadata,
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


# gRPC tells interceptors of the kinds of calls apart by their class.


class _CarryUnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(_carrying(client_call_details), request)


class _CarryUnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(_carrying(client_call_details), request)


class _CarryStreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(_carrying(client_call_details), request_iterator)
