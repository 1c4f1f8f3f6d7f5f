"""A suite that runs for the whole test session, and the example song rendered by it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CommandLine, Example
from faults import Rendering, Undisturbed, left_behind

from songsmith import compose, first_light, truth_of
from songsmith.files import write_song

SMALL = ("--width", "160", "--height", "90", "--quality", "draft")
"""Options of renders whose pictures nobody looks at."""


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A suite that is kept up while the tests run, as `soundsight serve` keeps it."""
    # The state folder is not there yet: the suite makes it.
    command_line = CommandLine(tmp_path_factory.mktemp("suite") / "state")
    with subprocess.Popen(
        command_line.arguments("serve"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as serve:
        try:
            assert serve.stdout is not None
            first = serve.stdout.readline()
            assert "serving on" in first, first + command_line.logs()
            yield command_line
        finally:
            serve.terminate()


@pytest.fixture(scope="session")
def example(suite: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The example song and its video, at a small size."""
    folder = tmp_path_factory.mktemp("example")
    song = first_light()
    audio, _ = write_song(song, folder, "first-light")
    video = folder / "first-light.mp4"
    printed = suite.ok("render", audio, "-o", video, "--width", "640", "--height", "360")
    return Example(audio, list(truth_of(song).beats_s), video, printed, suite)


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 25 seconds in three parts, which make a dozen short scenes."""
    made = compose(11, tempo_bpm=140, form=(("intro", 3), ("verse", 5), ("chorus", 6)))
    path, _ = write_song(made, tmp_path_factory.mktemp("song"), "song")
    return path


@pytest.fixture
def rendering(song: Path, tmp_path: Path) -> Rendering:
    """A command on a fresh state folder."""
    return Rendering(CommandLine(tmp_path / "state"), song, tmp_path / "video.mp4", SMALL)


@pytest.fixture(scope="session")
def undisturbed(song: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The render to which nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    calm = Rendering(CommandLine(folder / "state"), song, folder / "video.mp4", SMALL)
    running = calm.start()
    assert running.ends() == 0, running.told
    assert left_behind(calm) == []
    found = calm.came_to()
    assert found.clips >= 5
    return found
