"""Where the tempo changes: the beats' intervals cut into stretches of one tempo each.

Stretches are split in two where their logarithmic intervals fall apart best, again and again, as
long as the halves differ by more than listeners forgive and by more than the intervals' own scatter
explains (binary segmentation; Scott and Knott, Biometrics 1974).
"""

from __future__ import annotations

import numpy as np

from soundsight_analyzer.arrays import Floats

_SHORTEST_BEATS = 8
_LEAST_CHANGE = 0.015
_SURE = 5.0
_LONGEST_INTERVAL = 1.6


def tempo_changes(beats_s: Floats) -> tuple[tuple[float, float], ...]:
    """(start_s, bpm) of each tempo of beats (n,) in order; the first starts at 0.

    A tempo that drifts is drawn in steps of some per cent. Empty with less than two beats.
    """
    if len(beats_s) < 2:
        return ()
    intervals = np.diff(beats_s)
    # A rest, in which there are no beats, is no tempo.
    intervals = np.minimum(intervals, _LONGEST_INTERVAL * float(np.median(intervals)))
    logs = np.log(intervals)
    cuts = sorted(_cuts(logs))
    stretches = zip([0, *cuts], [*cuts, len(logs)], strict=True)
    return tuple(
        (float(beats_s[first]) if first else 0.0, float(60.0 / np.exp(_middle(logs[first:end]))))
        for first, end in stretches
    )


def _cuts(logs: Floats) -> list[int]:
    """Indices at which new stretches begin."""
    scatter = 1.4826 * float(np.median(np.abs(np.diff(logs)))) / np.sqrt(2.0) + 1e-3
    found: list[int] = []
    waiting = [(0, len(logs))]
    while waiting:
        first, end = waiting.pop()
        count = end - first
        if count < 2 * _SHORTEST_BEATS:
            continue
        piece = logs[first:end]
        sums = np.cumsum(piece)
        sizes = np.arange(_SHORTEST_BEATS, count - _SHORTEST_BEATS + 1)
        left = sums[sizes - 1] / sizes
        right = (sums[-1] - sums[sizes - 1]) / (count - sizes)
        gain = np.abs(left - right) * np.sqrt(sizes * (count - sizes) / count)
        at = int(gain.argmax())
        # Scatter of a mean of beats that neighbours' errors partly cancel in.
        if abs(left[at] - right[at]) < _LEAST_CHANGE or gain[at] < _SURE * scatter:
            continue
        cut = first + int(sizes[at])
        found.append(cut)
        waiting += [(first, cut), (cut, end)]
    return found


def _middle(logs: Floats) -> float:
    """The mean of a stretch's inner half: single beats may be out of place."""
    ordered = np.sort(logs)
    quarter = len(ordered) // 4
    return float(ordered[quarter : len(ordered) - quarter].mean())
