"""The doctor says what keeps a machine from rendering, and what to do about it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from soundsight_cli import doctor
from soundsight_cli.doctor import Result, document, examine, show
from soundsight_cli.state import StateFolder


def looked_at(state: Path, check: str) -> Result:
    """The one result of a check."""
    [result] = [one for one in examine(StateFolder(state)) if one.check == check]
    return result


def soundsight(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command line."""
    return subprocess.run(
        [sys.executable, "-m", "soundsight_cli", *words],
        capture_output=True,
        text=True,
        timeout=300,
        env={key: value for key, value in os.environ.items() if key != "SOUNDSIGHT_GATEWAY"},
    )


def test_all_is_well_on_a_machine_that_can_render(tmp_path: Path) -> None:
    """Exit code 0, a line per check, and a document that says the same; nothing is made."""
    state, file = tmp_path / "state", tmp_path / "looked.json"
    done = soundsight("--state-dir", state, "doctor", "--json", file)
    assert done.returncode == 0, done.stdout
    looked = json.loads(file.read_text())
    assert looked["well"]
    checks = [result["check"] for result in looked["results"]]
    assert checks == [line[: line.index("  ")].strip() for line in done.stdout.splitlines()]
    assert {"Python", "OpenGL", "ffmpeg", "job store", "stored files"} <= set(checks)
    assert all(result["well"] and not result["to_do"] for result in looked["results"])
    assert not state.exists()


def test_what_is_wrong_ends_with_1_and_what_to_do(tmp_path: Path) -> None:
    """A half-written file is told of in the document that is printed alone."""
    state = StateFolder(tmp_path / "state")
    state.create()
    (state.artifacts / ".staging").mkdir()
    (state.artifacts / ".staging" / "0123#1").touch()
    done = soundsight("--state-dir", state.root, "doctor", "--json", "-")
    assert done.returncode == 1
    [wrong] = [one for one in json.loads(done.stdout)["results"] if not one["well"]]
    assert wrong["check"] == "leftovers"
    assert wrong["to_do"] == "`soundsight clean` removes it"
    assert wrong["path"] == str(state.artifacts / ".staging" / "0123#1")


def test_it_looks_at_this_machine_alone(tmp_path: Path) -> None:
    """A suite elsewhere is not ours to examine: one line, code 2."""
    done = soundsight("--state-dir", tmp_path, "--gateway", "127.0.0.1:1", "doctor")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "soundsight: doctor looks at this machine; leave --gateway out "
        "(SOUNDSIGHT_GATEWAY sets it too)\n"
    )


def test_an_ffmpeg_that_cannot_encode_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there, and one without libx264."""
    monkeypatch.setenv("SOUNDSIGHT_FFMPEG", str(tmp_path / "ffmpeg"))
    missing = looked_at(tmp_path, "ffmpeg")
    assert not missing.well
    assert "ffmpeg cannot be started" in missing.found
    assert "SOUNDSIGHT_FFMPEG" in missing.to_do
    (tmp_path / "ffmpeg").write_text("#!/bin/sh\necho ' V....D mpeg4 '\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    without = looked_at(tmp_path, "ffmpeg")
    assert (without.well, without.found) == (False, f"{tmp_path / 'ffmpeg'} has no libx264")


def test_a_machine_that_cannot_paint_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a driver that EGL finds there is no OpenGL."""
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", str(tmp_path))
    result = looked_at(tmp_path, "OpenGL")
    assert not result.well
    assert result.found.startswith("OpenGL 3.3 through EGL is not available (")
    assert "libgl1-mesa-dri" in result.to_do


def test_a_state_folder_that_cannot_be_written_is_named() -> None:
    """Where nothing can be made, another folder is asked for."""
    result = looked_at(Path("/proc/soundsight"), "state folder")
    assert not result.well
    assert result.found.startswith("/proc cannot be written (")
    assert "--state-dir" in result.to_do


def test_room_and_interpreter_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too little room, or a Python that the suite does not run on, is told of."""
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 62)
    monkeypatch.setattr(doctor, "PYTHONS", ((3, 98), (3, 99)))
    space, python = (looked_at(tmp_path, check) for check in ("free space", "Python"))
    assert (space.well, python.well) == (False, False)
    assert "soundsight clean" in space.to_do
    assert "3.98 to 3.99" in python.to_do


def test_the_table_is_short() -> None:
    """A check with many findings prints the first ones and says how many more there are; what is
    not printable stays in its line."""
    results = [Result("leftovers", False, f"file\n{number}", "remove it") for number in range(9)]
    file = io.StringIO()
    show([Result("Python", True, "3.11"), *results], Console(file=file, width=40))
    lines = file.getvalue().splitlines()
    assert lines[:3] == [
        "Python     ok  3.11",
        r"leftovers  !!  file\x0a0",
        "               -> remove it",
    ]
    assert len(lines) == 1 + 2 * doctor.SHOWN + 1
    assert lines[-1] == "leftovers: 4 more; --json FILE has all"
    assert len(document(results)["results"]) == 9
