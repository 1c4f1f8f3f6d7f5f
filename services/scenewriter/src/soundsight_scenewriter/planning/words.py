"""Which cuts would go through a sung word. A word that is torn is heard as a mistake."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soundsight_scenewriter.song import Floats
from soundsight_scenewriter.timeline import Timeline

EDGE_S = 0.020
"""Words are timed no better. A cut is at a word's edge within this and half a frame, as near as a
cut counts as on its beat."""


class SungWords:
    """The words of a song against the frames of a video."""

    def __init__(self, words_s: Floats, timeline: Timeline) -> None:
        edge_s = timeline.frame_s / 2.0 + EDGE_S
        self._timeline = timeline
        self._starts_s = words_s[:, 0] + edge_s
        # Words may overlap where several sing: what counts is the latest end so far.
        self._ends_s = np.maximum.accumulate(words_s[:, 1] - edge_s)

    def torn_by(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether cuts on these frames would go through a word."""
        if not self._starts_s.size:
            return np.zeros(frames.shape, dtype=bool)
        times_s = frames * self._timeline.frame_s
        begun = np.searchsorted(self._starts_s, times_s, side="left")
        return (begun > 0) & (times_s < self._ends_s[np.maximum(begun, 1) - 1])
