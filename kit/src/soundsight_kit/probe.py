"""`python -m soundsight_kit.probe`: asks a service for its health, for those who run containers.

Without an argument it asks the service that the environment describes, which is the one in its own
container: `SOUNDSIGHT_LISTEN` says where, and over TLS the certificate that the service serves with
is the one to expect. Exits with 0 when the service serves, with 1 and one line when it does not.

A service that cannot use renewed files goes on with the former ones, which the probe has not: it is
well while it answers with any certificate. To end it would have its successor fail at the start.

A probe runs every few seconds beside the service, so it loads little: the three variables are read
here, without the settings classes, whose checks the service has made at its start.
"""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 5.0

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where to ask instead


class NotServing(Exception):
    """The service does not answer, or says that it does not serve; the message is one line."""


@dataclass(frozen=True)
class OwnCertificate:
    """The certificate that a service serves with, which it also shows where it calls."""

    certificate: Path
    key: Path

    def __post_init__(self) -> None:
        for file in (self.certificate, self.key):
            if not file.is_file():
                raise NotServing(f"there is no file {file}; check SOUNDSIGHT_TLS_CERTIFICATE")


def target_of(listen: str) -> str:
    """Where to ask a service that listens on an address, or on all, or on `unix:/path`."""
    host, colon, port = listen.rpartition(":")
    return f"{_LOOPBACK.get(host, host)}{colon}{port}"


def probe(target: str, own: OwnCertificate | None = None, timeout_s: float = TIMEOUT_S) -> None:
    """Asks for the health of the whole server, the empty service name.

    Args:
        target: `host:port` or `unix:/path`.
        own: what the server is to prove to have; None asks in plain text. Never used on a Unix
            socket, where services use no TLS.
        timeout_s: seconds that all of it may take.

    Raises:
        NotServing: when there is no answer in time, or another one than SERVING.
    """
    deadline = time.monotonic() + timeout_s
    channel = _channel(target, own, timeout_s)
    if channel is None:
        return
    with channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=max(0.0, deadline - time.monotonic())
            )
        except grpc.RpcError as error:
            raise NotServing(f"{target}: {error.code().name}: {error.details()}") from None
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        raise NotServing(f"{target} says {status}")


def _channel(target: str, own: OwnCertificate | None, timeout_s: float) -> grpc.Channel | None:
    """A channel to ask over; None where the server answers, but not with the own certificate."""
    # The service beside the probe is never behind a web proxy.
    options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
    if own is None or target.startswith("unix:"):
        return grpc.insecure_channel(target, options)
    # The certificate itself is trusted, whoever signed it: it is asked for by the name it bears,
    # which need not be the address that the probe uses.
    name = _served_name(target, own, timeout_s)
    if name is None:
        return None
    options.append(("grpc.ssl_target_name_override", name))
    certificate = own.certificate.read_bytes()
    # Shown to servers that ask callers for theirs (mutual TLS), as services show it to each other.
    credentials = grpc.ssl_channel_credentials(certificate, own.key.read_bytes(), certificate)
    return grpc.secure_channel(target, credentials, options)


def _served_name(target: str, own: OwnCertificate, timeout_s: float) -> str | None:
    """A name from the certificate that is served at `target`; None when it is not the own one.

    Raises:
        NotServing: when nobody answers there over TLS.
    """
    try:
        try:
            trust = ssl.create_default_context(cafile=str(own.certificate))
            trust.check_hostname = False
            # The certificate is trusted without those who signed it.
            trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            trust.load_cert_chain(own.certificate, own.key)
            served = _shown(target, trust, timeout_s)
        except ssl.SSLError:
            whatever = ssl.create_default_context()
            whatever.check_hostname, whatever.verify_mode = False, ssl.CERT_NONE
            _shown(target, whatever, timeout_s)
            return None
    except OSError as error:
        raise NotServing(f"{target}: {error}") from None
    names = [str(entry[1]) for entry in served.get("subjectAltName", ())]
    if not names:
        raise NotServing(f"the certificate in {own.certificate} names no host; give it one")
    return names[0]


def _shown(target: str, trust: ssl.SSLContext, timeout_s: float) -> Mapping[str, Any]:
    """What the certificate says that is served at `target`; nothing where it is not checked."""
    trust.set_alpn_protocols(["h2"])
    host, _, port = target.rpartition(":")
    with (
        socket.create_connection((host.strip("[]"), int(port)), timeout_s) as plain,
        trust.wrap_socket(plain) as secure,
    ):
        return secure.getpeercert() or {}


def main(arguments: list[str] | None = None) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m soundsight_kit.probe", description="Asks a service whether it serves."
    )
    parser.add_argument(
        "target", nargs="?", help="host:port or unix:/path; otherwise SOUNDSIGHT_LISTEN"
    )
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS", help="[%(default)s]"
    )
    asked = parser.parse_args(arguments)
    listen = os.environ.get("SOUNDSIGHT_LISTEN", "")
    if not (asked.target or listen):
        parser.error("name a target, or set SOUNDSIGHT_LISTEN")
    try:
        probe(asked.target or target_of(listen), _own_certificate(), asked.timeout)
    except NotServing as error:
        print(f"probe: {error}", file=sys.stderr)  # noqa: T201 - for whoever asks why
        return 1
    return 0


def _own_certificate() -> OwnCertificate | None:
    certificate = os.environ.get("SOUNDSIGHT_TLS_CERTIFICATE")
    key = os.environ.get("SOUNDSIGHT_TLS_KEY")
    if not (certificate and key):
        return None
    return OwnCertificate(Path(certificate), Path(key))


if __name__ == "__main__":
    sys.exit(main())
