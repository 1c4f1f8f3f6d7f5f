"""Child processes with limits: time, memory, their own process group, killed whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STDERR_TAIL_LINES = 40
_LINE_LIMIT_BYTES = 1 << 20
_REAP_TIMEOUT_S = 5.0

LineSink = Callable[[str], None]


class ProcessTimeout(Exception):
    """The child ran past its wall-clock limit and was killed."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a child process ended.

    `returncode` is negative when a signal ended it (-9: killed, for instance for CPU time).
    `stderr_tail` holds the last lines it wrote to stderr.
    """

    returncode: int
    stderr_tail: str


def limited_argv(
    argv: Sequence[str], *, memory_bytes: int | None, cpu_s: int | None
) -> tuple[str, ...]:
    """Wraps a command so that the limits hold from its first instruction.

    A shell sets them and then becomes the command. Setting them from Python between fork and exec
    (`preexec_fn`) can deadlock in a process with threads, and setting them from outside
    (`prlimit`) leaves a gap. The command travels as arguments; the shell never parses it.
    """
    limits = []
    if memory_bytes is not None:
        limits.append(f"ulimit -v {max(1, memory_bytes // 1024)}")
    if cpu_s is not None:
        limits.append(f"ulimit -t {max(1, cpu_s)}")
    if not limits:
        return tuple(argv)
    script = " && ".join([*limits, 'exec "$@"'])
    return ("/bin/sh", "-c", script, "sh", *argv)


def kill_group(pid: int) -> None:
    """Kills the process group that `pid` leads, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def run_limited(
    argv: Sequence[str],
    *,
    timeout_s: float,
    memory_bytes: int | None = None,
    cpu_s: int | None = None,
    stdout_line: LineSink | None = None,
    stderr_line: LineSink | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Runs a command to its end in a process group of its own, with no stdin.

    Lines of stdout and stderr go to the callbacks as they come; stdout is dropped without one.
    On cancellation or any other error the whole group is killed before the error goes on.

    Raises ProcessTimeout after `timeout_s` seconds, FileNotFoundError when the program is missing.
    """
    process = await asyncio.create_subprocess_exec(
        *limited_argv(argv, memory_bytes=memory_bytes, cpu_s=cpu_s),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE if stdout_line else asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=dict(env) if env is not None else None,
        start_new_session=True,
        limit=_LINE_LIMIT_BYTES,
    )
    tail: deque[str] = deque(maxlen=STDERR_TAIL_LINES)

    def keep(line: str) -> None:
        tail.append(line)
        if stderr_line is not None:
            stderr_line(line)

    try:
        async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as pumps:
            if process.stdout is not None and stdout_line is not None:
                pumps.create_task(_pump(process.stdout, stdout_line))
            assert process.stderr is not None
            pumps.create_task(_pump(process.stderr, keep))
            pumps.create_task(process.wait())
    except TimeoutError:
        raise ProcessTimeout(f"{Path(argv[0]).name} ran longer than {timeout_s:g} s") from None
    except BaseExceptionGroup as group:
        # The pumps fail only through a callback: let its own error through.
        raise group.exceptions[0] from None
    finally:
        if process.returncode is None:
            kill_group(process.pid)
            # The wait must not be cut short by a second cancellation, or a zombie stays behind.
            with contextlib.suppress(TimeoutError):
                await asyncio.shield(asyncio.wait_for(process.wait(), _REAP_TIMEOUT_S))
    assert process.returncode is not None
    return Completed(process.returncode, "\n".join(tail))


async def _pump(stream: asyncio.StreamReader, sink: LineSink) -> None:
    """Hands each line to the sink; ffmpeg ends its progress lines with a carriage return."""
    while True:
        try:
            raw = await stream.readline()
        except ValueError:
            continue  # one line beyond the limit: asyncio dropped it
        if not raw:
            return
        for line in raw.decode("utf-8", "replace").replace("\r", "\n").splitlines():
            if line:
                sink(line)
