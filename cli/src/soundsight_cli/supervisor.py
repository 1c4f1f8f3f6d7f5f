"""Runs the whole suite on one machine: each service a child process on a Unix socket.

The supervisor is a process of its own, so that no command that uses the suite
takes it away from another by ending. It goes when the last command has gone
(see `locks`), when it is told to (SIGTERM), or when a service cannot be kept up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from soundsight_cli import locks
from soundsight_cli.state import StateFolder, SuiteRecord
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.channels import open_channel

SERVICES = ("analyzer", "scenewriter", "videogen", "composer", "gateway")
"""In the order in which they are started; they are stopped the other way round."""

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
DRAIN_GRACE_S = 5.0
"""So long a service that is told to end may finish what it does."""
IDLE_GRACE_S = 2.0
RESTARTS = 5
"""So many restarts within `RESTART_WINDOW_S` are borne before the suite gives up."""
RESTART_WINDOW_S = 120.0
LOG_BYTES = 10_000_000
"""A log file larger than this is put aside when its service starts."""

_SOCKETS_PREFIX = "soundsight-"
_PR_SET_PDEATHSIG = 1


class SuiteError(Exception):
    """The suite cannot run; the message is one line for the user."""


@dataclass
class _Service:
    """A service and its present process."""

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

    async def spawn(self, lock: int) -> None:
        """Starts the service's process in an empty scratch folder; its output goes to its log.

        Args:
            lock: a descriptor that the process keeps open as long as it lives.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"soundsight_{self.name}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                pass_fds=(lock,),
                # A session of its own: Ctrl-C in a terminal is the command's to handle.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    async def serving(self) -> None:
        """Returns once the service says that it is serving.

        Raises:
            SuiteError: when its process ends first, or nothing is heard in time.
        """
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        async with open_channel(self.target) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < deadline:
                if self.process.returncode is not None:
                    raise SuiteError(f"the {self.name} service cannot start: {self.last_words()}")
                with contextlib.suppress(Exception):
                    answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                await asyncio.sleep(0.05)
        raise SuiteError(f"the {self.name} service says nothing; see {self.log}")

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
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


def _plain(line: str) -> str:
    """Returns what a line of a log says: services write JSON, what breaks them often does not."""
    try:
        said = json.loads(line)
        reasons = [said[key] for key in ("why", "error", "exception") if said.get(key)]
        last = [str(reason).strip().splitlines()[-1] for reason in reasons[:1]]
        return ": ".join([said["event"], *last])
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return line


def _end_with_parent() -> None:
    """In a fresh child: has the kernel end it when the supervisor dies without a word."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Keeps the services of one state folder up.

    Args:
        state: the folder.
        listen: where the gateway listens instead of a Unix socket, such as
            `127.0.0.1:8443`.
        until_idle: whether to end when no command uses the suite any more.
    """

    def __init__(self, state: StateFolder, *, listen: str | None, until_idle: bool) -> None:
        self._state = state
        self._listen = listen
        self._until_idle = until_idle

    async def run(self) -> None:
        """Runs the suite until it is told to end or is idle.

        Raises:
            SuiteError: when another suite uses the folder, or a service cannot be kept up.
        """
        self._state.create()
        with locks.exclusive_if_free(self._state.lock) as ours:
            if not ours:
                raise SuiteError(f"a suite already runs on {self._state.root}")
            self._state.forget_record()
            async with self._alone() as lock:
                await self._remove_what_was_left()
                with self._socket_folder() as sockets:
                    services = self._services(sockets)
                    try:
                        await self._run(services, lock)
                    except SuiteError as error:
                        # Commands read the log's last line as soon as the record is gone, and the
                        # line that this process ends with comes later.
                        if self._until_idle:
                            print(f"soundsight: {error}", flush=True)
                        raise
                    finally:
                        self._state.forget_record()
                        for service in reversed(services):
                            await service.stop()
                        self._empty_scratch()

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[int]:
        """Waits until no service of a supervisor that was killed is left; they end by themselves.

        Yields a descriptor: whoever has it open makes the next supervisor wait.

        Raises:
            SuiteError: when one does not end.
        """
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while True:
            with locks.exclusive_to_hand_on(self._state.services_lock) as lock:
                if lock is not None:
                    yield lock
                    return
            if time.monotonic() > deadline:
                raise SuiteError(
                    f"services of an earlier suite on {self._state.root} do not end; end the "
                    f"processes that have {self._state.services_lock} open, then try again"
                )
            await asyncio.sleep(0.1)

    async def _remove_what_was_left(self) -> None:
        """Removes the work in progress of a suite that was killed."""
        self._empty_scratch()
        await ArtifactStore.open(self._state.artifacts.as_uri()).discard_abandoned()

    def _empty_scratch(self) -> None:
        shutil.rmtree(self._state.scratch, ignore_errors=True)
        self._state.scratch.mkdir()

    @contextlib.contextmanager
    def _socket_folder(self) -> Iterator[Path]:
        """A folder for the sockets; that of a supervisor which was killed goes first.

        Not below the state folder: a socket's path has at most 107 bytes. A link there leads to it.
        """
        link = self._state.sockets
        if link.is_symlink():
            left = link.readlink()
            if left.name.startswith(_SOCKETS_PREFIX) and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            link.unlink()
        with tempfile.TemporaryDirectory(prefix=_SOCKETS_PREFIX, dir=_socket_root()) as folder:
            link.symlink_to(folder)
            try:
                yield Path(folder)
            finally:
                link.unlink(missing_ok=True)

    async def _run(self, services: list[_Service], lock: int) -> None:
        for service in services:
            await service.spawn(lock)
        told = _told_to_end()
        await _first(told.wait(), asyncio.gather(*(service.serving() for service in services)))
        if told.is_set():
            return
        record = SuiteRecord(
            {service.name: service.target for service in services},
            os.getpid(),
            stays=not self._until_idle,
        )
        self._state.write_record(record)
        print(f"soundsight: serving on {record.gateway}", flush=True)
        reasons_to_end: list[Awaitable[Any]] = [
            told.wait(),
            *(self._keep_up(service, lock) for service in services),
        ]
        if self._until_idle:
            reasons_to_end.append(self._idle())
        await _first(*reasons_to_end)

    async def _keep_up(self, service: _Service, lock: int) -> None:
        """Restarts a service whose process ends, with growing pauses."""
        while True:
            assert service.process is not None
            code = await service.process.wait()
            now = time.monotonic()
            service.restarts = [t for t in service.restarts if now - t < RESTART_WINDOW_S]
            if len(service.restarts) >= RESTARTS:
                raise SuiteError(f"the {service.name} service keeps ending: {service.last_words()}")
            pause_s = 0.2 * 3 ** len(service.restarts)
            service.restarts.append(now)
            again = f"starting it again in {pause_s:.1f} s"
            print(f"soundsight: {service.name} ended with {code}; {again}", flush=True)
            await asyncio.sleep(pause_s)
            service.environment = {**service.environment, **service.changes_again}
            await service.spawn(lock)

    async def _idle(self) -> None:
        """Returns when no command holds the lease any more."""
        free_since: float | None = None
        while True:
            await asyncio.sleep(0.25)
            with locks.exclusive_if_free(self._state.lease) as free:
                if not free:
                    free_since = None
                    continue
                free_since = free_since or time.monotonic()
                if time.monotonic() - free_since >= IDLE_GRACE_S:
                    # While the lease is ours no command can begin to use the suite; it
                    # must find no record once it can.
                    self._state.forget_record()
                    return

    def _services(self, sockets: Path) -> list[_Service]:
        targets = {name: f"unix:{sockets / name}.sock" for name in SERVICES}
        if self._listen:
            targets["gateway"] = self._listen
        common = {
            **os.environ,
            "SOUNDSIGHT_ARTIFACTS_URL": self._state.artifacts.as_uri(),
            "SOUNDSIGHT_LOG_FORMAT": "json",
            # The suite that follows one that was killed waits until its services have ended.
            "SOUNDSIGHT_DRAIN_GRACE_S": f"{DRAIN_GRACE_S:g}",
        }
        gateway = {
            "SOUNDSIGHT_GATEWAY_DATABASE_URL": f"sqlite:///{self._state.database}",
            "SOUNDSIGHT_GATEWAY_ANALYZER": targets["analyzer"],
            "SOUNDSIGHT_GATEWAY_SCENEWRITER": targets["scenewriter"],
            "SOUNDSIGHT_GATEWAY_COMPOSER": targets["composer"],
            "SOUNDSIGHT_GATEWAY_VIDEO_ENDPOINTS": targets["videogen"],
            # Renders that nobody waits for stay paused until their command is given again.
            "SOUNDSIGHT_GATEWAY_RECOVER_ON_START": "none" if self._until_idle else "all",
        }
        return [
            _Service(
                name=name,
                target=targets[name],
                environment={
                    **common,
                    **(gateway if name == "gateway" else {}),
                    "SOUNDSIGHT_LISTEN": targets[name],
                    "SOUNDSIGHT_SCRATCH_DIR": str(self._state.scratch / name),
                    # For what libraries put aside on their own.
                    "TMPDIR": str(self._state.scratch / name),
                },
                log=self._state.logs / f"{name}.log",
                scratch=self._state.scratch / name,
                # What commands wait for goes on when the gateway alone has died.
                changes_again=(
                    {"SOUNDSIGHT_GATEWAY_RECOVER_ON_START": "unpaused"} if name == "gateway" else {}
                ),
            )
            for name in SERVICES
        ]


def _socket_root() -> str | None:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return runtime if runtime and len(runtime) < 50 and Path(runtime).is_dir() else None


def _told_to_end() -> asyncio.Event:
    """Returns an event that SIGTERM and SIGINT set."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


async def _first(*work: Awaitable[Any]) -> None:
    """Waits for the first of several to end, drops the others, raises what it raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
