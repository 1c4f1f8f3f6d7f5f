"""Python child processes that do one piece of work on untrusted media and answer in a file.

The parent writes `request.json` into a folder and starts `python -m MODULE FOLDER`; the child
writes `result.json` there and tells its progress on stdout. A child has limits, no network use and
no secrets in its environment. `ask_child` is the parent's side, `answer` the child's.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundsight_kit.errors import DiskFull
from soundsight_kit.media.processes import ProcessTimeout, run_limited

Progress = Callable[[int, int], None]
"""Told how much is done of how much, in the work's own unit."""

_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "SOUNDSIGHT_FFMPEG",
    "TMPDIR",
    "VIRTUAL_ENV",
)
# One thread: what numerical libraries reserve per thread counts as memory.
_ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What a child may take: wall-clock seconds, CPU seconds, bytes of address space."""

    timeout_s: float
    cpu_s: int
    memory_bytes: int


class Refused(Exception):
    """The work cannot be done with this input. Raised in the child, raised again in the parent."""

    def __init__(self, reason: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.facts = facts


class ChildStopped(Exception):
    """The child came to a limit, or the input broke its decoder. The message says which."""


class ChildFailed(Exception):
    """The child failed by a fault of ours; the message is the end of its stderr."""


async def ask_child(
    module: str,
    request: Mapping[str, Any],
    *,
    folder: Path,
    limits: ChildLimits,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Has `module` work on `request` (JSON) in `folder`; returns its answer.

    Raises Refused, ChildStopped, DiskFull or ChildFailed.
    """

    def on_line(line: str) -> None:
        done, _, total = line.partition("/")
        if progress is not None and done.isdigit() and total.isdigit():
            progress(int(done), int(total))

    result = folder / "result.json"
    result.unlink(missing_ok=True)
    (folder / "request.json").write_text(json.dumps(request))
    inherited = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        done = await run_limited(
            # -P keeps the current folder off the module path: nothing lying there is imported.
            [sys.executable, "-P", "-m", module, str(folder)],
            timeout_s=limits.timeout_s,
            memory_bytes=limits.memory_bytes,
            cpu_s=limits.cpu_s,
            stdout_line=on_line,
            env={**inherited, **_ONE_THREAD},
        )
    except ProcessTimeout:
        raise ChildStopped(f"it took longer than {limits.timeout_s:g} s") from None
    if done.returncode < 0:
        raise ChildStopped(_why_stopped(-done.returncode, limits))
    if done.returncode != 0 or not result.exists():
        raise ChildFailed(done.stderr_tail[-2000:])
    reply: dict[str, Any] = json.loads(result.read_text())
    if "refused" in reply:
        raise Refused(reply["refused"], reply["message"], **reply["facts"])
    if reply.get("disk_full"):
        raise DiskFull
    if reply.get("out_of_memory"):
        raise ChildStopped(f"it needed more than {limits.memory_bytes >> 20} MiB of memory")
    answer: dict[str, Any] = reply["answer"]
    return answer


def _why_stopped(number: int, limits: ChildLimits) -> str:
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return f"it needed more than {limits.cpu_s} s of CPU time, or too much memory"
    return f"the decoder broke on it (signal {number})"


def answer(work: Callable[[dict[str, Any], Path, Progress], dict[str, Any]]) -> int:
    """Runs `work(request, folder, progress)` in the child and writes its answer.

    Refusals, a full disk and lack of memory are answers too. Anything else is a fault of ours: its
    traceback goes to stderr, which the parent logs and never passes on.
    """
    _die_with_parent()
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    reply: dict[str, Any]
    try:
        reply = {"answer": work(request, folder, _print_progress)}
    except Refused as refused:
        reply = {"refused": refused.reason, "message": str(refused), "facts": refused.facts}
    except MemoryError:
        reply = {"out_of_memory": True}
    except OSError as error:
        if error.errno == errno.ENOMEM:
            reply = {"out_of_memory": True}
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            reply = {"disk_full": True}
        else:
            raise
    (folder / "result.json").write_text(json.dumps(reply))
    return 0


def _print_progress(done: int, total: int) -> None:
    sys.stdout.write(f"{done}/{total}\n")
    sys.stdout.flush()


def _die_with_parent() -> None:
    """Asks Linux to kill this process when the one that started it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
