"""A gateway in front of scripted services: real calls, real job store, clips of a few bytes."""

from __future__ import annotations

import asyncio
import math
import struct
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from soundsight_cli.state import StateFolder
from soundsight_gateway.app import working_gateway
from soundsight_gateway.settings import GatewaySettings
from soundsight_gateway.testing import ScriptedServices, scripted_services
from soundsight_kit.server import Server
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import socket_folder


@dataclass(frozen=True)
class Told:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class ScriptedSuite:
    """A gateway that works on a state folder, and what is behind it."""

    state: StateFolder
    gateway: str
    services: ScriptedServices

    async def __call__(self, *words: str | Path) -> Told:
        """Runs a command on this gateway, from the test's own state folder."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "soundsight_cli", "--gateway", self.gateway),
            *("--state-dir", str(self.state.root), *map(str, words)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 300)
        return Told(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def scripted_suite(state: StateFolder, **changed: Any) -> AsyncIterator[ScriptedSuite]:
    """Runs a gateway whose job store and artifacts are those of a state folder."""
    state.create()
    state.lease.touch()
    with socket_folder() as sockets:
        async with scripted_services(state.root, sockets) as services:
            kit = KitSettings(
                listen=f"unix:{sockets}/gateway.sock",
                artifacts_url=services.artifacts_url,
                scratch_dir=state.scratch / "gateway",
                drain_grace_s=5.0,
            )
            values = {
                "database_url": f"sqlite:///{state.database}",
                "analyzer": services.targets["analyzer"],
                "scenewriter": services.targets["scenewriter"],
                "composer": services.targets["composer"],
                "video_endpoints": (services.targets["videogen"],),
                "queue_polling_s": 0.05,
                "retry_first_s": 0.05,
                "retry_attempts": 2,
                "recover_on_start": "none",
                **changed,
            }
            async with working_gateway(kit, GatewaySettings(**values)) as gateway:

                async def drain() -> None:
                    gateway.leave()
                    await gateway.engine.leave()

                server = Server(kit, gateway.info, gateway.services, drain)
                target = await server.start()
                try:
                    yield ScriptedSuite(state, target, services)
                finally:
                    await server.stop()
    for left in state.scratch.iterdir():
        left.rmdir()  # A supervisor would have emptied it.


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song: two seconds of a tone, as WAV."""
    path = tmp_path_factory.mktemp("song") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        waves = (round(8000 * math.sin(i / 8)) for i in range(16000))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in waves))
    return path


@pytest.fixture(scope="session")
def scripted() -> Any:
    """`scripted_suite`, for tests that are told of fixtures alone."""
    return scripted_suite
