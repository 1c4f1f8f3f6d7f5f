"""Where the tempo changes, on beats whose tempo is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_analyzer.rhythm.changes import tempo_changes


def beats(*stretches: tuple[float, int], jitter_s: float = 0.0, seed: int = 0) -> np.ndarray:
    """Beat times of stretches of (bpm, beats)."""
    intervals = np.concatenate([np.full(count, 60.0 / bpm) for bpm, count in stretches])
    stray = jitter_s * np.random.default_rng(seed).standard_normal(len(intervals) + 1)
    return np.concatenate([[0.0], np.cumsum(intervals)]) + 0.3 + stray


@settings(max_examples=30, deadline=None)
@given(bpm=st.floats(50, 200), seed=st.integers(0, 1000))
def test_a_steady_tempo_is_one_tempo(bpm: float, seed: int) -> None:
    """Players' strayings make no changes."""
    found = tempo_changes(beats((bpm, 200), jitter_s=0.004, seed=seed))
    assert len(found) == 1
    assert found[0][0] == 0
    assert found[0][1] == pytest.approx(bpm, rel=0.005)


@settings(max_examples=30, deadline=None)
@given(bpm=st.floats(60, 180), share=st.sampled_from([0.8, 0.9, 0.95, 1.06, 1.2]))
def test_a_change_is_found_where_it_is(bpm: float, share: float) -> None:
    """A new tempo begins on its first beat, give or take one."""
    times = beats((bpm, 60), (bpm * share, 80), jitter_s=0.003)
    found = tempo_changes(times)
    assert len(found) == 2
    assert found[1][0] == pytest.approx(times[60], abs=60.0 / bpm + 0.1)
    assert [tempo for _, tempo in found] == pytest.approx([bpm, bpm * share], rel=0.01)


def test_a_rest_is_no_tempo() -> None:
    """A pause without beats leaves the tempo as it is."""
    first = beats((120, 60))
    found = tempo_changes(np.concatenate([first, first + first[-1] + 8.0]))
    assert [round(bpm) for _, bpm in found] == [120]


def test_two_beats_are_needed() -> None:
    """Without an interval there is no tempo."""
    assert tempo_changes(np.zeros(0)) == ()
    assert tempo_changes(np.asarray([1.0])) == ()
