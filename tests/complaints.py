"""What a command says when it cannot do what it was asked: one line, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from command_line import CommandLine

LOOK_S = 400
"""Long beyond what any of these commands takes: one that hangs fails its test."""


def run(
    command_line: CommandLine, *words: str | bytes | Path, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; its words may be any bytes, as a shell would pass them on."""
    first = command_line.arguments(words[0] if isinstance(words[0], str) else os.fsdecode(words[0]))
    return subprocess.run(
        [*first, *(os.fsencode(word) for word in words[1:])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LOOK_S,
        cwd=folder,
    )


def complaint(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """Returns the one line that a quiet command said as it failed with `code`."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("soundsight: "), done.stderr
    told = done.stderr.removesuffix("\n")
    assert told.isprintable(), told
    return told.removeprefix("soundsight: ")


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Returns all there is in a folder: kind and permissions of each entry, and what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        holds = b""
        if path.is_symlink():
            holds = os.fsencode(path.readlink())
        elif path.is_file():
            holds = path.read_bytes()
        found[os.fsdecode(path)] = (path.lstat().st_mode, holds)
    return found
