"""Periodicity: which periods the song repeats with, and the grids that may divide its beats.

The periods come from the autocorrelation of the onsets and of the network's activations.
Autocorrelation cannot tell a beat from two, or from three: which period is the beat is not decided
here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.spectra import FRAME_HOP_S

DEFAULT_BOUNDS_BPM = (50.0, 215.0)
_WINDOW_FRAMES = 1200
_MULTIPLES = 8
_FAMILY = (1.0, 1 / 2, 1 / 3, 2 / 3, 4 / 3)
_SAME = 1.02


@dataclass(frozen=True)
class Periodicity:
    """``spacings`` (in frames): of the grids that may divide the beats, finest first, empty without
    a pulse. ``clarity``: how regular the onsets are, 0 to 1."""

    spacings: tuple[float, ...]
    clarity: float


def find_periodicity(
    onsets: Floats, activations: Floats, *, bounds_bpm: tuple[float, float] = DEFAULT_BOUNDS_BPM
) -> Periodicity:
    """Finds the song's period in onset envelope and network's activation, (frames,) each, at
    FRAME_HOP_S, and lists grids in its proportions.

    Beats of any tempo in the bounds are made of 2, 3, 4, 6 or 8 points of one of the grids.
    """
    correlation = autocorrelation(onsets)
    # The beat's family of halvings and doublings is looked for in all tempi, so that narrow bounds
    # choose a member of it and not a tempo of their own.
    wide_bpm = (
        min(bounds_bpm[0], DEFAULT_BOUNDS_BPM[0]),
        max(bounds_bpm[1], DEFAULT_BOUNDS_BPM[1]),
    )
    heard, clarity = _strongest_period(correlation, wide_bpm)
    both = 0.5 * correlation + 0.5 * autocorrelation(activations)
    period, _ = _strongest_period(both, wide_bpm)
    if heard is None or period is None:
        return Periodicity((), 0.0)
    # Regular ripples that are no onsets make no pulse.
    clarity *= min(1.0, float(np.percentile(onsets, 99)))
    period = _refine_period(onsets, period)
    return Periodicity(_spacings(period, highest_bpm=wide_bpm[1]), clarity)


def _spacings(period: float, *, highest_bpm: float) -> tuple[float, ...]:
    """Grids in simple proportions to ``period``, within the octave that begins at half the fastest
    beat; those that are nearly the same counted once."""
    finest = 60.0 / highest_bpm / FRAME_HOP_S / 2.0
    octaves = [np.floor(np.log2(period * share / finest)) for share in _FAMILY]
    found = sorted(period * share / 2.0**o for share, o in zip(_FAMILY, octaves, strict=True))
    kept: list[float] = []
    for spacing in found:
        if not kept or spacing > _SAME * kept[-1]:
            kept.append(float(spacing))
    return tuple(kept)


def autocorrelation(onsets: Floats) -> Floats:
    """Mean normalised autocorrelation (_WINDOW_FRAMES,) of overlapping windows of the envelope.

    Windows keep a drifting tempo from smearing the peaks; each counts by its energy.
    """
    length = min(_WINDOW_FRAMES, len(onsets))
    if length < 8:
        return np.zeros(_WINDOW_FRAMES)
    starts = range(0, max(1, len(onsets) - length + 1), max(1, length // 2))
    total = np.zeros(_WINDOW_FRAMES)
    taper = np.hanning(length)
    for start in starts:
        piece = onsets[start : start + length]
        spectrum = np.fft.rfft((piece - piece.mean()) * taper, 2 * _WINDOW_FRAMES)
        total += np.fft.irfft(np.abs(spectrum) ** 2)[:_WINDOW_FRAMES]
    # A tapered window's own autocorrelation is what a constant would give.
    bias = np.fft.irfft(np.abs(np.fft.rfft(taper, 2 * _WINDOW_FRAMES)) ** 2)[:_WINDOW_FRAMES]
    usable = bias > 0.05 * bias[0]
    if total[0] <= 0:
        return np.zeros(_WINDOW_FRAMES)
    result = np.zeros(_WINDOW_FRAMES)
    result[usable] = (total[usable] / total[0]) / (bias[usable] / bias[0])
    return result


def _strongest_period(
    correlation: Floats, bounds_bpm: tuple[float, float]
) -> tuple[float | None, float]:
    """The period in frames whose multiples correlate best, and their mean correlation."""
    shortest = 60.0 / bounds_bpm[1] / FRAME_HOP_S
    longest = 60.0 / bounds_bpm[0] / FRAME_HOP_S
    periods = np.exp(np.arange(np.log(shortest), np.log(longest), 0.005))
    sharp = scipy.ndimage.maximum_filter1d(correlation, size=3)
    lags = np.arange(len(correlation))
    means = np.zeros(len(periods))
    for index, period in enumerate(periods):
        multiples = period * np.arange(1, _MULTIPLES + 1)
        multiples = multiples[multiples < 0.75 * len(correlation)]
        means[index] = float(np.interp(multiples, lags, sharp).mean())
    best = int(means.argmax())
    if means[best] <= 0.02:
        return None, 0.0
    return float(periods[best]), float(np.clip(means[best], 0.0, 1.0))


def _refine_period(onsets: Floats, period: float) -> float:
    """The period within 4 % of ``period`` that windows of 20 beats follow most closely."""
    window = min(len(onsets), round(20 * period))
    count = len(onsets) // window
    pieces = onsets[: count * window].reshape(count, window)
    pieces = pieces - pieces.mean(axis=1, keepdims=True)
    candidates = period * np.exp(np.linspace(-0.04, 0.04, 161))
    # The phase must not jump between windows for this sum to be fair: each window has its own.
    waves = np.exp(-2j * np.pi * np.arange(window)[:, None] / candidates)
    return float(candidates[np.abs(pieces @ waves).sum(axis=0).argmax()])
