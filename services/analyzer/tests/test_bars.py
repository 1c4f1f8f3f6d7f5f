"""Bars on a grid whose evidence is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from soundsight_analyzer.rhythm.bars import follow_bars, uneven_points
from soundsight_analyzer.rhythm.metres import BETWEEN, COMMON, METRES, SIX_EIGHT, WALTZ, Metre

POINTS = 240


def evidence(kinds: NDArray[np.int64], metre: Metre, division: int) -> NDArray[np.float64]:
    """Scores of a metre's places where each point plainly is of the kind given."""
    places = metre.kinds(division)
    return np.where(kinds[:, None] == places, 1.0, -1.0)


def played(metre: Metre, division: int, points: int, phase: int = 0) -> NDArray[np.int64]:
    """Kinds (points,) of a grid that begins ``phase`` points into a bar."""
    bar = metre.kinds(division).astype(np.int64)
    return bar[(np.arange(points) + phase) % len(bar)]


@pytest.mark.parametrize("metre", METRES, ids=str)
def test_bars_are_found_whatever_their_phase(metre: Metre) -> None:
    """Wherever in the bar the grid begins, every point gets its place."""
    division = metre.divisions[0]
    even = np.zeros(POINTS, dtype=bool)
    for phase in range(metre.beats * division):
        scores = evidence(played(metre, division, POINTS, phase), metre, division)
        path = follow_bars([scores], division=division, uneven=even)
        expected = (np.arange(POINTS) + phase) % (metre.beats * division)
        assert (path.places == expected).all()
        assert path.score == POINTS


def test_the_beat_does_not_move_to_the_off_beat() -> None:
    """Strong off-beats for some bars move nothing where the grid is even; where it is not, and the
    music has moved by half a beat, the path follows."""
    straight = played(COMMON, 2, POINTS)
    shifted = np.concatenate([straight[:120], np.roll(straight, -1)[120:]])
    scores = evidence(shifted, COMMON, 2)
    even = np.zeros(POINTS, dtype=bool)
    places = follow_bars([scores], division=2, uneven=even).places
    assert ((places - np.arange(POINTS)) % 2 == places[0] % 2).all()
    rest = even.copy()
    rest[118:122] = True
    places = follow_bars([scores], division=2, uneven=rest).places
    assert (places[:110] == np.arange(110) % 8).all()
    assert (places[130:] == (np.arange(130, POINTS) + 1) % 8).all()


def test_a_short_bar_is_followed() -> None:
    """A bar that lacks two beats moves the downbeats after it, at once."""
    straight = played(COMMON, 2, POINTS)
    cut = np.concatenate([straight[:100], straight[104:], straight[:4]])
    path = follow_bars([evidence(cut, COMMON, 2)], division=2, uneven=np.zeros(POINTS, dtype=bool))
    assert (path.places[:96] == np.arange(96) % 8).all()
    assert (path.places[104:] == (np.arange(104, POINTS) + 4) % 8).all()


def test_metres_change_at_bar_lines() -> None:
    """Of two metres offered, each is heard where it is played."""
    kinds = np.concatenate([played(COMMON, 2, 160), played(WALTZ, 2, 120)])
    scores = [evidence(kinds, metre, 2) for metre in (COMMON, WALTZ)]
    path = follow_bars(scores, division=2, uneven=np.zeros(280, dtype=bool))
    assert (path.metres == np.repeat([0, 1], [160, 120])).all()
    assert path.places[160] == 0


def test_kinds_mark_beats_alone() -> None:
    """Between the beats of a bar there is nothing else; 6/8 has two beats of three places."""
    assert (SIX_EIGHT.kinds(3) != BETWEEN).tolist() == [True, False, False, True, False, False]
    assert (COMMON.kinds(2) != BETWEEN).tolist() == [True, False] * 4


def test_uneven_is_where_the_tempo_changes() -> None:
    """A new tempo is uneven there and nowhere else; a steady grid is even."""
    steady = np.arange(100) * 20.0
    assert not uneven_points(steady).any()
    changed = np.concatenate([steady, steady[-1] + 24.0 * np.arange(1, 100)])
    uneven = np.flatnonzero(uneven_points(changed))
    assert 80 < uneven.min() < 100 < uneven.max() < 120
