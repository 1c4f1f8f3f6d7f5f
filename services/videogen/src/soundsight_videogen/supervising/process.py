"""One worker process from the server's side: started, told, heard, stopped."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from google.rpc import status_pb2

from soundsight_kit.errors import (
    FailedPrecondition,
    Internal,
    Unavailable,
    error_from_status,
)
from soundsight_kit.media.processes import kill_group

log = structlog.get_logger()

WORKER_DIED = "WORKER_DIED"
WORKER_HUNG = "WORKER_HUNG"
RETRY_AFTER_S = 1.0
_LINE_LIMIT_BYTES = 1 << 20
_STDERR_LINES = 30
_ENDINGS = frozenset({"stopped", "filmed", "failed", "error"})
_ENVIRONMENT = (
    "DISPLAY",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "SOUNDSIGHT_FFMPEG",
    "TMPDIR",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
)


class FilmWatcher(Protocol):
    """Follows a film in the making."""

    def phase(self, name: str) -> None:
        """A phase begins, such as `load` or `denoise`."""

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` frames (diffusion: steps) are made."""

    def preview(self, frame: int, jpeg: bytes) -> None:
        """What `frame` looks like."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a kind of worker is started.

    `inherits` names variables that are passed on, those that end in `*` by what they begin with;
    nothing else of the server's environment is, for it holds secrets. `lacking` is the reason of a
    machine that lacks what the worker needs.
    """

    module: str
    arguments: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    lacking: str = "UNUSABLE"

    def full_environment(self) -> dict[str, str]:
        """The environment of the process."""
        names = (*_ENVIRONMENT, *self.inherits)
        exact = frozenset(names)
        prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
        passed = {
            name: value
            for name, value in os.environ.items()
            if name in exact or (prefixes and name.startswith(prefixes))
        }
        return {**passed, **self.environment}


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a worker gets: to start, to stop, and to say something, by phase.

    A worker that says nothing for longer hangs. `silence_s` is for phases that `phase_s` leaves
    out.
    """

    start_s: float = 60.0
    stop_s: float = 1.0
    silence_s: float = 300.0
    phase_s: Mapping[str, float] = field(default_factory=dict)

    def of(self, phase: str) -> float:
        """How long silence is borne in a phase."""
        return self.phase_s.get(phase, self.silence_s)


class Worker:
    """One worker process and what it says. Used by one caller at a time."""

    def __init__(self, process: asyncio.subprocess.Process, patience: Patience) -> None:
        self._process = process
        self._patience = patience
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._listening = asyncio.create_task(self._keep_stderr())

    @classmethod
    async def start(cls, launch: Launch, patience: Patience) -> Worker:
        """Starts a worker.

        Raises FailedPrecondition when the machine lacks what it needs, Unavailable when it died or
        did not get ready in time.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Keeps the current folder off the module path: nothing lying there is imported.
            "-P",
            "-m",
            launch.module,
            *launch.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=launch.full_environment(),
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,
        )
        worker = cls(process, patience)
        try:
            async with asyncio.timeout(patience.start_s):
                event = await worker._hear()
        except TimeoutError:
            await worker.end()
            raise Unavailable(
                f"a worker did not start within {patience.start_s:g} s",
                reason="WORKER_NOT_STARTED",
            ) from None
        except BaseException:
            await worker.end()
            raise
        if "unusable" in event:
            await worker.end()
            raise FailedPrecondition(str(event["unusable"]), reason=launch.lacking)
        log.debug("worker started", pid=process.pid, ready=event.get("ready"))
        return worker

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be given work."""
        return self._process.returncode is None

    async def film(self, order: Mapping[str, Any], watcher: FilmWatcher) -> dict[str, Any]:
        """Has one order worked on; returns what the worker says of the result.

        When cancelled, the worker is stopped at the next moment at which it can be, or killed when
        it does not stop in time. Raises Unavailable when the worker dies (WORKER_DIED) or says
        nothing for too long (WORKER_HUNG), Internal when it fails, and what it raised otherwise.
        """
        phase = ""
        try:
            await self._say(**order)
            while True:
                event = await self._hear_in_time(phase)
                if "phase" in event:
                    phase = str(event["phase"])
                    watcher.phase(phase)
                elif "progress" in event:
                    watcher.progress(*event["progress"])
                elif "preview" in event:
                    frame, jpeg = event["preview"]
                    watcher.preview(frame, base64.b64decode(jpeg))
                elif "filmed" in event:
                    filmed: dict[str, Any] = event["filmed"]
                    return filmed
                elif "error" in event:
                    packed = base64.b64decode(event["error"])
                    raise error_from_status(status_pb2.Status.FromString(packed))
                elif "failed" in event:
                    log.error("filming failed", why=event["failed"], stderr=self._last_words())
                    raise Internal("the renderer failed on this clip; the log has more")
        except asyncio.CancelledError:
            await self._stop()
            raise

    async def end(self) -> None:
        """Kills the worker and what it started."""
        if self._process.returncode is None:
            kill_group(self._process.pid)
            # A second cancellation must not leave a zombie behind.
            await asyncio.shield(self._process.wait())
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening

    async def _stop(self) -> None:
        try:
            async with asyncio.timeout(self._patience.stop_s):
                await self._say(stop=True)
                # What was said before the stop arrived is of no interest any more.
                while not _ENDINGS & (await self._hear()).keys():
                    pass
        except (TimeoutError, Unavailable, asyncio.CancelledError):
            await self.end()

    async def _say(self, **order: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._death() from None

    async def _hear_in_time(self, phase: str) -> dict[str, Any]:
        silence_s = self._patience.of(phase)
        try:
            async with asyncio.timeout(silence_s):
                return await self._hear()
        except TimeoutError:
            await self.end()
            log.error("worker hung", pid=self.pid, phase=phase, stderr=self._last_words())
            where = f" in {phase}" if phase else ""
            raise Unavailable(
                f"the worker that filmed this clip made no step{where} for {silence_s:g} s and was "
                "ended; try again",
                reason=WORKER_HUNG,
                metadata={"phase": phase},
                retry_after_s=RETRY_AFTER_S,
            ) from None

    async def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise await self._death()
        event: dict[str, Any] = json.loads(line)
        if event.get("last"):
            await self.end()
        return event

    async def _death(self) -> Unavailable:
        """What there is to say about a worker that went away; nothing of it is left running."""
        # The encoder may outlive the worker that fed it.
        kill_group(self._process.pid)
        status = await self._process.wait()
        log.error("worker died", pid=self._process.pid, status=status, stderr=self._last_words())
        return Unavailable(
            f"the worker that filmed this clip ended unexpectedly (status {status}); try again",
            reason=WORKER_DIED,
            metadata={"status": str(status)},
            retry_after_s=RETRY_AFTER_S,
        )

    async def _keep_stderr(self) -> None:
        assert self._process.stderr is not None
        async for line in _lines(self._process.stderr):
            self._stderr.append(line)

    def _last_words(self) -> str:
        return "\n".join(self._stderr)


async def _lines(stream: asyncio.StreamReader) -> AsyncGenerator[str, None]:
    """Lines as they come; those beyond the limit are dropped by asyncio."""
    while True:
        try:
            raw = await stream.readline()
        except ValueError:
            continue
        if not raw:
            return
        yield raw.decode("utf-8", "replace").rstrip()
