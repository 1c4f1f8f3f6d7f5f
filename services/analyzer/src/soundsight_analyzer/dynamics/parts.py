"""The percussive and the harmonic part of a song, as curves.

What lasts makes horizontal lines in a spectrogram and what strikes vertical ones: a median along
time keeps the one, a median along frequency the other (Fitzgerald, "Harmonic/percussive separation
using median filtering", DAFx 2010). Bands instead of bins are enough for curves and cost little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.dynamics.curves import HOP_S, curve_step, pool, scale
from soundsight_analyzer.spectra import FRAME_HOP_S, RATE_HZ, mel_filterbank, stft_blocks

_WINDOW = 2048
_BANDS = 64
_LASTING_FRAMES = 17
_STRIKING_BANDS = 13
_LOUDNESS_EXPONENT = 0.6
"""Loudness grows with magnitude to this power (Stevens)."""
_AUDIBLE = 1e-5


@dataclass(frozen=True)
class Parts:
    """Each curve (n,), finite and in [0, 1], scaled within the song; values[i] belongs to the
    moment i * hop_s."""

    hop_s: float
    percussive: Floats
    harmonic: Floats


def hear_parts(samples: Floats) -> Parts:
    """Takes ``samples`` (n,) at RATE_HZ apart; memory grows with the bands of the frames alone."""
    filters = mel_filterbank(window=_WINDOW, bands=_BANDS)
    hop = round(HOP_S * RATE_HZ)
    bands = np.concatenate(
        [block @ filters for block in stft_blocks(samples, window=_WINDOW, hop=hop)]
    )
    bands[bands < _AUDIBLE] = 0.0
    lasting = scipy.ndimage.median_filter(bands, size=(_LASTING_FRAMES, 1), mode="nearest")
    striking = scipy.ndimage.median_filter(bands, size=(1, _STRIKING_BANDS), mode="nearest")
    lasting *= lasting
    striking *= striking
    share = striking / np.maximum(lasting + striking, 1e-20)
    percussive = ((bands * share) ** _LOUDNESS_EXPONENT).sum(axis=1)
    harmonic = ((bands * (1.0 - share)) ** _LOUDNESS_EXPONENT).sum(axis=1)
    frames_per_value = curve_step(len(samples) // round(FRAME_HOP_S * RATE_HZ) + 1)
    step = frames_per_value // round(HOP_S / FRAME_HOP_S)
    return Parts(
        hop_s=frames_per_value * FRAME_HOP_S,
        percussive=scale(pool(percussive, step, peaks=True)),
        harmonic=scale(pool(harmonic, step)),
    )
