"""Bars: which points of a grid of half beats are beats, and which of those are downbeats.

A hidden Markov model walks through the eight half beats of a 4/4 bar. What speaks for each place is
what musicians do there: harmony changes on the downbeat, the bass plays on one and three, the snare
answers on two and four. A jump within the bar (an inserted beat, a wrong grid) is possible and
dear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundsight_analyzer.arrays import Floats, Ints

BEATS_PER_BAR = 4
PLACES = 2 * BEATS_PER_BAR
_JUMP_COST = 8.0


@dataclass(frozen=True)
class GridEvidence:
    """What is heard at each point of the grid, all (points,) and in any unit."""

    harmonic_change: Floats
    onset: Floats
    low_onset: Floats
    snare_onset: Floats


@dataclass(frozen=True)
class BarPath:
    """``places`` (points,): half beats since the downbeat, 0 to 7.

    ``fit`` is the mean evidence per bar: on the wrong metrical level the places of a bar do not
    show their own sounds, and it falls.

    ``beat_margin`` and ``downbeat_margin`` tell how clearly the beats beat the off-beats, and this
    downbeat the next best one: 0 is a coin toss, 1 is plain.
    """

    places: Ints
    fit: float
    beat_margin: float
    downbeat_margin: float


def follow_bars(evidence: GridEvidence) -> BarPath:
    """Finds the most likely place in the bar of each point of the grid."""
    observed = _observations(evidence)
    places = _viterbi(observed)
    # The margins compare the path with the same path moved within the bar.
    points = np.arange(len(places))
    sums = np.asarray(
        [observed[points, (places + shift) % PLACES].sum() for shift in range(PLACES)]
    )
    spread = float(np.sqrt(len(places))) * 1.5 + 1e-9
    off_beat = max(sums[1::2])
    other_beat = max(sums[2::2])
    return BarPath(
        places=places,
        fit=float(sums[0]) / len(places) * PLACES,
        beat_margin=float(np.tanh(max(0.0, sums[0] - off_beat) / (6.0 * spread))),
        downbeat_margin=float(np.tanh(max(0.0, sums[0] - other_beat) / (4.0 * spread))),
    )


def _observations(evidence: GridEvidence) -> Floats:
    """Score (points, PLACES) of each place. Each kind of evidence has mean 0 and deviation 1."""
    change = _standard(np.minimum(evidence.harmonic_change, _ceiling(evidence.harmonic_change)))
    onset = _standard(evidence.onset)
    low = _standard(evidence.low_onset)
    snare = _standard(evidence.snare_onset)
    observed = np.zeros((len(onset), PLACES))
    observed[:, 0] = 1.5 * change + 0.5 * low + 0.3 * onset
    observed[:, 2] = observed[:, 6] = 0.4 * snare + 0.3 * onset
    observed[:, 4] = 0.3 * change + 0.4 * low + 0.3 * onset
    return observed


def _viterbi(observed: Floats) -> Ints:
    points = len(observed)
    places = np.arange(PLACES)
    score = observed[0].copy()
    source = np.zeros((points, PLACES), dtype=np.int8)
    for point in range(1, points):
        stayed = np.roll(score, 1)
        best = int(score.argmax())
        jumped = score[best] - _JUMP_COST
        source[point] = np.where(stayed >= jumped, (places - 1) % PLACES, best)
        score = np.maximum(stayed, jumped) + observed[point]
    path = np.empty(points, dtype=np.int64)
    path[-1] = int(score.argmax())
    for point in range(points - 1, 0, -1):
        path[point - 1] = source[point, path[point]]
    return path


def _standard(values: Floats) -> Floats:
    deviation = float(values.std())
    if deviation <= 1e-9:
        return np.zeros(len(values))
    return np.asarray((values - values.mean()) / deviation, dtype=np.float64)


def _ceiling(values: Floats) -> float:
    """One key change shall not outweigh all the chords of the song."""
    return 1.5 * float(np.percentile(values, 95))
