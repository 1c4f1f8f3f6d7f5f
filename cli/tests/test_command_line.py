"""The commands at work, on a real suite: seen on a terminal, stopped, cleaned up after, repeated.

One short excerpt is rendered small. The tests share its state folder and run in the order in which
a person would do things.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import CommandLine

from songsmith import first_light
from songsmith.files import write_song
from soundsight_cli import locks
from soundsight_cli.state import StateFolder

SMALL = ("--width", "128", "--height", "72")
EXCERPT = ("--from", "0", "--to", "2", *SMALL)
LONGER = ("--from", "0", "--to", "10", *SMALL)
"""What something happens to in the middle."""
# Becomes a command that the terminal on its input can interrupt, as one typed there. (No fork here:
# `pty.fork` copies the locks of gRPC's threads, if other tests have left some.)
AT_A_TERMINAL = """
import fcntl, os, signal, sys, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command on a state folder of its own; each call starts and ends its suite."""
    return CommandLine(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example song."""
    return write_song(first_light(), tmp_path_factory.mktemp("song"), "first-light")[0]


@pytest.fixture(scope="module")
def rendered(line: CommandLine, song: Path) -> tuple[Path, str]:
    """The excerpt's video, and all that a terminal of 80 columns got to see on the way."""
    video = song.with_name("video.mp4")
    words = line.arguments("render", song, "-o", video, *EXCERPT, "--timings")
    terminal, end = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(words, stdout=end, stderr=end, env=environment) as running:
        os.close(end)
        seen = bytearray()
        while True:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # Linux's way of saying that the other end was closed.
                break
    os.close(terminal)
    text = seen.decode().replace("\r\n", "\n")
    assert running.returncode == 0, text + line.logs()
    return video, text


def test_a_terminal_shows_what_happens(rendered: tuple[Path, str]) -> None:
    """Stages, scenes, bar, percent and times are seen while it works, and gone at the end."""
    _, text = rendered
    live = text[: text.rindex("\x1b[?25h")]
    plain = ESCAPES.sub("", live).replace("\r", "\n")
    for stage in ("starting the suite", "decoding the song", "listening", "filming", "done"):
        assert re.search(rf"^{stage}", plain, re.MULTILINE), stage
    assert re.search(r"filming: \d of 1 scenes, frame \d+ of 48", plain)
    assert re.search(
        r"^ *\d+% [━╸╺]{32} \d+:\d\d elapsed, about \d+:\d\d left", plain, re.MULTILINE
    )
    assert "\x1b[?25l" in text  # the cursor is hidden ...
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # ... and shown again


def test_the_end_tells_what_came_out(rendered: tuple[Path, str]) -> None:
    """Timings and summary stand last on the terminal, in colour."""
    video, text = rendered
    end = text[text.rindex("\x1b[?25h") :]
    assert "\x1b[36mvideo" in end
    plain = ESCAPES.sub("", end)
    for stage in ("starting the suite", "listening", "filming", "cutting the video", "in all"):
        assert re.search(rf"^{stage} +\d+\.\d s", plain, re.MULTILINE), stage
    assert re.search(r"^filming .* \d+\.\d frames/s$", plain, re.MULTILINE)
    assert re.search(rf"^video +{video}, [\d.]+ kB$", plain, re.MULTILINE)
    assert re.search(r"^picture +128x72, 24 fps, 2 s$", plain, re.MULTILINE)
    assert re.search(r"^film +“.+”, 1 scene in 1 place$", plain, re.MULTILINE)
    assert re.search(r"^render +projects/default/renders/\w+$", plain, re.MULTILINE)


def test_the_storyboard_can_be_seen_again(
    line: CommandLine, song: Path, rendered: tuple[Path, str]
) -> None:
    """The command that the summary names gives the render's own storyboard."""
    end = ESCAPES.sub("", rendered[1])
    [command] = re.findall(r"^storyboard +soundsight (.+)$", end, re.MULTILINE)
    boards = line.state / "artifacts" / "projects" / "default" / "storyboards"
    before = set(boards.iterdir())
    printed = line.ok(*command.split())
    [title] = re.findall(r"“(.+)”", end)
    assert printed.startswith(title)
    assert set(boards.iterdir()) == before


def test_cleaning_asks_and_can_be_tried(line: CommandLine, rendered: tuple[Path, str]) -> None:
    """Nothing goes in a trial run, nor where nobody can answer."""
    before = set(line.state.rglob("*"))
    told = line.ok("clean", "--dry-run")
    assert "finished videos" in told
    unanswered = line("clean")
    assert unanswered.returncode == 2
    assert "--yes" in unanswered.stderr
    assert set((line.state / "artifacts").rglob("*")) == {
        path for path in before if path.is_relative_to(line.state / "artifacts")
    } - {line.state / "artifacts"}


def test_the_question_can_be_broken_off(line: CommandLine, rendered: tuple[Path, str]) -> None:
    """Ctrl-C at the question ends the command at once, and nothing is removed."""
    before = set((line.state / "artifacts").rglob("*"))
    terminal, end = pty.openpty()
    words = [sys.executable, "-c", AT_A_TERMINAL, *line.arguments("clean")]
    with subprocess.Popen(
        words, stdin=end, stdout=end, stderr=end, start_new_session=True
    ) as running:
        os.close(end)
        seen = b""
        while b"Remove all this? [y/N]: " not in seen:
            seen += os.read(terminal, 65536)
        # Python does not hear of one that comes after it has asked and before it reads: once more,
        # as anybody would.
        while running.poll() is None:
            os.write(terminal, b"\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(5)
    os.close(terminal)
    assert running.returncode == 130
    assert set((line.state / "artifacts").rglob("*")) == before


def test_a_cleaned_render_is_made_again(
    line: CommandLine, song: Path, rendered: tuple[Path, str]
) -> None:
    """After `clean` the same command gives the same video, made anew; quietly, if asked to."""
    video, _ = rendered
    first = video.read_bytes()
    assert "freed" in line.ok("clean", "--yes")
    assert not list((line.state / "artifacts").rglob("*.mp4"))
    video.unlink()
    done = line("render", song, "-o", video, *EXCERPT, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert video.read_bytes() == first


def test_a_full_store_is_pointed_at_gently(
    line: CommandLine,
    song: Path,
    rendered: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the cap a render ends as ever, and names `soundsight clean`; in a pipe without any
    colour. A render that was finished before says so."""
    monkeypatch.setenv("SOUNDSIGHT_STORE_CAP_GB", "0.0001")
    printed = line.ok("render", song, "-o", rendered[0], *EXCERPT)
    assert "soundsight clean" in printed
    assert "(rendered before)" in printed
    assert "\x1b" not in printed


def test_ctrl_c_ends_a_render_at_once(line: CommandLine, song: Path) -> None:
    """Ctrl-C ends the command, whatever is still to be done, with code 130, saying how to go on;
    what was made stays, also when the folder is cleaned before it goes on."""
    words = ("render", song, "-o", song.with_name("stopped.mp4"), *LONGER, "--seed", "1")
    with subprocess.Popen(
        line.arguments(*words), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for told in running.stderr:
            if "writing the storyboard" in told or "filming" in told:
                running.send_signal(signal.SIGINT)
                break
        _, rest = running.communicate(timeout=300)
    assert running.returncode == 130, rest
    assert "cutting the video" not in rest
    assert rest.strip().splitlines()[-1] == (
        "soundsight: stopped; `soundsight resume` goes on where this one stopped"
    )
    line.ok("clean", "--yes")
    kept = {path.parent.name for path in (line.state / "artifacts" / "projects").rglob("*")}
    assert {"songs", "uploads", "analyses"} <= kept


def test_what_was_stopped_is_gone_on_with(line: CommandLine, song: Path) -> None:
    """`resume` finishes the render that Ctrl-C stopped, where it was to go, with a render's
    progress; afterwards there is nothing left to go on with, and all is well."""
    video = song.with_name("stopped.mp4")
    assert not video.exists()
    done = line("resume")
    assert done.returncode == 0, done.stderr + line.logs()
    assert re.search(r"\] +\d+%  cutting the video", done.stderr)
    assert re.search(rf"^video +{video}, [\d.]+ kB$", done.stdout, re.MULTILINE)
    assert video.stat().st_size > 0
    assert "no interrupted or failed render" in line("resume").stderr
    _all_is_well(line)


def test_a_running_suite_is_not_cleaned_away(line: CommandLine) -> None:
    """While a suite runs on the folder, `clean` refuses and names it."""
    with subprocess.Popen(
        line.arguments("serve"),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as serve:
        assert serve.stdout is not None
        assert "serving on" in serve.stdout.readline()
        refused = line("clean", "--yes", "--all")
        serve.terminate()
    assert refused.returncode == 1
    assert f"a suite is running on {line.state} (process {serve.pid})" in refused.stderr
    assert "soundsight serve" in refused.stderr


def test_a_suite_that_dies_ends_its_commands(line: CommandLine, song: Path, tmp_path: Path) -> None:
    """When the suite is killed a command that uses it says so with what to do."""
    words = line.arguments("analyze", song, "--from", "3", "--to", "20")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for told in running.stderr:
            if "listening" in told:
                os.kill(_supervisor(line), signal.SIGKILL)
                break
        _, rest = running.communicate(timeout=300)
    assert running.returncode == 1
    assert "the suite ended without a word; see" in rest
    assert "give the command again" in rest


def test_what_was_killed_is_seen_and_gone_on_with(line: CommandLine, song: Path) -> None:
    """Killed with its suite in mid-filming, a render is seen by `doctor`, with what was left and
    what to do. `resume` takes it, not the analysis that was killed before it, and makes the video;
    the analysis's own command finishes that. Then all is well."""
    video = song.with_name("killed.mp4")
    words = ("render", song, "-o", video, *LONGER, "--seed", "2")
    with subprocess.Popen(line.arguments(*words), stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for told in running.stderr:
            if "filming" in told:
                break
        os.kill(_supervisor(line), signal.SIGKILL)
        running.kill()
    assert not video.exists()
    looked = line("doctor", "--json", "-")
    assert looked.returncode == 1
    wrong = [result for result in json.loads(looked.stdout)["results"] if not result["well"]]
    assert "leftovers" in {result["check"] for result in wrong}
    left = [result for result in wrong if result["check"] == "renders"]
    assert sorted(result["found"].partition(" was ")[2] for result in left) == [
        "interrupted while filming",
        "interrupted while listening",
    ]
    assert any("`soundsight resume r" in result["to_do"] for result in left)
    line.ok("resume", "-q")
    assert video.stat().st_size > 0
    line.ok("analyze", song, "--from", "3", "--to", "20", "-q")
    _all_is_well(line)


def test_all_can_be_removed(line: CommandLine) -> None:
    """`clean --all` leaves the locks alone, and the folder free for a new start."""
    line.ok("clean", "--all", "--yes")
    left = {path.name for path in line.state.rglob("*") if path.is_file()}
    assert left == {"lease.lock", "services.lock", "suite.lock"}
    with locks.exclusive_if_free(line.state / "suite.lock") as free:
        assert free
    assert "nothing to remove" in line.ok("clean")


def _all_is_well(line: CommandLine) -> None:
    """Once the suite has ended, which `clean` waits for, the doctor finds nothing."""
    line.ok("clean", "--dry-run")
    looked = line("doctor")
    assert (looked.returncode, "!!" in looked.stdout) == (0, False), looked.stdout


def _supervisor(line: CommandLine) -> int:
    record = StateFolder(line.state).read_record()
    assert record is not None
    return record.pid
