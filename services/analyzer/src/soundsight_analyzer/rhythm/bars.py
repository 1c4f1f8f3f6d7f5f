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
    bars = _Bars.of([part.shape[1] for part in scores], division)
    collected = np.concatenate(scores, axis=1)
    for point in range(1, len(collected)):
        collected[point] += bars.come_to(collected[point - 1], bool(uneven[point]))
    path = np.empty(len(collected), dtype=np.int64)
    path[-1] = int(collected[-1].argmax())
    for point in range(len(path) - 1, 0, -1):
        before = collected[point - 1]
        path[point - 1] = bars.came_from(int(path[point]), before, bool(uneven[point]))
    metres = np.searchsorted(bars.firsts, path, side="right") - 1
    return BarPath(path - bars.firsts[metres], metres, float(collected[-1].max()))


@dataclass(frozen=True)
class _Bars:
    """The places of each metre's bar, all in a row, and the ways from one to the next.

    ``firsts``, ``lasts`` (metres,): each bar's ends. ``own_way`` (places,): where a path that goes
    on comes from. ``beats`` (metres,): the first of each bar's beats among all beats. ``bar_of``
    (beats,): whose beat it is.
    """

    division: int
    firsts: Ints
    lasts: Ints
    own_way: Ints
    beats: Ints
    bar_of: Ints

    @classmethod
    def of(cls, lengths: Sequence[int], division: int) -> _Bars:
        ends: Ints = np.cumsum(lengths)
        firsts = ends - lengths
        own_way = np.arange(ends[-1]) - 1
        own_way[firsts] = ends - 1
        bar_of = np.repeat(np.arange(len(lengths)), np.asarray(lengths) // division)
        return cls(division, firsts, ends - 1, own_way, firsts // division, bar_of)

    def come_to(self, before: Floats, uneven: bool) -> Floats:
        """The best score with which each place is come to, given those one point ``before``; both
        (places,)."""
        value = before.take(self.own_way)
        if len(self.lasts) > 1:
            change = before[self.lasts].max() - _METRE_CHANGE
            value[self.firsts] = np.maximum(value[self.firsts], change)
        return np.maximum(value, self._jumps(before, uneven))

    def came_from(self, place: int, before: Floats, uneven: bool) -> int:
        """From where a place is come to best: `come_to`, looked back at."""
        bar = int(self.bar_of[place // self.division])
        origin = int(self.own_way[place])
        value = before[origin]
        if len(self.lasts) > 1 and place == self.firsts[bar]:
            change = int(self.lasts[before[self.lasts].argmax()])
            if before[change] - _METRE_CHANGE > value:
                origin, value = change, before[change] - _METRE_CHANGE
        first, step = int(self.firsts[bar]), 1
        if not uneven:
            first, step = first + (place - first - 1) % self.division, self.division
        others = before[first : self.lasts[bar] + 1 : step]
        jump = int(others.argmax())
        return first + jump * step if others[jump] - _BEAT_JUMP > value else origin

    def _jumps(self, before: Floats, uneven: bool) -> Floats:
        """Scores (places,) of paths that go on elsewhere in the bar; where the grid is even, at the
        same place within the beat."""
        best = np.maximum.reduceat(before.reshape(-1, self.division), self.beats, axis=0)
        if uneven:
            best = np.broadcast_to(best.max(axis=1, keepdims=True), best.shape)
        else:
            best = best.take(np.arange(self.division) - 1, axis=1)
        return best.take(self.bar_of, axis=0).ravel() - _BEAT_JUMP


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
