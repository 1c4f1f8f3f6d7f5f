"""The example's film as a user gets it, full size and standard: what docs/measures.md measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from command_line import CommandLine
from google.protobuf import json_format
from video_measures import cut_times_s

from songsmith import first_light, truth_of
from songsmith.files import write_song
from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight_kit.measures.correlation import correlate
from soundsight_kit.measures.cuts import shot_rates
from soundsight_kit.measures.documents import SongFacts, song_facts
from soundsight_kit.measures.look import look_follows_mood
from soundsight_kit.measures.motion import (
    av_align,
    curve_per_frame,
    leave_out_cuts,
    motion_follows_onsets,
)
from soundsight_kit.measures.watch import Watched, Watcher

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

FPS = 24
ABOVE_CHANCE_Z = 1.64  # reached by chance once in twenty


@dataclass(frozen=True)
class Film:
    """A finished film and what was heard in its song."""

    heard: SongFacts
    beats_s: list[float]
    cuts_s: list[float]
    watched: Watched

    @property
    def motion(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Change from frame to frame, cuts left out."""
        return leave_out_cuts(self.watched.change, np.rint(np.array(self.cuts_s) * FPS).astype(int))


@pytest.fixture(scope="module")
def film(suite: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Film:
    """The example song's film as `soundsight render` makes it when nothing is asked for."""
    folder = tmp_path_factory.mktemp("film")
    song = first_light()
    audio, _ = write_song(song, folder, "first-light")
    video, heard = folder / "first-light.mp4", folder / "first-light.json"
    suite.ok("render", audio, "-o", video)
    suite.ok("analyze", audio, "--json", heard)
    analysis = json_format.Parse(heard.read_bytes(), SongAnalysis())
    return Film(
        song_facts(analysis), list(truth_of(song).beats_s), cut_times_s(video), watch(video)
    )


def watch(video: Path) -> Watched:
    """Looks at every frame, scaled to 256x144."""
    watcher = Watcher(FPS)
    with av.open(str(video)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (1280, 720)
        for frame in container.decode(video=0):
            small = frame.reformat(width=256, height=144, format="rgb24", interpolation="AREA")
            watcher.add(small.to_ndarray().astype(np.uint8, copy=False))
    return watcher.seen()


def test_it_is_cut_on_its_beats(film: Film) -> None:
    """At least 95 % of the cuts that are found in the picture fall on true beats."""
    beats = np.array(film.beats_s)
    distance_s = np.abs(np.array(film.cuts_s)[:, None] - beats).min(axis=1)
    assert len(film.cuts_s) >= 8
    assert (distance_s <= 0.5 / FPS + 0.020).mean() >= 0.95, distance_s


def test_its_pace_follows_the_energy(film: Film) -> None:
    """Sections that are louder are cut faster, as the picture shows."""
    heard = film.heard
    bounds_s = np.array([0.0, *film.cuts_s, heard.duration_s])
    together = correlate(shot_rates(bounds_s, heard.sections_s), heard.energy)
    assert together.pearson > 0.5


def test_it_moves_with_the_music(film: Film) -> None:
    """Motion meets onsets more often than it would in the song shifted against the film."""
    heard, motion = film.heard, film.motion
    onsets = curve_per_frame(heard.onsets, heard.onset_hop_s, len(motion), FPS)
    assert motion_follows_onsets(motion, onsets, FPS).correlation.z > ABOVE_CHANCE_Z
    assert av_align(motion, heard.onsets, heard.onset_hop_s, FPS).score.z > ABOVE_CHANCE_Z


def test_its_light_follows_the_mood(film: Film) -> None:
    """Brighter and warmer where the song is happier, brighter where it is more alive."""
    heard = film.heard
    mood = look_follows_mood(
        film.watched.looks, heard.sections_s, FPS, heard.valence, heard.arousal
    )
    assert mood.brightness_arousal.pearson > 0
    assert mood.brightness_valence.pearson > 0
    assert mood.warmth_valence.pearson > 0


def test_nobody_is_flashed_at(film: Film) -> None:
    """Never more than three general or red flashes in a second, cuts included."""
    assert not film.watched.flashes.general.too_many
    assert not film.watched.flashes.red.too_many
