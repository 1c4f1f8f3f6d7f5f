"""Onset envelopes: how strongly something new begins at each moment.

The novelty is SuperFlux (Boeck and Widmer, "Maximum filter vibrato suppression for onset
detection", DAFx 2013) with a central difference, so that the envelope's maximum falls on the rise
of the sound and not a frame behind it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.spectra import MEL_BANDS, RATE_HZ, mel_filterbank, stft_blocks

LOW, LOW_MID, HIGH_MID, HIGH = range(4)
_BAND_EDGES = (0, 4, 12, 26, MEL_BANDS)
_BAND_WEIGHTS = (1.0, 2.0, 2.0, 1.0)

FINE_HOP_S = 128 / RATE_HZ
_FINE_WINDOW = 512
_FINE_BANDS = 24
_FLOOR_DB = -60.0
_SILENT_MAGNITUDE = 1e-6
_FAINT_ONSET = 0.8
"""A swell that makes the weighted bands rise by less than this, in nepers, is no onset."""


def band_onsets(mel: Floats) -> Floats:
    """Onset envelopes (frames, 4), LOW to HIGH, of ``mel`` (frames, bands), in nepers."""
    rise = _superflux(_log_magnitudes(mel))
    means = [rise[:, first:end].mean(axis=1) for first, end in pairwise(_BAND_EDGES)]
    return np.stack(means, axis=1)


def onset_strength(bands: Floats) -> Floats:
    """One envelope (frames,) from ``bands`` (frames, 4); the song's strong onsets lie near 1.

    The middle bands count double: chords, snare and voice are heard there, and a double bass drum
    or a ride cymbal alone shall not drown them.
    """
    total = bands @ np.asarray(_BAND_WEIGHTS, dtype=bands.dtype)
    strong = float(np.percentile(total, 99)) if len(total) else 0.0
    return np.minimum(total / max(strong, _FAINT_ONSET), 2.0)


def fine_onsets(samples: Floats) -> Floats:
    """An envelope (n,) at FINE_HOP_S whose maxima lie within some milliseconds of the attacks."""
    filters = mel_filterbank(window=_FINE_WINDOW, bands=_FINE_BANDS)
    hop = round(FINE_HOP_S * RATE_HZ)
    blocks = stft_blocks(samples, window=_FINE_WINDOW, hop=hop)
    mel = np.concatenate([block @ filters for block in blocks])
    return _superflux(_log_magnitudes(mel), reach=2).mean(axis=1)


def _log_magnitudes(mel: Floats) -> Floats:
    """Compresses magnitudes (frames, bands) above a floor 60 dB below the song's loud parts."""
    loud = float(np.percentile(mel.max(axis=1), 95)) if len(mel) else 0.0
    if loud <= _SILENT_MAGNITUDE:
        return np.zeros_like(mel)
    return np.log1p(mel * np.float32(10 ** (-_FLOOR_DB / 20) / loud))


def _superflux(log_mel: Floats, reach: int = 1) -> Floats:
    """Rise (frames, bands) from ``reach`` frames before to ``reach`` frames after each frame."""
    widened = scipy.ndimage.maximum_filter1d(log_mel, size=3, axis=1, mode="nearest")
    # Before the song there is silence, so that a song may begin on a beat; after it, no rise.
    ahead = np.pad(log_mel, ((0, reach), (0, 0)), mode="edge")[reach:]
    behind = np.pad(widened, ((reach, 0), (0, 0)))[: len(widened)]
    return np.maximum(0.0, ahead - behind)
