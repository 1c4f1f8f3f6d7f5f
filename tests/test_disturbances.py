"""A render and what machines do to it: it is told to end, falls asleep, has no room left."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from command_line import CommandLine
from faults import (
    EVERYTHING,
    LAUNCHER,
    PATIENCE_S,
    STAGES,
    Rendering,
    Undisturbed,
    left_behind,
    send,
    victims,
)

ROOM_LATER_MB = 512


@pytest.mark.parametrize(
    "stage",
    [pytest.param(stage, marks=[] if stage == "first clip" else pytest.mark.long)
     for stage in STAGES],
)  # fmt: skip
@pytest.mark.parametrize("target", ["command", LAUNCHER])
def test_sigterm_ends_it_cleanly(
    rendering: Rendering, undisturbed: Undisturbed, stage: str, target: str
) -> None:
    """Told to end, command or suite say in a line how to go on, and leave nothing half-written."""
    running = rendering.start()
    running.wait_for(STAGES[stage])
    if target == "command":
        running.process.send_signal(signal.SIGTERM)
    else:
        send(victims(rendering, target), signal.SIGTERM)
    code = running.ends()
    assert "Traceback" not in running.told
    if code == 0:  # it was all but done
        assert stage in ("composition", "publishing")
    else:
        assert "soundsight: " in running.told.splitlines()[-1]
        assert not rendering.video.exists()
        assert left_behind(rendering, stopped=True) == []
        running = rendering.start()
        assert running.ends() == 0, running.told
    assert left_behind(rendering) == []
    assert rendering.came_to() == undisturbed


@pytest.mark.parametrize("asleep_s", [4.0, pytest.param(60.0, marks=pytest.mark.long)])
def test_a_machine_may_fall_asleep(
    rendering: Rendering, undisturbed: Undisturbed, asleep_s: float
) -> None:
    """Everything stops in mid-filming and goes on later as if nothing had been."""
    running = rendering.start()
    running.wait_for(STAGES["half the clips"])
    all_of_it = [psutil.Process(running.process.pid), *victims(rendering, EVERYTHING)]
    send(all_of_it, signal.SIGSTOP)
    time.sleep(asleep_s)
    send(all_of_it, signal.SIGCONT)
    assert running.ends() == 0, running.told + rendering.line.logs()
    assert left_behind(rendering) == []
    assert rendering.came_to() == undisturbed


def in_namespace(mounts: str, command: list[str]) -> list[str]:
    """A command that first mounts something where only it sees it; skips where it may not."""
    space = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*space, "true"]).returncode:
        pytest.skip("user namespaces are not to be had here")
    return [*space, f'{mounts} && exec "$@"', "sh", *command]


def test_a_full_disk_is_told_and_loses_nothing(
    rendering: Rendering, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Without room the render ends with that reason; what was finished is kept, the job store
    opens, and with room the same command goes on."""
    state = rendering.line.state
    kept = tmp_path / "kept"
    kept.mkdir()
    state.mkdir()
    # The disk has 3 MB, too few for what the song is decoded to; what is on it is kept outside, as
    # soon as the suite has ended.
    full = f"mount -t tmpfs -o size=3m none '{state}'"
    keep = f"cp -a '{state}/.' '{kept}/'"
    words = rendering.line.arguments(
        "render", rendering.song, "-o", rendering.video, *rendering.options
    )
    ended = f"flock '{state}/suite.lock' flock '{state}/services.lock' true"
    command = in_namespace(full, ["sh", "-c", f'"$@"; code=$?; {ended}; {keep}; exit $code', "sh"])
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("soundsight: ")
    assert "disk" in last or "space" in last, done.stderr
    assert "Traceback" not in done.stderr
    assert not rendering.video.exists()
    shutil.copytree(kept, state, dirs_exist_ok=True, symlinks=True)
    running = rendering.start()
    assert running.ends() == 0, running.told + rendering.line.logs()
    shutil.rmtree(kept)
    assert left_behind(rendering) == []
    assert rendering.came_to() == undisturbed


def test_a_read_only_state_folder_is_told(rendering: Rendering, tmp_path: Path) -> None:
    """The one line names the folder and what to do."""
    state = rendering.line.state
    state.mkdir()
    read_only = f"mount --bind '{state}' '{state}' && mount -o remount,ro,bind '{state}'"
    words = rendering.line.arguments("analyze", rendering.song)
    done = subprocess.run(
        in_namespace(read_only, words), capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert str(state) in done.stderr
    assert "--state-dir" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_service_that_cannot_stay_up_ends_the_command_with_its_reason(
    rendering: Rendering,
) -> None:
    """A service that is killed again and again is given up, in a line that names it."""
    running = rendering.start()
    running.wait_for(STAGES["first clip"])
    while running.process.poll() is None:
        with contextlib.suppress(AssertionError, psutil.Error):  # between two of its lives
            send(victims(rendering, "videogen"), signal.SIGKILL)
        time.sleep(0.05)
    assert running.ends() == 1
    assert "the videogen service keeps ending" in running.told.splitlines()[-1]
    assert left_behind(rendering, stopped=True) == []


def test_commands_share_a_suite_and_folders_do_not(song: Path, tmp_path: Path) -> None:
    """Five renders on one suite and one on another finish right at the same time: the later attach
    to the first one's suite, take turns with it, and make the videos that they make alone."""
    line = CommandLine(tmp_path / "state")
    elsewhere = CommandLine(tmp_path / "elsewhere")
    common = ("--width", "160", "--height", "90", "--quality", "draft", "--seed")
    many = [
        Rendering(line, song, tmp_path / f"{seed}.mp4", (*common, str(seed))) for seed in range(5)
    ]
    (tmp_path / "apart").mkdir()
    apart = Rendering(elsewhere, song, tmp_path / "apart" / "0.mp4", (*common, "0"))
    first = many[0].start()
    first.wait_for(STAGES["upload"])
    others = [rendering.start() for rendering in many[1:]]
    alone = apart.start()
    for running in (first, *others, alone):
        assert running.ends() == 0, running.told
    assert all("using the suite that is already running" in running.told for running in others)
    assert "using the suite" not in alone.told
    came_to = [rendering.came_to() for rendering in many]
    assert came_to[0].pictures == apart.came_to().pictures
    assert len({one.pictures for one in came_to}) == len(many)
    assert set(many[0].clips().values()) == {1}
    # They take turns: one after the other, the filming would pass on four times.
    turns = many[0].filmed_for()
    assert len(set(turns)) == len(many)
    assert sum(one != other for one, other in pairwise(turns)) >= 2 * (len(many) - 1), turns
    assert left_behind(apart) == []
