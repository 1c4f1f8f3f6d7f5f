"""What the gateway's tests share: databases, scripted services, and whole gateways."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import struct
import sys
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import artifacts_pb2, artifacts_pb2_grpc, render_pb2, render_pb2_grpc
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states
from soundsight_gateway.app import Gateway, working_gateway
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.http.server import http_served
from soundsight_gateway.settings import GatewaySettings
from soundsight_gateway.testing import ScriptedServices, scripted_services
from soundsight_gateway.testing.postgres import PostgresServer, running_postgres
from soundsight_kit.channels import open_channel
from soundsight_kit.server import Server
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import socket_folder

PATIENCE_S = 120.0
"""For what comes within moments, or never: ample for a machine that has much else to do."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """An embedded Postgres that lives as long as the tests."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of an empty Postgres database of the test's own."""
    with postgres_server.database() as name:
        url = sa.make_url(postgres_server.url).set(database=name)
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'store' / 'gateway.sqlite'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


class Caller:
    """Somebody who calls a gateway."""

    def __init__(self, target: str, parent: str = "projects/demo") -> None:
        self.target = target
        self.parent = parent
        self.channel = open_channel(target)
        self.renders = render_pb2_grpc.RenderServiceStub(self.channel)
        self.files = artifacts_pb2_grpc.ArtifactServiceStub(self.channel)
        self.http = ""
        """Where the gateway serves HTTP, if it does."""
        self.gateway_leaves: Callable[[], Awaitable[None]] | None = None
        """Drains the gateway, where it runs in this process."""

    async def upload(self, data: bytes, upload_id: str = "upload-0001") -> common_pb2.ArtifactRef:
        """Uploads a file in one go."""

        async def requests() -> AsyncIterator[artifacts_pb2.UploadRequest]:
            header = artifacts_pb2.UploadHeader(
                parent=self.parent, upload_id=upload_id, size_bytes=len(data)
            )
            yield artifacts_pb2.UploadRequest(header=header)
            for start in range(0, len(data), 1 << 20):
                yield artifacts_pb2.UploadRequest(chunk=data[start : start + (1 << 20)])

        response = await self.files.Upload(requests(), timeout=PATIENCE_S)
        return response.artifact

    async def create(self, spec: r.RenderSpec, **more: Any) -> r.Render:
        """Creates a render."""
        request = render_pb2.CreateRenderRequest(parent=self.parent, **more)
        request.render.spec.CopyFrom(spec)
        return await self.renders.CreateRender(request, timeout=PATIENCE_S)

    async def get(self, name: str) -> r.Render:
        """Reads a render."""
        return await self.renders.GetRender(
            render_pb2.GetRenderRequest(name=name), timeout=PATIENCE_S
        )

    async def cancel(self, name: str) -> r.Render:
        """Cancels a render."""
        request = render_pb2.CancelRenderRequest(name=name)
        return await self.renders.CancelRender(request, timeout=PATIENCE_S)

    async def watch(self, name: str, after: int = 0, **more: Any) -> list[r.RenderEvent]:
        """Watches a render to its end."""
        request = render_pb2.WatchRenderRequest(name=name, after_sequence=after, **more)
        return [event async for event in self.renders.WatchRender(request, timeout=PATIENCE_S)]

    async def ended(self, name: str, within_s: float = PATIENCE_S) -> r.Render:
        """Waits until a render has ended, and reads it."""
        await self.reaches(name, *states.FINAL, within_s=within_s)
        return await self.get(name)

    async def reaches(self, name: str, *wanted: states.State, within_s: float = PATIENCE_S) -> None:
        """Waits until a render is in one of some states."""

        async def there() -> bool:
            return (await self.get(name)).state in wanted

        names = ", ".join(map(states.label, wanted))
        until = time.monotonic() + within_s
        while not await there():
            assert time.monotonic() < until, f"{name} is not {names} after {within_s:g} s"
            await asyncio.sleep(0.05)


class Bench:
    """Scripted services, and gateways in front of them."""

    def __init__(
        self, folder: Path, sockets: Path, services: ScriptedServices, used_database: Path
    ) -> None:
        self.folder = folder
        self.sockets = sockets
        self.services = services
        self.database_url = f"sqlite:///{shutil.copy(used_database, folder)}"
        self.gateways = 0

    def kit(self) -> KitSettings:
        """Settings of a gateway in this process."""
        self.gateways += 1
        return KitSettings(
            listen=f"unix:{self.sockets}/gateway-{self.gateways}.sock",
            artifacts_url=self.services.artifacts_url,
            scratch_dir=self.folder,
            drain_grace_s=5.0,
        )

    def settings(self, **changed: Any) -> GatewaySettings:
        """Settings of a gateway: short pauses, and this bench's services."""
        targets = self.services.targets
        values = {
            "database_url": self.database_url,
            "analyzer": targets["analyzer"],
            "scenewriter": targets["scenewriter"],
            "composer": targets["composer"],
            "video_endpoints": (targets["videogen"],),
            "executor_id": "bench",
            "queue_polling_s": 0.05,
            "retry_first_s": 0.05,
            "pool_patience_s": 60.0,
            "sweep_interval_s": 3600.0,
            **changed,
        }
        return GatewaySettings(**values)

    @asynccontextmanager
    async def gateway(self, **changed: Any) -> AsyncIterator[Caller]:
        """A gateway in this process; yields somebody who calls it."""
        kit = self.kit()
        async with AsyncExitStack() as stack:
            settings = self.settings(**changed)
            http = await stack.enter_async_context(http_served(kit, settings))
            gateway = await stack.enter_async_context(working_gateway(kit, settings))
            socket = http.grpc_socket if http else None
            server = Server(kit, gateway.info, gateway.services, _drain(gateway), socket)
            caller = Caller(await server.start())
            caller.http = f"http://{http.address}" if http else ""
            caller.gateway_leaves = _drain(gateway)
            try:
                yield caller
            finally:
                await caller.channel.close()
                await server.stop()

    async def cut_off_from_database(self) -> None:
        """Ends every session that anybody has with the Postgres database."""
        await self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    async def run(self, statement: str) -> None:
        """Runs a statement on the database."""
        database = Database(create_engine(self.database_url))
        await database.write(lambda c: c.execute(sa.text(statement)))
        database.close()

    @asynccontextmanager
    async def child(self, **environment: str) -> AsyncIterator[Child]:
        """A gateway in a process of its own, killed at the end if it still runs."""
        self.gateways += 1
        target = f"unix:{self.sockets}/gateway-{self.gateways}.sock"
        settings = {
            "SOUNDSIGHT_LISTEN": target,
            "SOUNDSIGHT_SCRATCH_DIR": str(self.folder),
            "SOUNDSIGHT_LOG_FORMAT": "json",
            "SOUNDSIGHT_GATEWAY_DATABASE_URL": self.database_url,
            "SOUNDSIGHT_GATEWAY_EXECUTOR_ID": "bench",
            "SOUNDSIGHT_GATEWAY_QUEUE_POLLING_S": "0.05",
            "SOUNDSIGHT_GATEWAY_RETRY_FIRST_S": "0.05",
            **self.services.environment(),
            **environment,
        }
        log = self.folder / f"gateway-{self.gateways}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "soundsight_gateway",
                env={**os.environ, **settings},
                stderr=stderr,
            )
        caller = Caller(target)
        try:
            await asyncio.wait_for(caller.channel.channel_ready(), PATIENCE_S)
            yield Child(process, caller, log)
        finally:
            await caller.channel.close()
            if process.returncode is None:
                process.kill()
                await process.wait()


class Child:
    """A gateway in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, caller: Caller, log: Path) -> None:
        self.process = process
        self.caller = caller
        self.log = log

    async def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


def _drain(gateway: Gateway) -> Callable[[], Awaitable[None]]:
    async def drain() -> None:
        gateway.leave()
        await gateway.engine.leave()

    return drain


@pytest.fixture(scope="session")
def used_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that a gateway has run on, without renders.

    On a new one the workflow engine finds its queue only after a second.
    """
    folder = tmp_path_factory.mktemp("used")
    file = folder / "gateway.sqlite"
    kit = KitSettings(artifacts_url=(folder / "artifacts").as_uri(), scratch_dir=folder)

    async def run_once() -> None:
        async with working_gateway(kit, GatewaySettings(database_url=f"sqlite:///{file}")):
            pass

    asyncio.run(run_once())
    return file


@pytest.fixture
async def bench(tmp_path: Path, used_database: Path) -> AsyncIterator[Bench]:
    """Scripted services and a place for gateways."""
    with socket_folder() as sockets:
        async with scripted_services(tmp_path, sockets) as services:
            yield Bench(tmp_path, sockets, services, used_database)


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A song: two seconds of a tone, as WAV."""
    path = tmp_path_factory.mktemp("song") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        tone = (round(8000 * math.sin(i / 8)) for i in range(16000))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in tone))
    return path.read_bytes()
