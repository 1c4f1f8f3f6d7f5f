"""Curves that pictures can follow: energy, bass, onsets and brightness, all in [0, 1].

Values lie ``hop_s`` apart: HOP_S, or a multiple of it for songs that would need more than
MOST_VALUES. Each curve is scaled within its song: 0 is its 2nd percentile, 1 its 98th. A curve that
hardly moves is not blown up to fill the range: 0 lies at least a quarter of the 98th percentile
below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Flags, Floats
from soundsight_analyzer.onsets import band_onsets, onset_strength
from soundsight_analyzer.spectra import FRAME_HOP_S, Frames

HOP_S = 0.02
MOST_VALUES = 50_000
_LOUDNESS_EXPONENT = 0.3
_AUDIBLE_POWER = 1e-8


@dataclass(frozen=True)
class Curves:
    """Each curve (n,), finite and in [0, 1]; values[i] belongs to the moment i * hop_s."""

    hop_s: float
    energy: Floats
    bass: Floats
    onset: Floats
    brightness: Floats

    def mean_energy(self, start_s: float, end_s: float) -> float:
        """Mean energy of a stretch of the song."""
        first = min(int(start_s / self.hop_s), len(self.energy) - 1)
        end = max(first + 1, round(end_s / self.hop_s))
        return float(self.energy[first:end].mean())


def draw_curves(frames: Frames) -> Curves:
    """Draws the curves of a song of at least one frame."""
    # Loudness in sones grows with power to the 0.3 in each critical band (Stevens; Zwicker).
    audible = frames.power > _AUDIBLE_POWER
    specific = np.where(frames.mel > 0, frames.mel, 0.0) ** (2 * _LOUDNESS_EXPONENT)
    energy = np.where(audible, specific.sum(axis=1), 0.0)
    bass = np.where(audible, frames.bass_power**_LOUDNESS_EXPONENT, 0.0)
    octaves = np.log2(np.maximum(frames.centroid_hz, 50.0) / 50.0)
    onset = onset_strength(band_onsets(frames.mel))
    step = curve_step(len(frames))
    return Curves(
        hop_s=step * FRAME_HOP_S,
        energy=scale(pool(_smooth(energy, 0.1), step)),
        bass=scale(pool(_smooth(bass, 0.06), step)),
        onset=np.clip(pool(onset, step, peaks=True), 0.0, 1.0),
        brightness=_brightness(octaves, audible, step),
    )


def curve_step(frames: int) -> int:
    """Frames per value of a curve."""
    base = round(HOP_S / FRAME_HOP_S)
    values = -(-frames // base)
    return base * max(1, -(-values // MOST_VALUES))


def _smooth(values: Floats, width_s: float) -> Floats:
    return np.asarray(scipy.ndimage.gaussian_filter1d(values, width_s / FRAME_HOP_S / 2))


def pool(values: Floats, step: int, *, peaks: bool = False) -> Floats:
    """Means of ``step`` frames each, or their peaks, which a mean would flatten."""
    starts = np.arange(0, len(values), step)
    if peaks:
        return np.maximum.reduceat(values, starts)
    counts = np.diff(np.append(starts, len(values)))
    return np.add.reduceat(values.astype(np.float64), starts) / counts


def scale(values: Floats) -> Floats:
    """Values (n,) from their 2nd percentile, 0, to their 98th, 1."""
    low, high = np.percentile(values, [2, 98])
    if high <= 1e-9:
        return np.zeros(len(values))
    low = min(low, 0.75 * high)
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0))


def _brightness(octaves: Floats, audible: Flags, step: int) -> Floats:
    """The spectral centroid on an octave scale; silence is as bright as the sound around it."""
    if not audible.any():
        return np.zeros(len(range(0, len(octaves), step)))
    at = np.arange(len(octaves))
    filled = np.interp(at, at[audible], octaves[audible])
    return scale(pool(_smooth(filled, 0.1), step))
