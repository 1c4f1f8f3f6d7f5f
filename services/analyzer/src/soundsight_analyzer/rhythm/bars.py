"""Bars: which points of a grid are beats, and which of those are downbeats.

A hidden Markov model walks through the places of a bar, as the bar-pointer model of Krebs, Boeck
and Widmer does ("An efficient state-space model for joint tempo and meter tracking", ISMIR 2015),
on a grid whose tempo is settled. A jump within the bar is possible and dear, since a bar with a
beat too few or too many is now and then written. As in that model the beat never moves to the
off-beat while the tempo goes on evenly, however long a passage is accented there: only where the
grid is uneven, behind a rest or at a new tempo, may the path go on at any point of a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Flags, Floats, Ints

_BEAT_JUMP = 10.0
_METRE_CHANGE = 25.0
_UNEVEN = 0.03
_UNEVEN_POINTS = 9


@dataclass(frozen=True)
class BarPath:
    """``places`` (points,): grid points since the downbeat. ``metres`` (points,): which of the
    metres that were asked about. ``score``: the evidence that the path collects, in nats."""

    places: Ints
    metres: Ints
    score: float


def follow_bars(scores: Sequence[Floats], *, division: int, uneven: Flags) -> BarPath:
    """The most likely place in the bar of each grid point.

    ``scores`` holds for each metre the score (points, places) of each place of its bar;
    ``division`` is the number of grid points to a beat, the same in all; ``uneven`` (points,) is
    where the grid does not go on evenly. From one metre to another it goes at bar lines alone.
    """
    observed = np.concatenate(scores, axis=1)
    lengths = [part.shape[1] for part in scores]
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    lasts = firsts + np.asarray(lengths) - 1
    points, states = observed.shape
    came_from: Ints = np.arange(states) - 1
    came_from[firsts] = lasts

    bars = [slice(first, last + 1) for first, last in zip(firsts, lasts, strict=True)]
    score = observed[0].copy()
    source = np.zeros((points, states), dtype=np.int16)
    for point in range(1, points):
        value, origin = score[came_from], came_from.copy()
        if len(lengths) > 1:
            best = int(lasts[score[lasts].argmax()])
            entering = firsts[score[best] - _METRE_CHANGE > value[firsts]]
            value[entering], origin[entering] = score[best] - _METRE_CHANGE, best
        for bar in bars:
            value[bar], origin[bar] = _jump(
                score[bar], value[bar], origin[bar] - bar.start, division, bool(uneven[point])
            )
            origin[bar] += bar.start
        source[point] = origin
        score = value + observed[point]
    path = np.empty(points, dtype=np.int64)
    path[-1] = int(score.argmax())
    for point in range(points - 1, 0, -1):
        path[point - 1] = source[point, path[point]]
    metres = np.searchsorted(firsts, path, side="right") - 1
    return BarPath(path - firsts[metres], metres, float(score.max()))


def uneven_points(points: Floats) -> Flags:
    """Where the spacing of grid ``points`` (n,) changes by more than 3 %: there a rest or a new
    tempo may have moved the grid against the beat."""
    if len(points) < 2 * _UNEVEN_POINTS:
        return np.zeros(len(points), dtype=bool)
    spacing = np.diff(points, prepend=2 * points[0] - points[1])
    mean = scipy.ndimage.uniform_filter1d(spacing, _UNEVEN_POINTS, mode="nearest")
    reach = _UNEVEN_POINTS // 2 + 2
    before = np.concatenate([np.full(reach, mean[0]), mean[:-reach]])
    after = np.concatenate([mean[reach:], np.full(reach, mean[-1])])
    changed = np.abs(np.log(after / before)) > _UNEVEN
    return np.asarray(scipy.ndimage.maximum_filter1d(changed, size=_UNEVEN_POINTS), dtype=bool)


def _jump(
    score: Floats, value: Floats, origin: Ints, division: int, uneven: bool
) -> tuple[Floats, Ints]:
    """Lets the path go on elsewhere in the bar; where the grid is even, at the same place within
    the beat."""
    table = score.reshape(-1, division)
    rows = table.argmax(axis=0)
    columns = np.arange(division)
    best = rows * division + columns
    if uneven:
        from_where = np.full(len(score), best[table[rows, columns].argmax()])
    else:
        from_where = np.tile(np.roll(best, 1), len(table))
    jumped = score[from_where] - _BEAT_JUMP
    return np.maximum(value, jumped), np.where(value >= jumped, origin, from_where)
