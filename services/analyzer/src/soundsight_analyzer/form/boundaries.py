"""Where sections begin: novelty at each bar line, and the best way to divide the song along it.

A boundary shows in two ways. The sound changes there: a checkerboard kernel along the diagonal of
the bars' distances (Foote, "Automatic audio segmentation using a measure of audio novelty", ICME
2000), at several sizes. And repetitions begin or end there: the columns of the time-lag matrix
change (Serra et al., "Unsupervised music structure annotation by time series structure features",
IEEE TMM 2014).
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats, Ints

_KERNELS = (2, 4, 8)
_REPEAT_DISTANCE = 0.6
_REPEAT_BARS = 4
_REPETITION_WEIGHT = 0.5
_CEILING = 1.2
_EXPONENT = 0.7
_THRESHOLD = 0.32
_SHORTEST_S = 4.0
_LONGEST_BARS = 40
_OUT_OF_REACH = -1e9


def novelty(change: Floats, likeness: Floats) -> Floats:
    """How likely a section begins at each bar line (n + 1,), from about 0 to 1.7.

    ``change`` (n, n) is the distance between bars that speaks of sound, ``likeness`` (n, n) the one
    that small values of mean the same music again.
    """
    count = len(change)
    sound = np.zeros(count + 1)
    for size in _KERNELS:
        sound += checkerboard(change, size)
    # The tenth part of the bar lines, at least three, is where boundaries are expected.
    expected = min(count, max(2, count // 10))
    sound = np.minimum(sound / (np.sort(sound)[-1 - expected] + 1e-9), _CEILING) ** _EXPONENT
    repetition = repetition_changes(likeness)
    repetition = repetition / (repetition.max(initial=0.0) + 1e-9)
    return np.asarray(sound + _REPETITION_WEIGHT * repetition)


def checkerboard(distances: Floats, size: int) -> Floats:
    """Mean distance (n + 1,) across each bar line less that on either side, ``size`` bars each."""
    count = len(distances)
    sums = np.pad(distances.cumsum(axis=0, dtype=np.float64).cumsum(axis=1), ((1, 0), (1, 0)))

    def total(rows: tuple[int, int], columns: tuple[int, int]) -> float:
        (a, b), (c, d) = rows, columns
        return float(sums[b, d] - sums[a, d] - sums[b, c] + sums[a, c])

    result = np.zeros(count + 1)
    for line in range(1, count):
        before, after = (max(0, line - size), line), (line, min(count, line + size))
        left, right = line - before[0], after[1] - line
        across = total(before, after) / (left * right)
        inside = [
            total(side, side) / (length * length - length)
            for side, length in ((before, left), (after, right))
            if length > 1
        ]
        if inside:
            # With a single bar on one side there is little to go by.
            trust = min(left, right, 2) / 2
            result[line] = max(0.0, (across - sum(inside) / len(inside)) * trust)
    return result


def repetition_changes(distances: Floats) -> Floats:
    """How much the set of repetitions changes at each bar line (n + 1,)."""
    count = len(distances)
    result = np.zeros(count + 1)
    if count < 2 * _REPEAT_BARS:
        return result
    # lags[i, l]: whether bar i is part of some bars that are heard again l bars away (mod n).
    lags = np.zeros((count, count), dtype=np.float32)
    for lag in range(2, count - 1):
        alike = np.diagonal(distances, lag) < _REPEAT_DISTANCE
        lasting = scipy.ndimage.uniform_filter1d(
            alike.astype(np.float32), _REPEAT_BARS, mode="constant"
        )
        found = scipy.ndimage.binary_dilation(lasting > 0.7, np.ones(3)) & alike
        at = np.flatnonzero(found)
        lags[at, lag] = 1.0
        lags[at + lag, count - lag] = 1.0
    lags = scipy.ndimage.gaussian_filter(lags, (1.0, 0.7), mode=("nearest", "wrap"))
    result[1:count] = np.linalg.norm(np.diff(lags, axis=0), axis=1)
    return result


def divide(line_novelty: Floats, bar_s: float, *, bars_are_real: bool) -> Ints:
    """The best boundaries (k + 1,) as bar lines, 0 and n included, by dynamic programming.

    Each boundary earns its novelty less a threshold; each section pays for an unmusical length.
    """
    count = len(line_novelty) - 1
    shortest = max(2 if bars_are_real else 1, int(np.ceil(_SHORTEST_S / bar_s)))
    if count < 2 * shortest:
        return np.asarray([0, count])
    lengths = np.arange(_LONGEST_BARS + 1)
    earned = np.asarray([_length_score(int(length), bars_are_real) for length in lengths])
    best = np.full(count + 1, _OUT_OF_REACH)
    best[0] = 0.0
    source = np.zeros(count + 1, dtype=np.int64)
    for end in range(shortest, count + 1):
        starts = np.arange(max(0, end - _LONGEST_BARS), end - shortest + 1)
        sums = best[starts] + earned[end - starts]
        pick = int(sums.argmax())
        source[end] = starts[pick]
        best[end] = sums[pick] + (line_novelty[end] - _THRESHOLD if end < count else 0.0)
    lines = [count]
    while lines[-1] > 0:
        lines.append(int(source[lines[-1]]))
    return np.asarray(lines[::-1])


def _length_score(bars: int, bars_are_real: bool) -> float:
    """Sections are mostly multiples of four bars, seldom odd, and seldom very long."""
    score = -0.03 * max(0, bars - 16)
    if not bars_are_real:
        return score
    if bars < 4:
        score -= 0.3
    if bars < 3:
        score -= 0.6
    elif bars % 2:
        score -= 0.15
    elif bars % 4 == 0:
        score += 0.1
    if bars in (8, 16):
        score += 0.1
    return score
