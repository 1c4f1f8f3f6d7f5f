"""How well the analyzer hears the catalogue's songs, whose truth is exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer_listeners import soundsight
from analyzer_scores import Scores, mean, score, truth_to_hearing
from songsmith.catalogue import HARD, STANDARD, Entry

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

# Rendered songs are kept where `make bench-analyzer` keeps them.
SONGS = Path(__file__).parents[3] / "out" / "songs"


def means_of(entries: tuple[Entry, ...]) -> Scores:
    """The mean of each measure over a set of songs."""
    return mean(
        [score(truth_to_hearing(entry.truth), soundsight(entry.flac(SONGS))) for entry in entries]
    )


@pytest.fixture(scope="module")
def standard() -> Scores:
    return means_of(STANDARD)


@pytest.fixture(scope="module")
def hard() -> Scores:
    return means_of(HARD)


def test_pulse_and_bars_of_ordinary_songs(standard: Scores) -> None:
    """Beats, downbeats and metre of the standard songs are right."""
    assert standard.beats_f >= 0.95
    assert standard.downbeats_f >= 0.90
    assert standard.metre >= 0.90


def test_keys_of_ordinary_songs(standard: Scores) -> None:
    """Nine keys in ten are right, mode included."""
    assert standard.key >= 0.90


def test_form_of_ordinary_songs(standard: Scores) -> None:
    """Sections begin where they do, within 3 s, and what repeats is labelled alike."""
    assert standard.bounds_3s >= 0.85
    assert standard.labels_f >= 0.80


def test_pulse_and_bars_of_hard_songs(hard: Scores) -> None:
    """Beats and downbeats survive swing, drift, distortion, double bass and lossy encoding."""
    assert hard.beats_f >= 0.85
    assert hard.downbeats_f >= 0.75
