"""What is typed wrongly costs a line, and nothing else: no file is written, none is touched."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import CommandLine
from complaints import complaint, contents, run

MISTYPED = 2

SIDE = r"even.*64 to 7680"
RATE = "1 to 120 frames per second"
TIME = "seconds or minutes:seconds"
SEED = r"0 to 2\^63 - 1"


def write_tone(folder: Path) -> Path:
    """Writes two seconds of a tone."""
    path = folder / "song.wav"
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(2 * 22_050) / 22_050)
    soundfile.write(path, tone, 22_050, subtype="PCM_16")
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A song, alone in its folder."""
    return write_tone(tmp_path)


OPTIONS: dict[tuple[str | bytes, ...], str] = {
    ("--fps", "0"): f"--fps.*{RATE}",
    ("--fps", "1/0"): f"--fps.*{RATE}",
    ("--fps", "1000"): f"--fps.*{RATE}",
    ("--fps", "1e999999999"): f"--fps.*{RATE}",
    ("--width", "0"): f"--width.*{SIDE}",
    ("--width", "641", "--height", "360"): f"--width.*{SIDE}",
    ("--width", "999999"): f"--width.*{SIDE}",
    ("--width", "9" * 30, "--height", "360"): f"--width.*{SIDE}",
    ("--width", "7680", "--height", "7680"): "--width/--height.*at most 8294400",
    ("--from", "5", "--to", "2"): "--to 2 .*later than --from 5",
    ("--from", "500"): "--from.*starts at 500 s.*ends at 2 s",
    ("--from", "-1"): f"--from.*{TIME}",
    ("--from", "nan"): f"--from.*{TIME}",
    ("--seed", str(2**64)): f"--seed.*{SEED}",
    ("--seed", "-1"): f"--seed.*{SEED}",
    ("--seed", "1.5"): "--seed.*valid integer",
    ("--style", "x" * 100_000): "--style.*at most 2000",
    ("--style", "calm\x1b[31m"): r"--style.*control character U\+001B",
    ("--style", "calm\u202emlac"): r"--style.*control character U\+202E",
    ("--style", b"caf\xe9"): "--style.*UTF-8",
    ("--quality", "ultra"): "--quality.*draft, standard, high",
    ("--colour", "red"): "--colour.*--help",
}
"""Words that cannot be meant so, and what must be told of them."""

Outcome = tuple[subprocess.CompletedProcess[str], bool]
"""How a command ended, and whether its folder is still as it was."""


@pytest.fixture(scope="module")
def outcomes(
    suite: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str | bytes, ...], Future[Outcome]]]:
    """A render for each of OPTIONS, two at a time, each in a folder of its own."""

    def render(words: tuple[str | bytes, ...]) -> Outcome:
        song = write_tone(tmp_path_factory.mktemp("options"))
        before = contents(song.parent)
        done = run(suite, "render", song, "-q", "-o", song.with_name("video.mp4"), *words)
        return done, contents(song.parent) == before

    with ThreadPoolExecutor(2) as pool:
        yield {words: pool.submit(render, words) for words in OPTIONS}


@pytest.mark.parametrize("words", OPTIONS, ids=lambda words: " ".join(map(str, words))[:30])
def test_a_bad_option_is_named_with_what_it_takes(
    outcomes: dict[tuple[str | bytes, ...], Future[Outcome]], words: tuple[str | bytes, ...]
) -> None:
    """A value that cannot be meant so costs exit code 2 and a line: the option and its range.
    Nothing is written, nothing is touched."""
    done, untouched = outcomes[words].result()
    assert re.search(OPTIONS[words], complaint(done, MISTYPED)), done.stderr
    assert len(done.stderr) < 1_000
    assert untouched


def test_what_is_typed_wrongly_needs_no_suite(song: Path, tmp_path: Path) -> None:
    """A value that no render can have is told before a suite is started."""
    state = tmp_path / "state"
    done = run(CommandLine(state), "storyboard", song, "-q", "--fps", "1/0")
    assert "--fps" in complaint(done, MISTYPED)
    assert not state.exists()


def test_an_end_behind_the_songs_is_the_songs(suite: CommandLine, song: Path) -> None:
    """`--to` may lie behind the end of the song, as a player would take it."""
    assert re.search(r"length +2 s", suite.ok("analyze", song, "-q", "--to", "9:00"))


def _is_the_song(folder: Path) -> Path:
    return folder / "song.wav"


def _links_to_the_song(folder: Path) -> Path:
    (folder / "video.mp4").symlink_to("song.wav")
    return folder / "video.mp4"


def _is_the_song_by_another_name(folder: Path) -> Path:
    (folder / "video.mp4").hardlink_to(folder / "song.wav")
    return folder / "video.mp4"


def _goes_round_to_the_song(folder: Path) -> Path:
    (folder / "round").symlink_to(".")
    return folder / "round" / ".." / folder.name / "song.wav"


def _is_a_folder(folder: Path) -> Path:
    (folder / "video.mp4").mkdir()
    return folder / "video.mp4"


def _is_in_no_folder(folder: Path) -> Path:
    return folder / "nowhere" / "video.mp4"


def _is_in_a_file(folder: Path) -> Path:
    return folder / "song.wav" / "video.mp4"


def _is_in_the_kernel(folder: Path) -> Path:
    return Path("/proc/video.mp4")


def _links_to_nothing(folder: Path) -> Path:
    (folder / "video.mp4").symlink_to("nothing.mp4")
    return folder / "video.mp4"


def _links_to_itself(folder: Path) -> Path:
    (folder / "video.mp4").symlink_to("video.mp4")
    return folder / "video.mp4"


def _links_to_a_device(folder: Path) -> Path:
    (folder / "video.mp4").symlink_to("/dev/null")
    return folder / "video.mp4"


def _is_a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "video.mp4")
    return folder / "video.mp4"


def _has_too_long_a_name(folder: Path) -> Path:
    return folder / f"{'x' * 300}.mp4"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_is_the_song, "is the song itself; choose another"),
        (_links_to_the_song, "is the song itself; choose another"),
        (_is_the_song_by_another_name, "is the song itself; choose another"),
        (_goes_round_to_the_song, "is the song itself; choose another"),
        (_is_a_folder, r"is a folder; name a file in it, such as .*video\.mp4/song\.(mp4|json)"),
        (_is_in_no_folder, "nowhere does not exist; make it with `mkdir -p"),
        (_is_in_a_file, r"song\.wav is not a folder"),
        (_is_in_the_kernel, "/proc.*(No such file|not permitted|Permission denied)"),
        (_links_to_nothing, "is a link that leads nowhere; choose another"),
        (_links_to_itself, "is a link that leads nowhere; choose another"),
        (_links_to_a_device, "is a pipe or a device; choose a file"),
        (_is_a_pipe, "is a pipe or a device; choose a file"),
        (_has_too_long_a_name, "too long"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    suite: CommandLine, song: Path, make: Callable[[Path], Path], told: str
) -> None:
    """An output that cannot be written, or is the song, costs a line; all stays as it was."""
    output = make(song.parent)
    before = contents(song.parent)
    done = run(suite, "render", song, "-q", "-o", output)
    assert re.search(told, complaint(done)), done.stderr
    assert contents(song.parent) == before


@pytest.mark.parametrize("make", [_links_to_the_song, _is_a_pipe, _is_in_a_file])
def test_a_document_is_written_to_a_file_of_its_own(
    suite: CommandLine, song: Path, make: Callable[[Path], Path]
) -> None:
    """What holds for a video's file holds for the one that `--json` writes."""
    output = make(song.parent)
    before = contents(song.parent)
    complaint(run(suite, "analyze", song, "-q", "--json", output))
    assert contents(song.parent) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("render",), "SONG.*render --help"),
        (("render", "song.wav", "-o"), "-o.*requires an argument"),
        (("clean", "--older-than", "nan", "--dry-run"), "--older-than"),
        (("clean", "--all", "--older-than", "3"), "--all.*--older-than.*choose one"),
        (("render", "-song.wav"), "-s"),
    ],
    ids=" ".join,
)
def test_a_bad_command_line_is_explained(
    suite: CommandLine, song: Path, words: tuple[str, ...], told: str
) -> None:
    """What is no command, or half of one, costs exit code 2 and one line."""
    assert re.search(told, complaint(run(suite, *words, folder=song.parent), MISTYPED))


@pytest.mark.parametrize("target", ["nowhere", "127.0.0.1:1", ""])
def test_a_gateway_that_is_none_is_named(song: Path, tmp_path: Path, target: str) -> None:
    """A gateway that does not answer costs a line that names the option."""
    line = CommandLine(tmp_path / "state")
    done = run(line, "--gateway", target, "analyze", song, "-q")
    assert "--gateway" in complaint(done, MISTYPED if not target else 1)
