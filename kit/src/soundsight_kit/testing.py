"""What tests of all parts share: real servers on short Unix sockets, and patient assertions."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight_kit.server import Server, ServiceBinding
from soundsight_kit.settings import KitSettings


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder whose path is short enough for Unix sockets, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="ss-") as folder:
        yield Path(folder)


def certify(folder: Path, *who: str, days: int = 30) -> None:
    """Makes an authority (`ca.pem`) and certificates by it for localhost: `WHO.pem`, `WHO.key`.

    They are good for so many `days`.
    """

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    life = ("-days", str(days))
    for one in who:
        openssl("req", *key, "-keyout", f"{one}.key", "-out", f"{one}.csr", "-subj", f"/CN={one}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{one}.csr", "-out", f"{one}.pem", *signed, *life)


def free_ports(count: int) -> list[int]:
    """Ports that are free now; held until all are known, so that none comes twice.

    They lie below those that the kernel gives to whoever asks for any port: until the server takes
    them nobody else does.
    """
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            port = random.randrange(10_000, int(first))
            with suppress(OSError):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                ports.append(port)
    return ports


@asynccontextmanager
async def running_server(
    *services: ServiceBinding,
    info: GetInfoResponse | None = None,
    drain: Callable[[], Awaitable[None]] | None = None,
    kit: KitSettings | None = None,
) -> AsyncIterator[str]:
    """Serves in this event loop, on a Unix socket unless `kit` differs; yields its target."""
    with socket_folder() as folder:
        kit = kit or KitSettings(listen=f"unix:{folder}/s.sock", drain_grace_s=5.0)
        server = Server(kit, info or GetInfoResponse(implementation="test"), services, drain)
        target = await server.start()
        try:
            yield target
        finally:
            await server.stop()


async def assert_eventually(
    holds: Callable[[], bool | Awaitable[bool]], *, within_s: float = 60.0, message: str = ""
) -> None:
    """Asserts that a condition comes true, looking every few milliseconds.

    `within_s` is for what never will: ample for a machine that has much else to do.
    """
    deadline = time.monotonic() + within_s
    while True:
        result = holds()
        if not isinstance(result, bool):
            result = await result
        if result:
            return
        assert time.monotonic() < deadline, message or "the condition did not come true in time"
        await asyncio.sleep(0.01)
