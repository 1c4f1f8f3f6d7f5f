"""The probe says what a service says of itself, over each kind of transport."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight_kit.probe import OwnCertificate, target_of
from soundsight_kit.server import Server
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import assert_eventually, running_server, socket_folder


async def ask(*words: str, **environment: str) -> tuple[int, str]:
    """Runs the probe as a container's engine does; gives its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "soundsight_kit.probe",
        *("--timeout", "60"),  # on a machine that has much else to do
        *words,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def certificate(folder: Path, who: str, names: str) -> OwnCertificate:
    """A certificate by an authority of its own, which nobody knows; files are named after `who`."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", f"{who}-ca.pem", "-subj", "/CN=ca")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    openssl("req", *key, "-keyout", f"{who}.key", "-out", f"{who}.csr", "-subj", f"/CN={who}")
    signed = ("-CA", f"{who}-ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", f"{who}.csr", "-out", f"{who}.pem", *signed)
    return OwnCertificate(folder / f"{who}.pem", folder / f"{who}.key")


def variables(own: OwnCertificate) -> dict[str, str]:
    """A certificate as a service is told of it."""
    return {
        "SOUNDSIGHT_TLS_CERTIFICATE": str(own.certificate),
        "SOUNDSIGHT_TLS_KEY": str(own.key),
    }


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "127.0.0.1:0", "[::]:0"])
async def test_a_service_that_serves_is_well(listen: str) -> None:
    """The probe finds the service where its own environment says that it listens."""
    async with running_server(kit=KitSettings(listen=listen)) as target:
        assert await ask(SOUNDSIGHT_LISTEN=target) == (0, "")


async def test_a_unix_socket_is_asked_without_tls(tmp_path: Path) -> None:
    """On a Unix socket the probe uses no TLS, as the service does not."""
    own = certificate(tmp_path, "server", "DNS:anything")
    with socket_folder() as folder:
        kit = KitSettings(listen=f"unix:{folder}/s.sock")
        async with running_server(kit=kit) as target:
            assert await ask(target, **variables(own)) == (0, "")


@pytest.mark.parametrize("mutual", [False, True])
@pytest.mark.parametrize("names", ["DNS:videogen.soundsight.svc", "DNS:*.soundsight.svc"])
async def test_over_tls_the_own_certificate_is_expected(
    tmp_path: Path, names: str, mutual: bool
) -> None:
    """Whoever signed it and whatever it is called, a service with its own certificate is well."""
    own = certificate(tmp_path, "server", names)
    kit = KitSettings(
        listen="0.0.0.0:0",
        tls_certificate=own.certificate,
        tls_key=own.key,
        tls_client_ca=tmp_path / "server-ca.pem" if mutual else None,
    )
    async with running_server(kit=kit) as target:
        assert await ask(SOUNDSIGHT_LISTEN=target, **variables(own)) == (0, "")


async def test_a_renewed_certificate_is_expected_at_once(tmp_path: Path) -> None:
    """The probe comes right after a renewal, and the service has taken it up: as the new authority
    trusts those alone whom it certified, asking with the former pair would fail."""
    own = certificate(tmp_path, "server", "DNS:videogen")
    kit = mutual_tls(tmp_path, own)
    async with running_server(kit=kit) as target:
        certificate(tmp_path, "server", "DNS:videogen")
        assert await ask(SOUNDSIGHT_LISTEN=target, **variables(own)) == (0, "")


@pytest.mark.parametrize("wrong", ["server.key", "server.pem", "server-ca.pem"])
async def test_a_service_that_goes_on_with_its_former_files_is_well(
    tmp_path: Path, wrong: str
) -> None:
    """Files that the service cannot use do not have it ended, whichever is wrong."""
    own = certificate(tmp_path, "server", "DNS:videogen")
    kit = mutual_tls(tmp_path, own)
    async with running_server(kit=kit) as target:
        certificate(tmp_path, "server", "DNS:videogen")
        (tmp_path / wrong).write_text("nonsense\n")
        assert await ask(SOUNDSIGHT_LISTEN=target, **variables(own)) == (0, "")


def mutual_tls(folder: Path, own: OwnCertificate) -> KitSettings:
    return KitSettings(
        listen="127.0.0.1:0",
        tls_certificate=own.certificate,
        tls_key=own.key,
        tls_client_ca=folder / "server-ca.pem",
    )


async def test_a_server_without_tls_is_not_well(tmp_path: Path) -> None:
    """Where TLS is expected, one that speaks plain text is not the service."""
    own = certificate(tmp_path, "own", "DNS:videogen")
    async with running_server(kit=KitSettings(listen="127.0.0.1:0")) as target:
        code, said = await ask(SOUNDSIGHT_LISTEN=target, **variables(own))
    assert code == 1
    assert said.startswith(f"probe: {target}: ")
    assert said.count("\n") == 1


async def test_a_service_that_drains_is_not_well() -> None:
    """Told to end, a service says so while its work goes on, and the probe passes it on."""
    told, done = asyncio.Event(), asyncio.Event()

    async def drain() -> None:
        told.set()
        await done.wait()

    server = Server(KitSettings(listen="127.0.0.1:0"), GetInfoResponse(), [], drain)
    target = await server.start()
    stopping = asyncio.create_task(server.stop())
    await assert_eventually(told.is_set)
    assert await ask(target) == (1, f"probe: {target} says NOT_SERVING\n")
    done.set()
    await stopping


async def test_where_nobody_listens_is_not_well() -> None:
    """A target at which nothing answers gives one line and exit code 1, in time."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # Taken, but not listened on: no call gets through.
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        code, said = await ask(target, "--timeout", "3")
    assert code == 1
    assert said.startswith(f"probe: {target}: ")
    assert said.count("\n") == 1


async def test_without_a_target_it_says_what_it_needs() -> None:
    """Called with neither a target nor the variable, the probe names both."""
    code, said = await ask()
    assert code == 2
    assert "name a target, or set SOUNDSIGHT_LISTEN" in said


def test_every_address_is_asked_at_the_loopback() -> None:
    """A service on every address is asked at the loopback address of the same family."""
    assert target_of("0.0.0.0:7001") == "127.0.0.1:7001"
    assert target_of("[::]:7001") == "[::1]:7001"
    assert target_of("unix:/run/s.sock") == "unix:/run/s.sock"
    assert target_of("10.1.2.3:7001") == "10.1.2.3:7001"
