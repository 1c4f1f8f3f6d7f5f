"""TLS of the HTTP server: that of the gRPC server, and taken up anew like it."""

from __future__ import annotations

import ssl
from typing import Any

from soundsight_kit.certificates import CertificateFiles
from soundsight_kit.settings import KitSettings


def served_tls(kit: KitSettings) -> ssl.SSLContext | None:
    """What gRPC is served with; None without TLS.

    Raises:
        BadCertificate: when the files cannot be used.
    """
    return None if kit.tls_certificate is None else _RenewedContext(CertificateFiles(kit))


class _RenewedContext(ssl.SSLContext):
    """Begins each connection with a context of what the files hold then.

    To load files into a context that is in use does not do: authorities are only ever added to it,
    and whom a former one has certified could go on with an old session.
    """

    _files: CertificateFiles

    def __new__(cls, files: CertificateFiles) -> _RenewedContext:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self._files = files
        return self

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """How asyncio begins a connection."""
        return self._files.present().server_context.wrap_bio(*args, **kwargs)
