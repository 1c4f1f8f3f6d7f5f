"""A real Prometheus and its promtool, where they are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart.rendering import Manifest, only

from soundsight_kit.testing import free_ports

START_TIMEOUT_S = 60.0


def program(name: str) -> str:
    """Where `prometheus` or `promtool` is; skips the test where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: install the package prometheus of Debian or Ubuntu")
    return found


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What promtool answers."""
    command = [program("promtool"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(manifests: Sequence[Manifest], folder: Path) -> Path:
    """The file of rules that the Prometheus operator makes of the manifests."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(only(manifests, "PrometheusRule")["spec"]))
    return file


@dataclass(frozen=True)
class Prometheus:
    """One that runs and scrapes every second."""

    url: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What an expression comes to now: for each series `metric`, its labels, and `value`."""
        result: list[dict[str, Any]] = self.get("query", query=query)["result"]
        return result

    def get(self, path: str, **parameters: str) -> Any:
        """The data that its API has under a path. Raises AssertionError with its complaint."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error


@contextmanager
def running_prometheus(
    folder: Path, targets: Mapping[str, Mapping[str, str]], rules: Path
) -> Iterator[Prometheus]:
    """Runs one on loopback.

    Args:
        folder: where it keeps what it scrapes.
        targets: the labels of what it scrapes, by address.
        rules: the alerts that it evaluates.
    """
    scraped = [{"targets": [at], "labels": {**labels}} for at, labels in targets.items()]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "suite", "static_configs": scraped}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        prometheus = Prometheus(f"http://{address}")
        _wait_for(f"{prometheus.url}/-/ready", server, log)
        yield prometheus
    finally:
        server.kill()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
