"""The server's side of its listening processes: one per slot, started when needed, kept warm.

A song that crashes a process fails alone: the process is replaced. A song that nobody waits for any
more ends with its process, because a library in its midst cannot be interrupted otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable

import structlog

from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeResponse
from soundsight_analyzer.frames import Kind, Request, read_frame
from soundsight_analyzer.worker import MEMORY_LIMIT_VARIABLE
from soundsight_kit.errors import DeadlineExceeded, FailedPrecondition, Internal, ResourceExhausted

log = structlog.get_logger()

_MODULE = "soundsight_analyzer.worker"
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV")
# Where a model from a hub is kept, and which GPU may be used.
_MODEL_ENVIRONMENT = (
    "HOME", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "CUDA_VISIBLE_DEVICES",
    "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE",
)  # fmt: skip
# Each of the allocator's arenas reserves address space; on a machine of many cores they add up. The
# taggers hear several windows at once, each on one processor, which is faster than the other way.
_TUNING = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_READ_LIMIT_BYTES = 8 << 20
_TAIL_LINES = 20


class Workers:
    """Listens to songs in child processes.

    Args:
        memory_bytes: address space one process may reserve.
        timeout_s: what one song may take.
    """

    def __init__(self, *, memory_bytes: int, timeout_s: float) -> None:
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._idle: list[_Process] = []
        self._closed = False
        self._ending: set[asyncio.Task[int]] = set()

    async def warm(self) -> None:
        """Starts a process ahead of its song, so that loading costs no time of its own."""
        if not self._idle and not self._closed:
            self._idle.append(await _Process.start(self._memory_bytes))

    async def listen(self, request: Request, emit: Callable[[AnalyzeResponse], None]) -> None:
        """Listens to one song and emits its events; the last one is the analysis.

        When cancelled, the process that works on the song is killed.

        Raises:
            ResourceExhausted: when the song needs more memory than a process may have.
            DeadlineExceeded: when it takes longer than the limit.
            FailedPrecondition: when a model that the settings name cannot be loaded.
            Internal: when the process fails.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                while (process := self._take_idle()) is not None:
                    with contextlib.suppress(_DiedIdle):
                        return await self._serve(process, request, emit)
                process = await _Process.start(self._memory_bytes)
                try:
                    await self._serve(process, request, emit)
                except _DiedIdle:
                    raise await process.crashed() from None
        except TimeoutError:
            raise DeadlineExceeded(
                f"listening took longer than {self._timeout_s:g} s; send a shorter song",
                reason="SONG_TOO_COSTLY",
            ) from None

    async def _serve(
        self, process: _Process, request: Request, emit: Callable[[AnalyzeResponse], None]
    ) -> None:
        """Serves one song with a process, and keeps the process if it can go on."""
        kept = False
        try:
            kept = await process.serve(request, emit)
        finally:
            if kept and not self._closed:
                self._idle.append(process)
            else:
                self._dismiss(process)

    async def close(self) -> None:
        """Ends all idle processes, and those at work as soon as they are done."""
        self._closed = True
        while self._idle:
            self._dismiss(self._idle.pop())
        if self._ending:
            await asyncio.wait(self._ending)

    def _take_idle(self) -> _Process | None:
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                return process
            self._dismiss(process)
        return None

    def _dismiss(self, process: _Process) -> None:
        """Kills a process now and sees it off in the background."""
        process.kill()
        task = asyncio.create_task(process.wait())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _DiedIdle(Exception):
    """The process was gone before it began with the song, which is none the worse for it."""


class _Process:
    """One child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._listener = asyncio.create_task(self._keep_tail())

    @classmethod
    async def start(cls, memory_bytes: int) -> _Process:
        # Nothing of the server's secrets is needed to listen to a song.
        names = (*_ENVIRONMENT, *_MODEL_ENVIRONMENT)
        inherited = {name: os.environ[name] for name in names if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            _MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**inherited, **_TUNING, MEMORY_LIMIT_VARIABLE: str(memory_bytes)},
            limit=_READ_LIMIT_BYTES,
            start_new_session=True,
        )
        log.debug("listening process started", pid=process.pid)
        return cls(process)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def serve(self, request: Request, emit: Callable[[AnalyzeResponse], None]) -> bool:
        """Has one song listened to; returns whether the process can take another.

        Raises:
            _DiedIdle: when the process has not even begun.
            FailedPrecondition, Internal, ResourceExhausted: as `Workers.listen`.
        """
        begun = False
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(request.to_json())
            await stdin.drain()
            while True:
                kind, body = await read_frame(stdout)
                begun = True
                if kind is Kind.EVENT:
                    emit(AnalyzeResponse.FromString(body))
                elif kind is Kind.FAILED:
                    raise ResourceExhausted(body.decode(), reason="SONG_TOO_LARGE")
                elif kind is Kind.UNREADY:
                    raise FailedPrecondition(body.decode(), reason="MODEL_NOT_LOADED")
                else:
                    return kind is Kind.DONE
        except (asyncio.IncompleteReadError, ConnectionError):
            if not begun:
                raise _DiedIdle from None
            raise await self.crashed() from None

    async def crashed(self) -> Internal:
        """How the process ended, as an error."""
        code = await self.wait()
        log.error("listening process died", code=code, output="\n".join(self._tail))
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return Internal(
            f"the listening process died ({how}); other songs are not affected",
            reason="WORKER_DIED",
        )

    def kill(self) -> None:
        """Ends the process and all it started, now."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Waits for its end and its last words; returns its exit status."""
        code = await self._process.wait()
        await self._listener
        return code

    async def _keep_tail(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._tail.append(line.decode(errors="replace").rstrip())
