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
_HEARD_S = 90


def degara(samples: Floats) -> OtherTracker:
    """Beats of ``samples`` (n,) at RATE_HZ by Degara et al. (IEEE TASLP 2012).

    Hears the middle of a long song alone: that is enough for an opinion.
    """
    start = max(0, (len(samples) - _HEARD_S * RATE_HZ) // 2)
    piece = samples[start : start + _HEARD_S * RATE_HZ]
    beats = essentia_standard().BeatTrackerDegara()(np.ascontiguousarray(piece, dtype=np.float32))
    start_s = start / RATE_HZ
    return OtherTracker(
        np.asarray(beats, dtype=np.float64) + start_s, SOURCE, (start_s, start_s + _HEARD_S)
    )
