"""`soundsight info` with services elsewhere: those that are named are asked, over TLS where set."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight_kit.server import Server
from soundsight_kit.settings import KitSettings

PROGRAM = Path(sys.executable).with_name("soundsight")


async def told(*words: str, **environment: str) -> tuple[int, str]:
    """The exit code of `soundsight info WORDS`, and all it printed."""
    running = await asyncio.create_subprocess_exec(
        PROGRAM,
        "info",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )
    printed, _ = await running.communicate()
    return running.returncode or 0, printed.decode()


def described(kit: KitSettings) -> Server:
    """A service that says what it is, and nothing else."""
    return Server(kit, GetInfoResponse(implementation="own-analyzer", version="7"), [])


async def test_named_services_are_asked(tmp_path: Path) -> None:
    """Each service that is named answers under its name; one that does not makes the code 1."""
    server = described(KitSettings(listen="127.0.0.1:0"))
    target = await server.start()
    try:
        code, printed = await told(f"analyzer={target}", SOUNDSIGHT_STATE_DIR=str(tmp_path / "s"))
        assert (code, printed.split()[:3]) == (0, ["analyzer", "own-analyzer", "7"])
        code, printed = await told(f"analyzer={target}", f"composer=unix:{tmp_path}/nobody")
        assert code == 1
        assert "own-analyzer" in printed
        assert "composer     does not answer" in printed
    finally:
        await server.stop()
    assert not (tmp_path / "s").exists()  # No suite of this machine took part.


async def test_services_elsewhere_are_proved_by_the_settings_of_tls(tmp_path: Path) -> None:
    """With SOUNDSIGHT_TLS_SERVER_CA a service must prove itself; without it, TLS is not spoken."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    files = "-keyout key.pem -out certificate.pem -addext subjectAltName=DNS:localhost"
    openssl = ["openssl", *words.split(), *files.split()]
    subprocess.run(openssl, cwd=tmp_path, check=True, capture_output=True)
    certificate = tmp_path / "certificate.pem"
    kit = KitSettings(
        listen="127.0.0.1:0", tls_certificate=certificate, tls_key=tmp_path / "key.pem"
    )
    server = described(kit)
    named = f"analyzer=localhost:{(await server.start()).rpartition(':')[2]}"
    try:
        code, printed = await told(named, SOUNDSIGHT_TLS_SERVER_CA=str(certificate))
        assert (code, "own-analyzer" in printed) == (0, True)
        assert (await told(named))[0] == 1
    finally:
        await server.stop()


async def test_a_service_needs_name_and_address() -> None:
    """An address without a name is told in one line, with code 2."""
    code, printed = await told("10.0.0.7:7001")
    assert (code, printed.count("\n")) == (2, 1)
    assert "NAME=ADDRESS" in printed
