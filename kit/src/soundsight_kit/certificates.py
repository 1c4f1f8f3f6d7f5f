"""The TLS files of a service, taken up anew whenever somebody renews them.

Whoever makes a connection asks for what is there now. A renewal that is half written, or wrong, is
told of once; until it is whole the former files hold, so that no running service fails by it.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from soundsight_kit.logs import log
from soundsight_kit.settings import KitSettings


class BadCertificate(OSError):
    """TLS files that cannot be used; the message is one line for the operator."""


@dataclass(frozen=True)
class Contents:
    """What the files hold that are set: PEM."""

    certificate: bytes | None
    key: bytes | None
    client_ca: bytes | None
    server_ca: bytes | None
    certificate_end_s: float | None
    """When the certificate ends, in seconds since 1970."""
    server_context: ssl.SSLContext
    """Serves with the first three."""


class CertificateFiles:
    """The files that the settings name. Any thread may ask for them.

    Raises:
        BadCertificate: when they cannot be used; only here, never later.
    """

    def __init__(self, kit: KitSettings) -> None:
        self._files = (kit.tls_certificate, kit.tls_key, kit.tls_client_ca, kit.tls_server_ca)
        self._certificate, self._key, self._client_ca, self._server_ca = self._files
        self._lock = threading.Lock()
        self._seen = self._states()
        self._present = self._read()

    def present(self) -> Contents:
        """What to use for a connection that is made now: the same object until it changes."""
        with self._lock:
            seen = self._states()
            if seen != self._seen:
                self._seen = seen
                try:
                    self._present = self._read()
                except BadCertificate as error:
                    log.warning("renewed TLS files are not used", reason=str(error))
                else:
                    log.info("TLS files were renewed")
            return self._present

    def _states(self) -> tuple[tuple[int, ...] | None, ...]:
        """What changes when a file does, or the link to its folder, as the kubelet renews it."""
        return tuple(_state(file) for file in self._files)

    def _read(self) -> Contents:
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self._client_ca)
            if self._client_ca is not None:
                context.verify_mode = ssl.CERT_REQUIRED
            if self._certificate is not None:
                # The empty password stands for none: OpenSSL would ask for one at the terminal.
                context.load_cert_chain(self._certificate, self._key, password="")
            if self._server_ca is not None:
                ssl.create_default_context(cafile=self._server_ca)
            certificate = _content(self._certificate)
            found = Contents(
                certificate=certificate,
                key=_content(self._key),
                client_ca=_content(self._client_ca),
                server_ca=_content(self._server_ca),
                certificate_end_s=None if certificate is None else certificate_end(certificate),
                server_context=context,
            )
        except (OSError, ValueError) as error:
            # OSError is what ssl raises too.
            named = ", ".join(str(file) for file in self._files if file)
            raise BadCertificate(f"cannot use the TLS files {named}: {error}") from error
        if self._states() != self._seen:
            raise BadCertificate("the TLS files are just being written")
        return found


def certificate_end(pem: bytes) -> float:
    """When the first certificate of a PEM chain ends, in seconds since 1970."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()


def _state(file: Path | None) -> tuple[int, ...] | None:
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _content(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()
