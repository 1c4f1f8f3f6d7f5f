"""essentia's beat tracker, asked for its opinion where essentia is installed.

essentia is used here alone.
"""

from __future__ import annotations

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.quiet import essentia_standard
from soundsight_analyzer.rhythm.tracking import OtherTracker
from soundsight_analyzer.spectra import RATE_HZ

SOURCE = "essentia.BeatTrackerDegara"
_LONGEST_S = 1800


def degara(samples: Floats) -> OtherTracker:
    """Beats of ``samples`` (n,) at RATE_HZ by Degara et al. (IEEE TASLP 2012).

    Hears half an hour at most: its memory grows with the song, and its opinion does not improve.
    """
    piece = np.ascontiguousarray(samples[: _LONGEST_S * RATE_HZ], dtype=np.float32)
    beats = np.asarray(essentia_standard().BeatTrackerDegara()(piece), dtype=np.float64)
    return OtherTracker(beats, SOURCE)
