"""Sounds with known truth for the analyzer's tests, and a running analyzer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from serving import Serving, serving_analyzer

from songsmith import SAMPLE_RATE_HZ, Song, Truth, compose, first_light, render, truth_of
from songsmith.files import write_song
from soundsight_analyzer.harmony.chroma import chroma
from soundsight_analyzer.harmony.notes import Notes, hear_notes
from soundsight_analyzer.rhythm.degara import degara
from soundsight_analyzer.rhythm.tracking import Rhythm, hear_rhythm
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_analyzer.spectra import Frames, analyse_frames

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class KnownSong:
    """A synthesised song: mono samples at 44.1 kHz, what is known about its frames, its truth."""

    samples: Samples
    frames: Frames
    chroma: Samples
    notes: Notes
    truth: Truth

    def rhythm(self) -> Rhythm:
        """What is heard of its rhythm."""
        return hear_rhythm(self.samples, self.frames, self.chroma, other_tracker=degara)


def _known(song: Song) -> KnownSong:
    stereo = render(song).astype(np.float32) / 32768.0
    samples = stereo.mean(axis=1)
    frames = analyse_frames(samples)
    return KnownSong(samples, frames, chroma(samples), hear_notes(samples), truth_of(song))


@pytest.fixture(scope="session")
def example_song() -> KnownSong:
    """The example song of the repository."""
    return _known(first_light())


@pytest.fixture(scope="session")
def invent() -> Callable[[int, float], KnownSong]:
    """Invents a short song from a seed and a tempo; the same song is made once."""
    made: dict[tuple[int, float], KnownSong] = {}
    form = (("intro", 4), ("verse", 4), ("chorus", 4), ("verse", 4), ("chorus", 4), ("outro", 2))

    def song(seed: int, tempo_bpm: float) -> KnownSong:
        if (seed, tempo_bpm) not in made:
            composed = compose(seed, tempo_bpm=tempo_bpm, form=form, lead_in_s=0.2)
            made[seed, tempo_bpm] = _known(composed)
        return made[seed, tempo_bpm]

    return song


@pytest.fixture(scope="session")
def example_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example song as the FLAC file that users get."""
    path, _ = write_song(first_light(), tmp_path_factory.mktemp("example"), "first-light")
    return path


@pytest.fixture(scope="session")
def noise() -> Samples:
    """Twenty seconds of white noise."""
    values = np.random.default_rng(1).standard_normal(20 * SAMPLE_RATE_HZ)
    return (0.1 * values).astype(np.float32)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """A real analyzer behind a real server, shared by a module's tests."""
    settings = AnalyzerSettings(max_duration_s=120.0, song_timeout_s=600.0)
    async with serving_analyzer(tmp_path_factory.mktemp("analyzer"), settings) as serving:
        yield serving
