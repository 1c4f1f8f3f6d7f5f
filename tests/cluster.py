"""A cluster on one machine: gateways and services in processes of their own, a Postgres and an S3
server that they share, and one address for all gateways, as a Service of Kubernetes is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from soundsight_client.client import Client
from soundsight_gateway.testing.postgres import PostgresServer
from soundsight_kit.channels import open_channel
from soundsight_kit.testing_links import Link, bad_link
from soundsight_kit.testing_s3 import S3Server

START_TIMEOUT_S = 90.0


class Part:
    """One process of the cluster."""

    def __init__(self, process: subprocess.Popen[bytes], target: str, log: Path) -> None:
        self.target = target
        self.log = log
        self._process = process

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it did."""
        return self._process.poll()

    def kill(self) -> None:
        """kill -9, for good."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """It stands still."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It goes on as if nothing had been."""
        self._process.send_signal(signal.SIGCONT)


@dataclass
class Cluster:
    """What runs, and where it keeps things.

    `folder` has a short path: sockets lie in it.
    """

    folder: Path
    postgres: PostgresServer
    objects: S3Server
    database_url: str
    artifacts_url: str
    link: Link
    parts: dict[str, Part] = field(default_factory=dict)

    async def start(self, name: str, module: str, *options: str, **settings: str) -> Part:
        """Starts a part, and returns when it answers."""
        target = f"unix:{self.folder}/{name}.sock"
        log = self.folder / f"{name}.log"
        scratch = self.folder / f"{name}.scratch"
        scratch.mkdir()
        environment = {
            **os.environ,
            **self.objects.environment(),
            "SOUNDSIGHT_LISTEN": target,
            "SOUNDSIGHT_ARTIFACTS_URL": self.artifacts_url,
            "SOUNDSIGHT_SCRATCH_DIR": str(scratch),
            "SOUNDSIGHT_LOG_FORMAT": "json",
            "SOUNDSIGHT_DRAIN_GRACE_S": "2",
            **settings,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *options], env=environment, stderr=output
            )
        part = self.parts[name] = Part(process, target, log)
        async with open_channel(target) as channel:
            await asyncio.wait_for(channel.channel_ready(), START_TIMEOUT_S)
        return part

    async def start_gateway(self, number: int, **services: str) -> Part:
        """Starts a gateway; `services` are the targets of those that it calls."""
        targets = {f"SOUNDSIGHT_GATEWAY_{name.upper()}": at for name, at in services.items()}
        part = await self.start(
            f"gateway-{number}",
            "soundsight_gateway",
            SOUNDSIGHT_GATEWAY_DATABASE_URL=self.database_url,
            SOUNDSIGHT_GATEWAY_EXECUTOR_ID=f"gateway-{number}",
            **targets,
        )
        self.link.upstream = part.target
        return part

    def turn_to(self, gateway: Part) -> None:
        """Lets the address lead to another gateway; who is connected must connect anew."""
        self.link.upstream = gateway.target
        self.link.cut()

    def client(self) -> Client:
        """Somebody who calls whichever gateway the address leads to."""
        return Client(self.link.target, project="projects/demo")

    def logs(self) -> str:
        """The ends of all logs, to be shown when something failed."""
        return "\n".join(
            f"--- {name}\n" + "\n".join(part.log.read_text().splitlines()[-12:])
            for name, part in self.parts.items()
        )


@asynccontextmanager
async def running_cluster(
    folder: Path, postgres: PostgresServer, objects: S3Server
) -> AsyncIterator[Cluster]:
    """An empty cluster, whose parts are killed at the end of the block."""
    with postgres.database() as name:
        url = (
            f"postgresql://postgres@{postgres.socket.rpartition('/')[0].replace('/', '%2F')}/{name}"
        )
        async with bad_link("127.0.0.1:9") as link:
            artifacts_url = f"s3://{objects.bucket}/{name}"
            cluster = Cluster(folder, postgres, objects, url, artifacts_url, link)
            try:
                yield cluster
            finally:
                for part in cluster.parts.values():
                    part.go_on()
                    part.kill()


@dataclass(frozen=True)
class Filmed:
    """What videogens have done, by their record: see `VideogenLog.record`."""

    begun: Counter[str]
    filmed: Counter[str]
    begun_again: list[str]
    """Clips that were begun although they were finished already."""

    @classmethod
    def read(cls, record: Path) -> Filmed:
        """What stands in a record."""
        begun: Counter[str] = Counter()
        filmed: Counter[str] = Counter()
        again = []
        for line in sorted(record.read_text().splitlines()) if record.exists() else []:
            _, what, key = line.split()
            if what == "begun":
                begun[key] += 1
                again += [key] if filmed[key] else []
            else:
                filmed[key] += 1
        return cls(begun, filmed, again)
