"""The summary of a finished video says what there is, and where."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from soundsight.common.v1.common_pb2 import ArtifactRef, FrameRate, Resolution
from soundsight.render.v1.resources_pb2 import Render, RenderOutputs, SceneStatus
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard, Treatment
from soundsight.videogen.v1.shot_pb2 import Shot
from soundsight_cli.closing import places, rows, show, storyboard_command
from soundsight_cli.spec import BadOption, ListenOptions, VideoOptions
from soundsight_cli.state import STORE_CAP_GB, store_cap_bytes

RENDER = Render(
    name="projects/default/renders/r1",
    scenes=[SceneStatus(scene_id="s001"), SceneStatus(scene_id="s002", reused=True)],
    notes=["the first thing to know", "the second"],
    outputs=RenderOutputs(
        video=ArtifactRef(size_bytes=19_200_000),
        duration_s=47.2,
        resolution=Resolution(width=1280, height=720),
        frame_rate=FrameRate(num=30000, den=1001),
    ),
)
STORYBOARD = Storyboard(
    treatment=Treatment(title="The Compass"),
    scenes=[Scene(id="s001", place_id="place-1"), Scene(id="s002", place_id="place-1")],
)
LONG = Path("a folder") / ("deep/" * 30) / "video.mp4"


def told(render: Render = RENDER, storyboard: Storyboard = STORYBOARD) -> dict[str, str]:
    """The summary's rows by label."""
    return dict(rows(LONG, render, storyboard, made_in="2:17 min", again="soundsight storyboard x"))


def test_the_summary_has_what_one_wants_to_know() -> None:
    """File, size, picture, rate, length, title, scenes, places, time and name are there."""
    summary = told()
    assert summary["video"] == f"{LONG}, 19.2 MB"
    assert summary["picture"] == "1280x720, 29.970 fps, 47 s"
    assert summary["film"] == "“The Compass”, 2 scenes (1 kept from before) in 1 place"
    assert summary["made in"] == "2:17 min"
    assert summary["render"] == RENDER.name
    assert summary["storyboard"] == "soundsight storyboard x"


def test_places_are_counted_once_each() -> None:
    """Scenes that return to a place add none; a scene without a named place has one by its seed."""
    scenes = [
        Scene(place_id="place-1", shot=Shot(place_seed=1)),
        Scene(place_id="place-2", shot=Shot(place_seed=2)),
        Scene(place_id="place-1", shot=Shot(place_seed=1)),
        Scene(shot=Shot(place_seed=7)),
        Scene(shot=Shot(place_seed=7)),
    ]
    assert places(Storyboard(scenes=scenes)) == 3


def test_the_summary_is_aligned_and_never_folded() -> None:
    """Values begin in one column, repeated labels are left out, and long paths stay whole."""
    file = io.StringIO()
    lines = rows(LONG, RENDER, STORYBOARD, made_in="1 s", again="x")
    show(lines, Console(file=file, width=60, highlight=False))
    printed = file.getvalue().splitlines()
    assert len(printed) == len(lines)
    column = printed[0].index(str(LONG))
    assert all(line[column - 1] == " " != line[column] for line in printed)
    assert printed[-1].strip() == "the second"


@pytest.mark.parametrize(("terminal", "coloured"), [(True, True), (False, False)])
def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, coloured: bool
) -> None:
    """A terminal gets colours unless NO_COLOR is set; a pipe gets none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def printed() -> str:
        file = io.StringIO()
        show([("video", "a.mp4")], Console(file=file, force_terminal=terminal))
        return file.getvalue()

    assert ("\x1b[36m" in printed()) == coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in printed()


def test_the_storyboard_is_asked_for_as_it_was_made() -> None:
    """The command names every option that the storyboard hangs on, safely quoted, and no other."""
    options = VideoOptions(
        width=640,
        seed=3,
        style="snow, calm",
        quality="draft",
        start="0:10",
        fps="30",
        listen=ListenOptions(lyrics=Path("my words.lrc"), concept=True),
    )
    command = storyboard_command(Path("my song.mp3"), options)
    assert shlex.split(command) == [
        *("soundsight", "storyboard", "my song.mp3", "--width", "640", "--fps", "30"),
        *("--seed", "3", "--style", "snow, calm", "--from", "0:10"),
        *("--lyrics", "my words.lrc", "--concept"),
    ]
    plain = storyboard_command(Path("song.mp3"), VideoOptions())
    assert plain == "soundsight storyboard song.mp3"


@pytest.mark.parametrize(
    "name", ["it's \\ a \nsong.mp3", "caf\udce9.mp3", "-q.mp3", "$(x) `y`.mp3"]
)
def test_the_storyboard_command_holds_any_name(name: str) -> None:
    """A shell takes the command's words as they were meant, from a single line."""
    command = storyboard_command(Path(name), VideoOptions())
    assert command.isprintable()
    said = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True
    )
    assert os.fsdecode(said.stdout).split("\0")[2] in (name, f"./{name}")
    assert "storyboard -" not in command


def test_the_cap_of_the_store_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOUNDSIGHT_STORE_CAP_GB sets the cap; what is no size is refused by name."""
    monkeypatch.delenv("SOUNDSIGHT_STORE_CAP_GB", raising=False)
    assert store_cap_bytes() == STORE_CAP_GB * 1e9 == 20e9
    monkeypatch.setenv("SOUNDSIGHT_STORE_CAP_GB", "0.5")
    assert store_cap_bytes() == 5e8
    for text in ("much", "-1", "nan"):
        monkeypatch.setenv("SOUNDSIGHT_STORE_CAP_GB", text)
        with pytest.raises(BadOption, match="SOUNDSIGHT_STORE_CAP_GB"):
            store_cap_bytes()
