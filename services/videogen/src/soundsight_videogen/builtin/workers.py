"""Worker processes from the server's side: started, listened to, stopped, replaced."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import FailedPrecondition, Internal, Unavailable
from soundsight_kit.media.processes import kill_group
from soundsight_videogen.backend import FilmProgress, PreviewSink

log = structlog.get_logger()

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 1.0
RETRY_AFTER_S = 1.0
_LINE_LIMIT_BYTES = 1 << 20
_STDERR_LINES = 30
_MODULE = "soundsight_videogen.builtin.worker"
_ENVIRONMENT = (
    "DISPLAY",
    "EGL_PLATFORM",
    "GLCONTEXT_DEVICE_INDEX",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LIBGL_DRIVERS_PATH",
    "PATH",
    "PYTHONPATH",
    "SOUNDSIGHT_FFMPEG",
    "TMPDIR",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
)


class Worker:
    """One worker process and what it says. Used by one caller at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._listening = asyncio.create_task(self._keep_stderr())

    @classmethod
    async def start(cls, threads: int) -> Worker:
        """Starts a worker whose driver paints with `threads` threads.

        Raises FailedPrecondition when the machine cannot paint, Unavailable when the worker died.
        """
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            _MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environment, "LP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"},
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                event = await worker._hear()
        except TimeoutError:
            await worker.end()
            raise Unavailable(
                f"a worker did not start within {START_TIMEOUT_S:g} s", reason="WORKER_NOT_STARTED"
            ) from None
        except BaseException:
            await worker.end()
            raise
        if "unusable" in event:
            await worker.end()
            raise FailedPrecondition(str(event["unusable"]), reason="NO_OPENGL")
        log.debug("worker started", pid=process.pid, renderer=event.get("ready"))
        return worker

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be given work."""
        return self._process.returncode is None

    async def film(
        self,
        request: GenerateClipRequest,
        destination: Path,
        *,
        progress: FilmProgress,
        preview: PreviewSink,
    ) -> dict[str, float]:
        """Has a clip filmed; returns the seconds of each stage.

        When cancelled, the worker is stopped between two frames, or killed when it does not stop.
        Raises Unavailable when the worker dies, Internal when filming fails.
        """
        order = base64.b64encode(request.SerializeToString()).decode()
        try:
            await self._say(film=order, to=str(destination))
            while True:
                event = await self._hear()
                if "progress" in event:
                    progress(*event["progress"])
                elif "preview" in event:
                    frame, jpeg = event["preview"]
                    preview(frame, base64.b64decode(jpeg))
                elif "filmed" in event:
                    seconds: dict[str, float] = event["filmed"]
                    return seconds
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
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._say(stop=True)
                # What was said before the stop arrived is of no interest any more.
                while not {"stopped", "filmed", "failed"} & (await self._hear()).keys():
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

    async def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise await self._death()
        event: dict[str, Any] = json.loads(line)
        return event

    async def _death(self) -> Unavailable:
        """What there is to say about a worker that went away; nothing of it is left running."""
        # The encoder may outlive the worker that fed it.
        kill_group(self._process.pid)
        status = await self._process.wait()
        log.error("worker died", pid=self._process.pid, status=status, stderr=self._last_words())
        return Unavailable(
            f"the worker that filmed this clip ended unexpectedly (status {status}); try again",
            reason="WORKER_DIED",
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


class WorkerPool:
    """Keeps one worker per slot; one that died is replaced when it is needed."""

    def __init__(self, slots: int, threads_each: int) -> None:
        self._threads_each = threads_each
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._room = asyncio.Semaphore(slots)

    @property
    def pids(self) -> frozenset[int]:
        """Process ids of the workers that live."""
        return frozenset(worker.pid for worker in self._all if worker.alive)

    async def start(self) -> None:
        """Starts one worker, so that a machine that cannot paint is found out at once."""
        async with self.worker():
            pass

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        """Lends a living worker; waits while all are lent."""
        async with self._room:
            worker = await self._living()
            try:
                yield worker
            finally:
                if worker.alive:
                    self._idle.append(worker)
                else:
                    await self._bury(worker)

    async def close(self) -> None:
        """Ends all workers."""
        self._idle.clear()
        for worker in list(self._all):
            await self._bury(worker)

    async def _living(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await self._bury(worker)
        worker = await Worker.start(self._threads_each)
        self._all.add(worker)
        return worker

    async def _bury(self, worker: Worker) -> None:
        self._all.discard(worker)
        await worker.end()
