"""Tempo: which periods the onsets repeat with, and which of them is the beat.

The periods come from the autocorrelation of the onset envelope. Autocorrelation cannot tell a beat
from two: that choice (the metrical level) is made by listening to the onsets between the beats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.rhythm.beattrack import track_beats
from soundsight_analyzer.spectra import FRAME_HOP_S

DEFAULT_BOUNDS_BPM = (50.0, 215.0)
_WINDOW_FRAMES = 1200
_MULTIPLES = 8
_PRIOR_CENTRE_BPM = 115.0
_PRIOR_OCTAVES = 0.7
_FULL_STRENGTH = 0.84
_STRENGTH_WEIGHT = 12.0
_ALTERNATION_WEIGHT = 3.0
_VOTE_WEIGHT = 0.5


@dataclass(frozen=True)
class TempoLevel:
    """A candidate for the beat. ``score`` is a log-likelihood up to a constant."""

    period_s: float
    score: float

    @property
    def bpm(self) -> float:
        return 60.0 / self.period_s


@dataclass(frozen=True)
class TempoEstimate:
    """Levels, slowest first (empty without a pulse), and how regular the onsets are, 0 to 1."""

    levels: tuple[TempoLevel, ...]
    clarity: float


def estimate_tempo(
    onsets: Floats,
    bands: Floats,
    *,
    bounds_bpm: tuple[float, float] = DEFAULT_BOUNDS_BPM,
    votes_bpm: tuple[float, ...] = (),
) -> TempoEstimate:
    """Estimates the tempo from onset envelopes at FRAME_HOP_S.

    ``onsets`` (frames,) is the whole, ``bands`` (frames, 4) its bands.
    ``votes_bpm`` are what other trackers say: they tip the choice of the level, no more.
    """
    correlation = autocorrelation(onsets)
    # The beat's family of halvings and doublings is looked for in all tempi, so that narrow bounds
    # choose a member of it and not a tempo of their own, unless there is none inside them.
    wide_bpm = (
        min(bounds_bpm[0], DEFAULT_BOUNDS_BPM[0]),
        max(bounds_bpm[1], DEFAULT_BOUNDS_BPM[1]),
    )
    period, clarity = _strongest_period(correlation, wide_bpm)
    if period is not None and not _halvings_and_doublings(period, bounds_bpm):
        period, clarity = _strongest_period(correlation, bounds_bpm)
    if period is None:
        return TempoEstimate((), 0.0)
    # Regular ripples that are no onsets make no pulse.
    clarity *= min(1.0, float(np.percentile(onsets, 99)))
    period = _refine_period(onsets, period)
    levels = _weigh_levels(onsets, bands, period, bounds_bpm, votes_bpm)
    return TempoEstimate(levels, clarity)


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


def _weigh_levels(
    onsets: Floats,
    bands: Floats,
    period: float,
    bounds_bpm: tuple[float, float],
    votes_bpm: tuple[float, ...],
) -> tuple[TempoLevel, ...]:
    """Weighs the halvings and doublings of ``period`` against each other.

    A level is worth more than the next slower one when its beats are nearly as strong, and less
    when every second one is of another kind: then the beats between are off-beats. Below that
    evidence stands a prior on tempo.
    """
    levels = []
    evidence = 0.0
    slower = 0.0
    for candidate in _halvings_and_doublings(period, bounds_bpm):
        strength, alternation = _listen_at(onsets, bands, candidate)
        if slower > 0:
            evidence += _STRENGTH_WEIGHT * (strength / slower - _FULL_STRENGTH)
            evidence += _ALTERNATION_WEIGHT * min(0.0, alternation)
        slower = strength
        level = TempoLevel(period_s=candidate * FRAME_HOP_S, score=0.0)
        prior = -0.5 * (np.log2(level.bpm / _PRIOR_CENTRE_BPM) / _PRIOR_OCTAVES) ** 2
        votes = sum(abs(np.log(level.bpm / vote)) < 0.06 for vote in votes_bpm if vote > 0)
        levels.append(replace(level, score=float(evidence + prior + _VOTE_WEIGHT * votes)))
    return tuple(levels)


def _halvings_and_doublings(period: float, bounds_bpm: tuple[float, float]) -> list[float]:
    """Periods inside the bounds, longest first."""
    shortest = 60.0 / bounds_bpm[1] / FRAME_HOP_S
    longest = 60.0 / bounds_bpm[0] / FRAME_HOP_S
    periods = [period * 2.0**k for k in range(3, -4, -1)]
    return [p for p in periods if shortest <= p <= longest]


def _listen_at(onsets: Floats, bands: Floats, period: float) -> tuple[float, float]:
    """Mean onset strength at the best beats of this period, and how alike neighbours sound.

    Alike: the correlation of each beat's onsets in the four bands with the next beat's, -1 to 1.
    """
    beats = track_beats(onsets, period=period)
    if len(beats) < 4:
        return 0.0, 0.0
    at = np.clip(np.rint(beats).astype(np.int64), 0, len(onsets) - 1)
    strength = float(scipy.ndimage.maximum_filter1d(onsets, size=7)[at].mean())
    sounds = scipy.ndimage.maximum_filter1d(bands, size=7, axis=0)[at]
    sounds = (sounds - sounds.mean(axis=0)) / (sounds.std(axis=0) + 1e-9)
    now, following = sounds[:-1], sounds[1:]
    norm = float(np.sqrt((now**2).sum() * (following**2).sum()))
    return strength, float((now * following).sum()) / norm if norm > 0 else 0.0
