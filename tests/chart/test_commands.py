"""Commands that manifests hold are run as they stand, by the programs that the images hold too."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from chart.rendering import PLAIN, merged, only, pod, render, render_profile
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from soundsight_gateway.http.server import http_served
from soundsight_gateway.settings import GatewaySettings
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import certify

PROGRAMS = Path(sys.executable).parent


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a container's command, its program taken from this environment."""
    words = [str(PROGRAMS / command[0]), *command[1:]]
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def test_pods_wait_for_the_mark_that_the_job_leaves(tmp_path: Path) -> None:
    """What the Job runs last ends the waiting of the pods."""
    manifests = render_profile("gpu")
    (marking,) = only(manifests, "Job")["spec"]["template"]["spec"]["containers"]
    (waiting,) = pod(manifests, "videogen-default").spec["initContainers"]
    mark = str(tmp_path) + marking["command"][-1].removeprefix("/models")
    waiter = subprocess.Popen([str(PROGRAMS / "python"), *waiting["command"][1:-1], mark])
    try:
        assert waiter.poll() is None
        assert run([*marking["command"][:-1], mark]).returncode == 0
        assert waiter.wait(timeout=60) == 0
    finally:
        waiter.kill()
        waiter.wait()
    assert run([*marking["command"][:-1], mark]).returncode == 0  # again, after an eviction


def test_the_job_asks_the_hub_in_its_own_words() -> None:
    """The hub's program knows every option that the Job gives it."""
    (job,) = [one for one in render_profile("gpu") if one["kind"] == "Job"]
    (fetching,) = job["spec"]["template"]["spec"]["initContainers"]
    options = ["--revision", "main", "--include", "*.json", "--include", "*.safetensors"]
    told = run([*fetching["command"], *options, "--help"])
    assert told.returncode == 0, told.stderr


def test_the_tests_of_a_release_can_be_typed(tmp_path: Path) -> None:
    """The command line takes the words of `helm test`, and gets as far as asking the gateway."""
    song = tmp_path / "song.flac"
    song.write_bytes(b"fLaC")
    test = pod(render_profile("gpu"), "test").spec
    (rendering,), (asking, _) = test["containers"], test["initContainers"]
    words = [
        word.replace("/usr/share/soundsight/first-light.flac", str(song))
        .replace("s-soundsight-gateway:7000", f"unix:{tmp_path}/nobody")
        .replace("/tmp/video.mp4", str(tmp_path / "video.mp4"))
        for word in rendering["command"]
    ]
    told = run(words, SOUNDSIGHT_STATE_DIR=str(tmp_path / "state"))
    assert (told.returncode, "no gateway answers" in told.stderr) == (1, True), told.stderr
    nobody = [
        f"{word.partition('=')[0]}=unix:{tmp_path}/nobody" if "=" in word else word
        for word in asking["command"]
    ]
    told = run(nobody, SOUNDSIGHT_STATE_DIR=str(tmp_path / "state"))
    assert (told.returncode, told.stdout.count("does not answer")) == (1, 4), told.stderr


def certificate(folder: Path) -> KitSettings:
    """A server's and a caller's certificate in one, for localhost, as services are told of it."""
    certify(folder, "tls")
    return KitSettings(
        tls_certificate=folder / "tls.pem",
        tls_key=folder / "tls.key",
        tls_client_ca=folder / "ca.pem",
    )


@asynccontextmanager
async def health_over_http(
    kit: KitSettings, status: health_pb2.HealthCheckResponse.ServingStatus.ValueType
) -> AsyncIterator[str]:
    """The gateway's HTTP server before a gRPC server of that health; yields localhost:port."""
    settings = GatewaySettings(http_listen="127.0.0.1:0", http_hosts=("render.org",))
    async with http_served(kit, settings) as http:
        assert http is not None
        server = grpc.aio.server()
        health = HealthServicer()
        health.set("", status)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        server.add_insecure_port(f"unix:{http.grpc_socket}")
        await server.start()
        try:
            yield f"localhost:{http.address.rpartition(':')[2]}"
        finally:
            await server.stop(None)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_the_tests_of_a_release_ask_over_http(secure: bool, tmp_path: Path) -> None:
    """`helm test` is content with a gateway that serves, over TLS too, and otherwise says in one
    line what is wrong."""
    kit = certificate(tmp_path) if secure else KitSettings()
    environment = {
        "SOUNDSIGHT_TLS_SERVER_CA": str(kit.tls_client_ca),
        "SOUNDSIGHT_TLS_CERTIFICATE": str(kit.tls_certificate),
        "SOUNDSIGHT_TLS_KEY": str(kit.tls_key),
    }
    hosts = {"settings": {"SOUNDSIGHT_GATEWAY_HTTP_HOSTS": "render.org,localhost"}}
    tls = {"enabled": secure, "certManager": {"enabled": True}}
    manifests = render(merged(PLAIN, {"gateway": hosts, "tls": tls}))
    asking = pod(manifests, "test").spec["initContainers"][1]["command"]
    at = "s-soundsight-gateway:8080"

    async def asked(
        status: health_pb2.HealthCheckResponse.ServingStatus.ValueType, host: str
    ) -> subprocess.CompletedProcess[str]:
        async with health_over_http(kit, status) as address:
            words = [word.replace(at, address).replace("render.org", host) for word in asking]
            return await asyncio.to_thread(run, words, **(environment if secure else {}))

    told = asyncio.run(asked(health_pb2.HealthCheckResponse.SERVING, "render.org"))
    assert (told.returncode, "SERVING" in told.stdout) == (0, True), told.stderr
    for status, host, wrong in (
        (health_pb2.HealthCheckResponse.NOT_SERVING, "render.org", "503"),
        (health_pb2.HealthCheckResponse.SERVING, "other.org", "421"),
    ):
        told = asyncio.run(asked(status, host))
        assert (told.returncode, told.stderr.count("\n")) == (1, 1), told.stderr
        assert f"/healthz: HTTP Error {wrong}" in told.stderr
