"""Beats moved to the attacks they stand for.

Beat trackers answer in frames and with a latency of their own. Instead of subtracting a constant,
the onsets around neighbouring beats are laid over each other: what stands out in the sum is where
the players put the beat, and the beats move there together. A syncope or a note's end near one beat
does not recur at its neighbours, and moves nothing.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.onsets import FINE_HOP_S

_REACH_S = 0.035
_NEIGHBOURS = 8.0
_PREFERENCE = 0.8
_ROUNDS = 2


def align_beats(beats_s: Floats, fine_onsets: Floats) -> Floats:
    """New times (beats,) for ``beats_s`` (beats,), from an envelope (n,) at FINE_HOP_S."""
    if len(beats_s) < 2 or not fine_onsets.any():
        return beats_s
    times = beats_s
    for _ in range(_ROUNDS):
        times = times + _shifts(times, fine_onsets)
    return times


def _shifts(times: Floats, envelope: Floats) -> Floats:
    """How far each beat (beats,) lies before the attacks of its neighbourhood, in seconds."""
    reach = round(_REACH_S / FINE_HOP_S)
    offsets = np.arange(-reach, reach + 1)
    centres = np.rint(times / FINE_HOP_S).astype(np.int64)
    rounding = centres * FINE_HOP_S - times
    index = centres[:, None] + offsets
    inside = (index >= 0) & (index < len(envelope))
    nearby = np.where(inside, envelope[np.clip(index, 0, len(envelope) - 1)], 0.0)
    summed = scipy.ndimage.gaussian_filter1d(nearby, _NEIGHBOURS, axis=0, mode="nearest")
    # A beat is rather where the tracker put it than elsewhere.
    summed = summed * (1.0 - _PREFERENCE * (offsets / reach) ** 2)
    best = offsets[summed.argmax(axis=1)] * FINE_HOP_S + rounding
    return np.asarray(scipy.ndimage.gaussian_filter1d(best, _NEIGHBOURS / 2, mode="nearest"))
