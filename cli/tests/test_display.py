"""What is happening is seen: on a terminal in two lines that move, in a pipe line by line."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from soundsight.common.v1.common_pb2 import Progress
from soundsight_cli.display import (
    HEARTBEAT_S,
    Lines,
    Live,
    Quiet,
    open_display,
    printable,
    stopwatch,
)
from soundsight_cli.summaries import counted


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def lines_of(file: io.StringIO) -> list[str]:
    """What was printed, without the times in front."""
    return [line.split("] ")[1] for line in file.getvalue().splitlines()]


def test_lines_come_with_every_stage_and_every_tenth() -> None:
    """In a pipe a line comes when the stage or the tenth changes, not with every frame."""
    file = io.StringIO()
    shown = Lines(Console(file=file), Clock())
    shown.step("listening", 0.02)
    for frame in range(100):
        shown.step(f"filming: frame {frame} of 100", 0.3 + frame / 1000, 61.0)
    shown.step("filming: frame 100 of 100", 0.4)
    assert lines_of(file) == [
        "  2%  listening",
        " 30%  filming: frame 0 of 100, about 1:01 min left",
        " 40%  filming: frame 100 of 100",
    ]


def test_lines_never_fall_silent_while_something_moves() -> None:
    """A tenth that takes long is told of once a minute."""
    file, clock = io.StringIO(), Clock()
    shown = Lines(Console(file=file), clock)
    for _ in range(181):
        shown.step("filming", 0.5)
        clock.now_s += 1
    assert len(lines_of(file)) == 1 + 180 // HEARTBEAT_S


def test_lines_stay_whole_however_narrow_the_pipe() -> None:
    """A long line is not folded where nobody looks at columns."""
    file = io.StringIO()
    Lines(Console(file=file, width=40), Clock()).say("x" * 200)
    assert file.getvalue().count("\n") == 1


def test_a_terminal_shows_stage_bar_share_and_times() -> None:
    """The two lines hold what is done, the bar, the percent, the time so far and the time left,
    which shrinks between two reports."""
    file, clock = io.StringIO(), Clock()
    live = Live(Console(file=file, force_terminal=True, width=80), clock)
    live.step("filming: 2 of 9 scenes, frame 120 of 1080", 0.42, remaining_s=75)
    clock.now_s += 5
    live.close()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    what, how_far = plain.rstrip().splitlines()[-2:]
    assert what == "filming: 2 of 9 scenes, frame 120 of 1080"
    assert re.fullmatch(r" 42% [━╸╺]{32} 0:05 elapsed, about 1:10 left", how_far)


def test_a_narrow_terminal_is_not_broken() -> None:
    """No line is wider than the terminal."""
    file = io.StringIO()
    live = Live(Console(file=file, force_terminal=True, width=40), Clock())
    live.step("filming: 2 of 9 scenes, frame 120 of 1080, and so on", 0.42, remaining_s=75)
    live.close()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    assert max(map(len, re.split(r"[\r\n]", plain))) <= 40


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The quiet display swallows everything."""
    shown = open_display(quiet=True)
    shown.say("a line")
    shown.step("filming", 0.5)
    shown.close()
    assert isinstance(shown, Quiet)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(stage="film", done=120, total=1080), "2 of 9 scenes, frame 120 of 1080"),
        (Progress(stage="join", done=3, total=8), "join 3 of 8"),
        (Progress(stage="queue"), "queue"),
        (Progress(stage="harmony", done=1, total=1), "harmony"),
        (Progress(stage="fetch", done=0, total=5_180_658), "fetch"),
        (Progress(stage="plan", message="choosing cuts"), "choosing cuts"),
    ],
)
def test_a_stage_says_how_far_it_is(progress: Progress, text: str) -> None:
    """While scenes are filmed their number is told, otherwise what the service says."""
    assert counted(progress, 2, 9) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (187, "3:07"), (3723, "1:02:03")]
)
def test_running_times_look_like_clocks(seconds: float, text: str) -> None:
    """A running time has minutes and seconds, and hours when it needs them."""
    assert stopwatch(seconds) == text


def test_names_are_told_in_one_line() -> None:
    """Whatever bytes a name is made of, it is one line, and nothing in it moves the cursor."""
    assert printable("ноты 🎵.flac") == "ноты 🎵.flac"
    assert printable("two\nlines \x1b[31m caf\udce9") == "two\\x0alines \\x1b[31m caf\\xe9"
