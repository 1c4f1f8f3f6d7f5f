"""Where sections begin: novelty at each bar line, and the best way to divide the song along it.

A boundary shows in three ways. The sound changes there: a checkerboard kernel along the diagonal of
the bars' distances (Foote, "Automatic audio segmentation using a measure of audio novelty", ICME
2000), at several sizes. Repetitions begin or end there: the columns of the time-lag matrix change
(Serra et al., "Unsupervised music structure annotation by time series structure features", IEEE TMM
2014). And a phrase stops going round: music of four or eight bars is heard again while a section
lasts, and no longer across its end. Where music goes round, that is the sharpest sign, for fills
and swells blur the sound around a boundary; where it does not, the sound has to do. The weights are
fitted to synthetic songs.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats, Ints

_WIDE, _NARROW = (2, 4, 8), (3, 4)
_REPEAT_DISTANCE = 0.6
_REPEAT_BARS = 4
_PHRASES = (4, 8)
_SOUND_IN_LOOPS, _SOUND_OF_RETURNS, _SOUND_ALONE = 0.45, 1.7, 1.2
_PHRASES_IN_LOOPS, _PHRASES_ELSEWHERE = 1.0, 0.3
_REPETITION, _REPETITION_WITHOUT_BARS = 0.8, 0.4
_RETURNS_ENOUGH = 0.5
"""The share of bars heard again anywhere from which on short sections are to be expected."""
_LOOPS_ENOUGH = 0.12
"""The share of bars that come again a phrase later from which on phrases tell the form."""
_CEILING = 1.2
_EXPONENT = 0.7
_THRESHOLD = 1.0
_SHORTEST_S = 4.0
_SHORT_S, _SHORT_COST = 8.0, 1.0
"""Below this, a section is the less likely the shorter it is: fast bars make no short sections."""
_LONGEST_BARS = 40
_OUT_OF_REACH = -1e9


def novelty(change: Floats, likeness: Floats, *, bars_are_real: bool) -> Floats:
    """How likely a section begins at each bar line (n + 1,), from about 0 to 3.

    ``change`` (n, n) is the distance between bars that speaks of sound, ``likeness`` (n, n) the one
    that small values of mean the same music again. Where units merely stand in for bars there are
    no phrases to be heard. Where nothing goes round but much returns, sections may be as short as
    four bars, which a wide kernel does not see.
    """
    repeats = repetitions(likeness)
    repetition = _relative_to_strong(repetition_changes(repeats))
    alone = _SOUND_ALONE * _sound_changes(change, _WIDE)
    if not bars_are_real:
        return np.asarray(alone + _REPETITION_WITHOUT_BARS * repetition)
    phrases = _relative_to_strong(np.sum([phrase_ends(likeness, k) for k in _PHRASES], axis=0))
    returning = min(1.0, float(repeats.any(axis=1).mean()) / _RETURNS_ENOUGH)
    returns = _SOUND_OF_RETURNS * _sound_changes(change, _NARROW)
    elsewhere = returning * returns + (1.0 - returning) * alone + _PHRASES_ELSEWHERE * phrases
    in_loops = alone * (_SOUND_IN_LOOPS / _SOUND_ALONE) + _PHRASES_IN_LOOPS * phrases
    loops = share_that_loops(likeness)
    return np.asarray(loops * in_loops + (1.0 - loops) * elsewhere + _REPETITION * repetition)


def share_that_loops(likeness: Floats) -> float:
    """How far the song is made of phrases that go round: 1 when enough bars are heard again after
    the shortest phrase, together with the bars around them."""
    if len(likeness) <= _PHRASES[0]:
        return 0.0
    again = np.diagonal(likeness, _PHRASES[0]) < _REPEAT_DISTANCE
    lasting = scipy.ndimage.uniform_filter1d(
        again.astype(np.float32), _REPEAT_BARS, mode="constant"
    )
    return min(1.0, float((lasting > 0.7).mean()) / _LOOPS_ENOUGH)


def _sound_changes(change: Floats, sizes: tuple[int, ...]) -> Floats:
    return _relative_to_strong(np.sum([checkerboard(change, size) for size in sizes], axis=0))


def _relative_to_strong(values: Floats) -> Floats:
    """Values (n + 1,) relative to what is strong in the song, compressed and limited."""
    count = len(values) - 1
    # The tenth part of the bar lines, at least three, is where boundaries are expected.
    expected = min(count, max(2, count // 10))
    strong = float(np.sort(values)[-1 - expected])
    return np.asarray(np.minimum(values / (strong + 1e-9), _CEILING) ** _EXPONENT)


def phrase_ends(distances: Floats, bars: int) -> Floats:
    """How much less the music comes again ``bars`` later across each bar line (n + 1,) than it does
    on the better of its two sides."""
    count = len(distances)
    result = np.zeros(count + 1)
    if count < 2 * bars:
        return result
    sums = np.concatenate([[0.0], np.cumsum(np.diagonal(distances, bars), dtype=np.float64)])
    lines = np.arange(1, count)
    first, end = np.maximum(0, lines - bars), np.minimum(lines, count - bars)
    pairs = end - first
    # With a single pair there is little to go by.
    result[1:count] = np.where(pairs >= 2, sums[end] - sums[first], 0.0) / bars
    sides = np.pad(result, bars)
    return np.maximum(0.0, result - np.minimum(sides[: count + 1], sides[2 * bars :]))


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


def repetitions(distances: Floats) -> Floats:
    """Whether bar i is part of some bars that are heard again l bars away (mod n): (n, n)."""
    count = len(distances)
    lags = np.zeros((count, count), dtype=np.float32)
    if count < 2 * _REPEAT_BARS:
        return lags
    for lag in range(2, count - 1):
        alike = np.diagonal(distances, lag) < _REPEAT_DISTANCE
        lasting = scipy.ndimage.uniform_filter1d(
            alike.astype(np.float32), _REPEAT_BARS, mode="constant"
        )
        found = scipy.ndimage.binary_dilation(lasting > 0.7, np.ones(3)) & alike
        at = np.flatnonzero(found)
        lags[at, lag] = 1.0
        lags[at + lag, count - lag] = 1.0
    return lags


def repetition_changes(lags: Floats) -> Floats:
    """How much the set of repetitions (n, n) changes at each bar line (n + 1,)."""
    count = len(lags)
    result = np.zeros(count + 1)
    smooth = scipy.ndimage.gaussian_filter(lags, (1.0, 0.7), mode=("nearest", "wrap"))
    result[1:count] = np.linalg.norm(np.diff(smooth, axis=0), axis=1)
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
    earned -= _SHORT_COST * np.maximum(0.0, 1.0 - lengths * bar_s / _SHORT_S)
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
        score -= 0.6
    if bars < 3:
        score -= 0.3
    elif bars % 2:
        score -= 0.15
    elif bars % 4 == 0:
        score += 0.1
    if bars in (8, 16):
        score += 0.1
    return score
