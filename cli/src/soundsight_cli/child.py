"""One process of the suite: how it is started, when it is up, how it is ended."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grpc_health.v1 import health_pb2, health_pb2_grpc

from soundsight_cli import end_with_parent
from soundsight_kit.channels import open_channel

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
LOG_BYTES = 10_000_000
"""A log file larger than this is put aside when its service starts."""


class SuiteError(Exception):
    """The suite cannot run; the message is one line for the user."""


@dataclass
class Child(abc.ABC):
    """A program of the suite and its present process."""

    name: str
    target: str
    environment: Mapping[str, str]
    log: Path
    scratch: Path
    """Its files of work in progress, its own alone: what a killed process left there goes."""
    changes_again: Mapping[str, str] = field(default_factory=dict)
    """What its environment has more when it is started again."""
    process: asyncio.subprocess.Process | None = None
    restarts: list[float] = field(default_factory=list)

    @abc.abstractmethod
    def command(self) -> Sequence[str]:
        """What is run."""

    @abc.abstractmethod
    async def serving(self) -> None:
        """Returns once it answers.

        Raises:
            SuiteError: when its process ends first, or nothing is heard in time.
        """

    @property
    def title(self) -> str:
        """What it is called in a line for a person."""
        return f"the {self.name} service"

    async def spawn(self, lock: int) -> None:
        """Starts the process in an empty scratch folder; its output goes to its log.

        Args:
            lock: a descriptor that the process keeps open as long as it lives.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *_ends_with_us(self.command()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                pass_fds=(lock,),
                # A session of its own: Ctrl-C in a terminal is the command's to handle.
                start_new_session=True,
            )

    def last_words(self) -> str:
        """Returns the last line of the log, and where to read more."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"{_plain(lines[-1]) if lines else 'no reason given'} (see {self.log})"

    async def stop(self) -> None:
        """Asks the process to end, and ends it when it does not."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.kill_group()
            await self.process.wait()

    def kill_group(self) -> None:
        """Ends what the process started and left behind, and the process itself."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Service(Child):
    """A gRPC service of ours."""

    def command(self) -> Sequence[str]:
        """The service's module, by this Python."""
        return sys.executable, "-m", f"soundsight_{self.name}"

    async def serving(self) -> None:
        """Returns once the service says that it is serving; raises as `Child.serving`."""
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        async with open_channel(self.target) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < deadline:
                if self.process.returncode is not None:
                    raise SuiteError(f"{self.title} cannot start: {self.last_words()}")
                with contextlib.suppress(Exception):
                    answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                await asyncio.sleep(0.05)
        raise SuiteError(f"{self.title} says nothing; see {self.log}")


def _ends_with_us(command: Sequence[str]) -> Sequence[str]:
    """The command as one that ends when this process dies without a word."""
    program = str(end_with_parent.__file__)
    return sys.executable, "-I", "-S", program, str(os.getpid()), *command


def _plain(line: str) -> str:
    """Returns what a line of a log says: services write JSON, what breaks them often does not."""
    try:
        said = json.loads(line)
        reasons = [said[key] for key in ("why", "error", "exception") if said.get(key)]
        last = [str(reason).strip().splitlines()[-1] for reason in reasons[:1]]
        return ": ".join([said["event"], *last])
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return line
