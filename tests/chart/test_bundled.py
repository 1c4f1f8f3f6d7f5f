"""The bundled servers as the chart starts them: real ones, on loopback ports."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chart.rendering import PLAIN, TRIAL, container, merged, of_kind, plain_environment, render

from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.testing import free_ports

PORTS = tuple(
    name + kind for name in ("master", "volume", "filer", "s3") for kind in (".port", ".port.grpc")
)


@contextmanager
def object_store(folder: Path, secret: dict[str, Any], command: list[str]) -> Iterator[str]:
    """Runs the rendered command with its folders here and its ports on loopback; yields the
    endpoint of S3."""
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(secret["stringData"]["s3.json"])
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    moved = [
        word.replace("=/data", f"={folder / 'data'}").replace("/etc/seaweedfs", str(folder))
        for word in command[1:]
        if not word.startswith(("-s3.port=", "-s3.ip.bind="))
    ]
    program = Path(sys.executable).with_name("weed")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [program, *moved, *(f"-{name}={port}" for name, port in ports.items())],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        yield f"http://127.0.0.1:{ports['s3.port']}"
    finally:
        server.kill()
        server.wait()
        for port in ports.values():
            for left_over in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left_over.unlink(missing_ok=True)


async def test_the_bundled_object_store_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the chart's command, identities and variables a service's first file makes the bucket
    and can be read; with another key nothing is told."""
    manifests = render(merged(PLAIN, TRIAL, {"artifacts": {"kind": "bundled"}}))
    (secret,) = of_kind(manifests, "Secret")
    told = plain_environment(manifests, "videogen-default")
    server = container(manifests, "objectstore")
    probe = server["readinessProbe"]["httpGet"]
    with object_store(tmp_path, secret, server["command"]) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_REGION", told["AWS_REGION"])
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, secret["stringData"][name])
        wait_until_up(endpoint + probe["path"])
        store = ArtifactStore.open(told["SOUNDSIGHT_ARTIFACTS_URL"])
        stored = await store.put_bytes("projects/p/clips/one", b"a film")
        assert await store.get_bytes(stored, 100) == b"a film"
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        stranger = ArtifactStore.open(told["SOUNDSIGHT_ARTIFACTS_URL"])
        with pytest.raises(Exception, match=r"403|Forbidden|SignatureDoesNotMatch|AccessDenied"):
            await stranger.get_bytes(stored, 100)


def wait_until_up(url: str) -> None:
    """Waits until a probe's URL answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


def test_the_identities_are_the_services_own() -> None:
    """The server knows one identity: the key that services are given."""
    manifests = render(merged(PLAIN, TRIAL, {"artifacts": {"kind": "bundled"}}))
    (secret,) = of_kind(manifests, "Secret")
    (identity,) = json.loads(secret["stringData"]["s3.json"])["identities"]
    (credentials,) = identity["credentials"]
    assert credentials == {
        "accessKey": secret["stringData"]["AWS_ACCESS_KEY_ID"],
        "secretKey": secret["stringData"]["AWS_SECRET_ACCESS_KEY"],
    }
