"""Looks whether this machine can render, and whether everything in the state folder is well."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from soundsight_cli.auditing import audit
from soundsight_cli.display import printable, size
from soundsight_cli.findings import Check
from soundsight_cli.jobs import read_jobs
from soundsight_cli.state import StateFolder
from soundsight_cli.supervisor import SuiteError
from soundsight_kit.media.ffmpeg import BINARY_VARIABLE, ffmpeg_binary

PYTHONS = ((3, 11), (3, 13))
"""The first and the last version that the suite runs on."""

FREE_BYTES = 2_000_000_000
"""A render of a long song at full size takes about this much while it is made."""

ANSWER_TIMEOUT_S = 60.0
"""Programs that say what they can do say it at once; drivers may have to be loaded."""

SHOWN = 5
"""So many findings of one check are printed; `--json` has all."""

# In a process of its own: a driver that breaks takes its process with it.
_PAINT = """
import moderngl
context = moderngl.create_standalone_context(require=330, backend="egl")
print(context.info["GL_RENDERER"])
"""


@dataclass(frozen=True)
class Result:
    """What one look at one thing has come to."""

    check: str
    well: bool
    found: str
    """One line."""
    to_do: str = ""
    """One line: what helps; empty when all is well."""
    path: Path | None = None


def examine(state: StateFolder) -> list[Result]:
    """Returns the results of all checks, the machine's first; each of the folder's checks has one
    result when it is well, and one for each finding when it is not."""
    machine: tuple[Callable[[], Result], ...] = (
        _python,
        lambda: _writable(state),
        lambda: _space(state),
        _opengl,
        _ffmpeg,
    )
    return [*(check() for check in machine), *_folder(state)]


def document(results: list[Result]) -> dict[str, Any]:
    """Returns results as a JSON document."""
    return {
        "well": all(result.well for result in results),
        "results": [
            {
                "check": result.check,
                "well": result.well,
                "found": result.found,
                "to_do": result.to_do or None,
                "path": printable(result.path) if result.path is not None else None,
            }
            for result in results
        ],
    }


def show(results: list[Result], console: Console) -> None:
    """Prints a table: check, result, and below it what to do."""
    width = max(len(result.check) for result in results)
    printed: dict[str, int] = {}
    for result in results:
        number = printed[result.check] = printed.get(result.check, 0) + 1
        if number > SHOWN:
            continue
        line = Text(f"{result.check if number == 1 else '':<{width}}  ", style="cyan")
        line.append("ok  " if result.well else "!!  ", style="green" if result.well else "red")
        line.append(printable(result.found), style="default")
        # Nothing is folded, so that paths and commands can be copied and read by programs.
        console.print(line, soft_wrap=True)
        if result.to_do:
            console.print(Text(f"{'':<{width}}      -> {printable(result.to_do)}"), soft_wrap=True)
    for check, number in printed.items():
        if number > SHOWN:
            console.print(f"{check}: {number - SHOWN} more; --json FILE has all", soft_wrap=True)


def _python() -> Result:
    first, last = PYTHONS
    well = first <= sys.version_info[:2] <= last
    allowed = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
    to_do = "" if well else f"make .venv anew with Python {allowed}: `make setup PYTHON=...`"
    return Result("Python", well, f"Python {platform.python_version()}", to_do)


def _writable(state: StateFolder) -> Result:
    folder = _nearest(state.root)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Result(
            "state folder",
            False,
            f"{folder} cannot be written ({error.strerror})",
            "choose another with --state-dir or SOUNDSIGHT_STATE_DIR",
            folder,
        )
    there = "" if folder == state.root else " (made by the first render)"
    return Result("state folder", True, f"{state.root}{there}")


def _space(state: StateFolder) -> Result:
    free_bytes = shutil.disk_usage(_nearest(state.root)).free
    well = free_bytes >= FREE_BYTES
    to_do = "" if well else "`soundsight clean` frees some, or name a larger disk with --state-dir"
    return Result("free space", well, f"{size(free_bytes)} where the state folder is", to_do)


def _opengl() -> Result:
    done = _asked([sys.executable, "-c", _PAINT])
    if done.returncode == 0:
        return Result("OpenGL", True, f"3.3 through EGL, by {done.stdout.strip()}")
    why = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    return Result(
        "OpenGL",
        False,
        f"OpenGL 3.3 through EGL is not available ({why})",
        "on Debian or Ubuntu: `apt install libegl1 libgl1 libgl1-mesa-dri`",
    )


def _ffmpeg() -> Result:
    to_do = f"`make setup` installs one; unset {BINARY_VARIABLE} if it names another"
    try:
        binary = ffmpeg_binary()
        done = _asked([binary, "-hide_banner", "-encoders"])
        about = _asked([binary, "-hide_banner", "-version"]).stdout.split(" Copyright")[0]
    except (OSError, RuntimeError) as error:
        return Result("ffmpeg", False, f"ffmpeg cannot be started ({error})", to_do)
    well = done.returncode == 0 and " libx264 " in done.stdout
    found = f"{about} with libx264" if well else f"{binary} has no libx264"
    return Result("ffmpeg", well, found, "" if well else to_do)


def _folder(state: StateFolder) -> list[Result]:
    findings = audit(state)
    results = []
    for check in Check:
        wrong = [finding for finding in findings if finding.check == check]
        if not wrong:
            results.append(Result(check.value, True, _well(check, state)))
        results += [Result(check.value, False, one.what, one.to_do, one.path) for one in wrong]
    return results


def _well(check: Check, state: StateFolder) -> str:
    """What is so about a check without findings."""
    if check == Check.JOB_STORE:
        try:
            number = len(read_jobs(state.database).renders)
        except SuiteError:
            number = 0
        return f"whole, {number} renders"
    return {
        Check.RENDERS: "none was interrupted",
        Check.OBJECTS: "none missing, damaged or without use",
        Check.LEFTOVERS: "none",
        Check.PROCESSES: "none without a supervisor",
        Check.SERVICES: "all that run answer, no slot is held by nobody",
    }[check]


def _asked(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a program that says something about itself; one that hangs counts as failed."""
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"no answer in {ANSWER_TIMEOUT_S:g} s")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
