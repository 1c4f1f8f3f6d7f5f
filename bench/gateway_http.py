"""What the HTTP/JSON API costs beside gRPC, measured on one gateway in turns.

A gateway in a process of its own serves both on loopback; one caller in this process asks for the
same things over either. Prints how fast each is, how the two compare, and the processor time that
the gateway takes for each call.

    make bench-http OPTIONS='--megabytes 200 --rounds 3'
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import grpc
import psutil

from soundsight.render.v1 import artifacts_pb2, artifacts_pb2_grpc, render_pb2, render_pb2_grpc
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway.testing import scripted_services
from soundsight_kit.channels import open_channel
from soundsight_kit.testing import free_ports, socket_folder

PARENT = "projects/bench"
RENDERS = 50
CHUNK_BYTES = 1 << 20
CALL_S = 2.0
"""How long each round of calls takes."""

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Row:
    """One thing that is asked for, both ways."""

    name: str
    grpc: Call
    http: Call
    callers: int = 1
    size_mb: float = 0.0
    """Of a transfer, which is made once each round."""


class Caller:
    """The same calls over gRPC and over HTTP."""

    def __init__(self, channel: grpc.aio.Channel, session: aiohttp.ClientSession) -> None:
        self._renders = render_pb2_grpc.RenderServiceStub(channel)
        self._files = artifacts_pb2_grpc.ArtifactServiceStub(channel)
        self._session = session
        self._uploads = 0
        self.name = ""
        """The first of the renders."""

    async def prepare(self) -> None:
        """Makes renders to ask for."""
        song = await self.upload_grpc(b"no song at all, so that nothing is done")
        for number in range(RENDERS):
            request = render_pb2.CreateRenderRequest(parent=PARENT, render_id=f"render-{number:03}")
            request.render.spec.song.uri = song
            request.render.spec.title = "First Light"
            request.render.labels["album"] = "dawn"
            await self._renders.CreateRender(request)
        self.name = f"{PARENT}/renders/render-000"
        for number in range(RENDERS):
            name = f"{PARENT}/renders/render-{number:03}"
            async for _ in self._renders.WatchRender(render_pb2.WatchRenderRequest(name=name)):
                pass  # until it has failed, for want of a song

    async def get_grpc(self) -> r.Render:
        """GetRender."""
        return await self._renders.GetRender(render_pb2.GetRenderRequest(name=self.name))

    async def get_http(self) -> bytes:
        """GetRender."""
        return await self._read(f"/v1/{self.name}")

    async def list_grpc(self) -> render_pb2.ListRendersResponse:
        """ListRenders."""
        request = render_pb2.ListRendersRequest(parent=PARENT, page_size=RENDERS)
        return await self._renders.ListRenders(request)

    async def list_http(self) -> bytes:
        """ListRenders."""
        return await self._read(f"/v1/{PARENT}/renders?pageSize={RENDERS}")

    async def watch_grpc(self) -> None:
        """WatchRender, as far as its first event."""
        call = self._renders.WatchRender(render_pb2.WatchRenderRequest(name=self.name))
        async for _ in call:
            break
        call.cancel()

    async def watch_http(self) -> None:
        """WatchRender, as far as its first event."""
        headers = {"Accept": "text/event-stream"}
        async with self._session.get(f"/v1/{self.name}:watch", headers=headers) as response:
            await response.content.readuntil(b"\n\n")

    async def upload_grpc(self, data: bytes) -> str:
        """Uploads a file anew; gives its URI."""

        async def requests() -> AsyncIterator[artifacts_pb2.UploadRequest]:
            header = artifacts_pb2.UploadHeader(
                parent=PARENT, upload_id=self._upload_id(), size_bytes=len(data)
            )
            yield artifacts_pb2.UploadRequest(header=header)
            for start in range(0, len(data), CHUNK_BYTES):
                yield artifacts_pb2.UploadRequest(chunk=data[start : start + CHUNK_BYTES])

        return (await self._files.Upload(requests())).artifact.uri

    async def upload_http(self, data: bytes) -> None:
        """Uploads a file anew."""
        path = f"/v1/{PARENT}/uploads/{self._upload_id()}"

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), CHUNK_BYTES):
                yield data[start : start + CHUNK_BYTES]

        headers = {"Content-Length": str(len(data))}
        async with self._session.put(path, data=chunks(), headers=headers) as response:
            assert response.status == 200, await response.text()

    async def download_grpc(self, uri: str) -> None:
        """Downloads a file."""
        request = artifacts_pb2.DownloadRequest(parent=PARENT, uri=uri)
        async for _ in self._files.Download(request):
            pass

    async def download_http(self, uri: str) -> None:
        """Downloads a file."""
        path = f"/v1/{PARENT}/artifacts:download?uri={quote(uri)}"
        async with self._session.get(path) as response:
            async for _ in response.content.iter_chunked(CHUNK_BYTES):
                pass
            assert response.status == 200

    def _upload_id(self) -> str:
        self._uploads += 1
        return f"upload-{self._uploads:04}"

    async def _read(self, path: str) -> bytes:
        async with self._session.get(path) as response:
            assert response.status == 200
            return await response.read()


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[tuple[Caller, psutil.Process]]:
    """A gateway, and who calls it."""
    grpc_address, http_address = (f"127.0.0.1:{port}" for port in free_ports(2))
    with socket_folder() as sockets:
        async with scripted_services(folder, sockets) as services:
            environment = {
                **os.environ,
                **services.environment(),
                "SOUNDSIGHT_LISTEN": grpc_address,
                "SOUNDSIGHT_SCRATCH_DIR": str(folder),
                "SOUNDSIGHT_LOG_LEVEL": "error",
                "SOUNDSIGHT_GATEWAY_DATABASE_URL": f"sqlite:///{folder}/gateway.sqlite",
                "SOUNDSIGHT_GATEWAY_HTTP_LISTEN": http_address,
                "SOUNDSIGHT_GATEWAY_QUEUE_POLLING_S": "0.05",
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "soundsight_gateway",
                env=environment,
                stderr=asyncio.subprocess.DEVNULL,  # that the renders have no songs
            )
            try:
                async with (
                    open_channel(grpc_address) as channel,
                    aiohttp.ClientSession(f"http://{http_address}") as session,
                ):
                    await asyncio.wait_for(channel.channel_ready(), 60)
                    caller = Caller(channel, session)
                    await caller.prepare()
                    yield caller, psutil.Process(process.pid)
            finally:
                process.terminate()
                await process.wait()


async def rate(call: Call, callers: int, process: psutil.Process) -> tuple[float, float]:
    """Calls in a second, and seconds of the gateway's processor time for each."""
    await call()
    began, cpu_s = time.perf_counter(), _cpu_s(process)
    calls = 0

    async def keep_calling() -> None:
        nonlocal calls
        while time.perf_counter() < began + CALL_S:
            await call()
            calls += 1

    await asyncio.gather(*(keep_calling() for _ in range(callers)))
    return calls / (time.perf_counter() - began), (_cpu_s(process) - cpu_s) / calls


async def transfer(call: Call, process: psutil.Process) -> tuple[float, float]:
    """Calls in a second of one that takes long, and seconds of the gateway's processor time."""
    began, cpu_s = time.perf_counter(), _cpu_s(process)
    await call()
    return 1 / (time.perf_counter() - began), _cpu_s(process) - cpu_s


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def measure(row: Row, rounds: int, process: psutil.Process) -> str:
    """A line of the table: medians of rounds in which either has its turn."""
    taken: dict[str, list[tuple[float, float]]] = {"grpc": [], "http": []}
    for _ in range(rounds):
        for way, call in (("grpc", row.grpc), ("http", row.http)):
            one = transfer(call, process) if row.size_mb else rate(call, row.callers, process)
            taken[way].append(await one)
    (grpc_rate, grpc_cpu_s), (http_rate, http_cpu_s) = (
        tuple(statistics.median(column) for column in zip(*taken[way], strict=True))
        for way in ("grpc", "http")
    )
    scale, unit = (row.size_mb, "MB/s") if row.size_mb else (1.0, "/s")
    return (
        f"| {row.name} | {grpc_rate * scale:,.0f} {unit} | {http_rate * scale:,.0f} {unit} "
        f"| {http_rate / grpc_rate:.2f} | {grpc_cpu_s * 1e3:,.1f} ms | {http_cpu_s * 1e3:,.1f} ms |"
    )


def rows(caller: Caller, data: bytes, uri: str) -> Sequence[Row]:
    """All that is measured."""
    size_mb = len(data) / 1e6
    calls = [
        Row(f"{name}, {callers} caller{'s' if callers > 1 else ''}", grpc_call, http_call, callers)
        for name, grpc_call, http_call in (
            ("GetRender", caller.get_grpc, caller.get_http),
            (f"ListRenders of {RENDERS}", caller.list_grpc, caller.list_http),
            ("first event of a watch", caller.watch_grpc, caller.watch_http),
        )
        for callers in (1, 16)
    ]
    return [
        *calls,
        Row(
            f"upload of {size_mb:.0f} MB",
            lambda: caller.upload_grpc(data),
            lambda: caller.upload_http(data),
            size_mb=size_mb,
        ),
        Row(
            f"download of {size_mb:.0f} MB",
            lambda: caller.download_grpc(uri),
            lambda: caller.download_http(uri),
            size_mb=size_mb,
        ),
    ]


async def compare(megabytes: int, rounds: int) -> None:
    """Prints the table."""
    data = os.urandom(megabytes * 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder)) as (caller, process):
            uri = await caller.upload_grpc(data)
            print("| what | gRPC | HTTP | HTTP / gRPC | gateway's CPU, gRPC | HTTP |")
            print("|---|---|---|---|---|---|")
            for row in rows(caller, data, uri):
                print(await measure(row, rounds, process), flush=True)


def main() -> None:
    """Measures as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200, help="size of the file")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each way has")
    arguments = parser.parse_args()
    asyncio.run(compare(arguments.megabytes, arguments.rounds))


if __name__ == "__main__":
    main()
