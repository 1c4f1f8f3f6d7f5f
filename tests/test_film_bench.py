"""What `bench/film.py` sees in a picture whose cuts are known, and how it reads true beats."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import film
from film_truth import TrueBeats, moved, offset_s, read_true_beats

FPS = 24
SIZE = (256, 144)
CUTS = (30, 55, 100)
FLASH, JUMP = 75, 85


def view(seed: int) -> NDArray[np.float64]:
    """A picture of soft blocks, twice as wide as the frame so that a camera can pan over it."""
    blocks = np.random.default_rng(seed).uniform(40.0, 200.0, (9, 32))
    return np.asarray(np.kron(blocks, np.ones((16, 16))), dtype=np.float64)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four views with hard cuts between them; one flashes, and its camera jumps a little once."""
    path = tmp_path_factory.mktemp("bench") / "known.mp4"
    width, height = SIZE
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(140):
            shot = sum(number >= cut for cut in CUTS)
            at = number // 4 + (4 if number >= JUMP else 0)
            picture = view(shot)[:, at : at + width]
            if number == FLASH:
                picture = 30.0 + picture
            grey = np.repeat(picture[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_cuts_are_found_and_nothing_else(video: Path) -> None:
    """Each cut is found on its frame; a flash and a jerk of the camera are no cuts."""
    seen = film.see(video, frozenset({0}), 64)
    assert seen.frames == 140
    assert seen.cut_frames.tolist() == list(CUTS)


def test_a_song_s_own_truth_is_read(tmp_path: Path) -> None:
    """Beats and downbeats of one song; without a last note they are known to the end."""
    path = tmp_path / "song.json"
    path.write_text(json.dumps({"beats_s": [0.0, 0.5, 1.0], "downbeats_s": [0.0]}))
    truth = read_true_beats(path, "")
    assert truth.beats_s.tolist() == [0.0, 0.5, 1.0]
    assert truth.downbeats_s.tolist() == [0.0]
    assert truth.known_until_s == float("inf")


def test_one_song_of_several_is_read(tmp_path: Path) -> None:
    """The named song's beats until its last note; a name that is not there is told the others."""
    path = tmp_path / "beats.json"
    path.write_text(json.dumps({"one": {"beats_s": [1.0], "last_note_s": 9.0}, "two": {}}))
    truth = read_true_beats(path, "one")
    assert (truth.beats_s.tolist(), truth.downbeats_s.size, truth.known_until_s) == ([1.0], 0, 9.0)
    with pytest.raises(SystemExit, match="one, two"):
        read_true_beats(path, "three")


@pytest.mark.parametrize("late_s", [-0.05, 0.0, 0.04])
def test_a_chart_s_offset_is_found(late_s: float) -> None:
    """A constant offset is found to 2 ms, though some beats were heard wrongly."""
    beats_s = np.arange(100, dtype=np.float64) * 0.4
    heard_s = np.sort(np.concatenate([beats_s[::2] + late_s, beats_s[1::20] + 0.17]))
    truth = TrueBeats(beats_s, np.empty(0), float("inf"))
    assert offset_s(truth, heard_s) == pytest.approx(late_s, abs=0.002)
    assert moved(truth, 0.04).beats_s[1] == pytest.approx(0.44)
