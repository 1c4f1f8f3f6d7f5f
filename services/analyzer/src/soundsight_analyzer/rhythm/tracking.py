"""Tempo, beats, downbeats and metre of a song.

The steps: onset envelopes; tempo and its metrical level; a regular grid of half beats; the place of
each grid point in a 4/4 bar; beats moved to their attacks. essentia's beat tracker has a vote in
the level and its agreement a say in the confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Flags, Floats, Ints
from soundsight_analyzer.harmony.chroma import harmonic_change
from soundsight_analyzer.onsets import HIGH_MID, LOW, band_onsets, fine_onsets, onset_strength
from soundsight_analyzer.rhythm import bars, tempo
from soundsight_analyzer.rhythm.beatalign import align_beats
from soundsight_analyzer.rhythm.beattrack import track_half_beats
from soundsight_analyzer.spectra import FRAME_HOP_S, Frames

_NO_PULSE_CLARITY = 0.05
_LONG_ENOUGH_S = 60.0
_CLEAR_PULSE_CLARITY = 0.45
_SILENCE_DB = -55.0
_SHORTEST_S = 3.0
_AGREEMENT_S = 0.07
_BARS_WEIGHT = 4.0
_SOFTNESS = 3.0
_START_S = 0.02
"""A beat this near to the song's first sample is on it."""


@dataclass(frozen=True)
class OtherTracker:
    """What another tracker says: beats (n,) in seconds, and the tempo, 0 when it found none."""

    beats_s: Floats
    tempo_bpm: float


@dataclass(frozen=True)
class Rhythm:
    """Tempo, beats and bars. Without a pulse ``tempo_bpm`` is 0 and the arrays are empty.

    ``positions`` (beats,) count from 1, the downbeat, to ``beats_per_bar``. Confidences lie in [0,
    1].
    """

    tempo_bpm: float
    tempo_confidence: float
    alternatives: tuple[tuple[float, float], ...]
    beats_s: Floats
    positions: Ints
    beat_confidences: Floats
    beats_confidence: float
    downbeat_confidence: float
    beats_per_bar: int = bars.BEATS_PER_BAR

    @property
    def downbeats_s(self) -> Floats:
        return self.beats_s[self.positions == 1]


NO_RHYTHM = Rhythm(
    tempo_bpm=0.0,
    tempo_confidence=0.0,
    alternatives=(),
    beats_s=np.zeros(0),
    positions=np.zeros(0, dtype=np.int64),
    beat_confidences=np.zeros(0),
    beats_confidence=0.0,
    downbeat_confidence=0.0,
)


def hear_rhythm(
    samples: Floats,
    frames: Frames,
    chroma_frames: Floats,
    *,
    bounds_bpm: tuple[float, float] = tempo.DEFAULT_BOUNDS_BPM,
    other_tracker: Callable[[Floats], OtherTracker] | None = None,
) -> Rhythm:
    """Hears the rhythm of ``samples`` (n,) at RATE_HZ, given what is known about its frames."""
    duration_s = len(frames) * FRAME_HOP_S
    bands = band_onsets(frames.mel)
    onsets = onset_strength(bands)
    if duration_s < _SHORTEST_S or not onsets.any():
        return NO_RHYTHM
    other = other_tracker(samples) if other_tracker else OtherTracker(np.zeros(0), 0.0)
    estimate = tempo.estimate_tempo(
        onsets, bands, bounds_bpm=bounds_bpm, votes_bpm=(other.tempo_bpm,)
    )
    # The shorter the sound, the more regular chance can make it look.
    least_clarity = _NO_PULSE_CLARITY * max(1.0, (_LONG_ENOUGH_S / duration_s) ** 0.5)
    if not estimate.levels or estimate.clarity < least_clarity:
        return NO_RHYTHM

    tracks = _track_levels(estimate.levels, onsets, bands, chroma_frames)
    if not tracks:
        return NO_RHYTHM
    best = tracks[0]
    grid, path = best.grid, best.path
    on_beat = path.places % 2 == 0
    beats_s = align_beats(grid[on_beat] * FRAME_HOP_S, fine_onsets(samples))
    beats_s = np.where(np.abs(beats_s) < _START_S, 0.0, beats_s)
    positions = path.places[on_beat] // 2 + 1
    confidences = _local_confidences(grid, on_beat, onsets)
    keep = _sounding(beats_s, frames) & _increasing(beats_s)
    beats_s, positions, confidences = beats_s[keep], positions[keep], confidences[keep]
    if len(beats_s) < 2:
        return NO_RHYTHM

    clarity = (estimate.clarity - _NO_PULSE_CLARITY) / (_CLEAR_PULSE_CLARITY - _NO_PULSE_CLARITY)
    clarity = float(np.sqrt(np.clip(clarity, 0.0, 1.0)))
    agreement = _agreement(beats_s, other.beats_s)
    beats_confidence = clarity * (0.5 + 0.2 * agreement + 0.3 * path.beat_margin)
    return Rhythm(
        tempo_bpm=_median_tempo(beats_s),
        tempo_confidence=clarity * best.likelihood,
        alternatives=tuple((track.bpm, track.likelihood) for track in tracks[1:]),
        beats_s=beats_s,
        positions=positions,
        beat_confidences=confidences * beats_confidence,
        beats_confidence=beats_confidence,
        downbeat_confidence=beats_confidence * path.downbeat_margin,
    )


@dataclass(frozen=True)
class _LevelTrack:
    """The song followed at one metrical level; ``grid`` (points,) in frames."""

    bpm: float
    likelihood: float
    grid: Floats
    path: bars.BarPath


def _track_levels(
    levels: tuple[tempo.TempoLevel, ...], onsets: Floats, bands: Floats, chroma_frames: Floats
) -> list[_LevelTrack]:
    """Follows beats and bars at every level; most likely first, likelihoods sum to 1."""
    followed = []
    for level in levels:
        grid = track_half_beats(onsets, period=level.period_s / FRAME_HOP_S)
        if len(grid) < bars.PLACES:
            continue
        evidence = _grid_evidence(grid, level.period_s, onsets, bands, chroma_frames)
        followed.append((level, grid, bars.follow_bars(evidence)))
    if not followed:
        return []
    scores = np.asarray([level.score + _BARS_WEIGHT * path.fit for level, _, path in followed])
    likelihoods = np.exp((scores - scores.max()) / _SOFTNESS)
    likelihoods /= likelihoods.sum()
    tracks = [
        _LevelTrack(level.bpm, float(likelihood), grid, path)
        for (level, grid, path), likelihood in zip(followed, likelihoods, strict=True)
    ]
    return sorted(tracks, key=lambda track: -track.likelihood)


def _median_tempo(beats_s: Floats) -> float:
    """Over spans of some beats, which the jitter of single beats hardly moves."""
    span = min(8, len(beats_s) - 1)
    return 60.0 * span / float(np.median(beats_s[span:] - beats_s[:-span]))


def _grid_evidence(
    grid: Floats, period_s: float, onsets: Floats, bands: Floats, chroma_frames: Floats
) -> bars.GridEvidence:
    """What is heard at each grid point (points,), given in frames."""
    at = np.clip(np.rint(grid).astype(np.int64), 0, len(onsets) - 1)
    return bars.GridEvidence(
        harmonic_change=harmonic_change(chroma_frames, reach_s=period_s, at_s=grid * FRAME_HOP_S),
        onset=_near(onsets)[at],
        low_onset=_near(bands[:, LOW])[at],
        snare_onset=_near(bands[:, HIGH_MID])[at],
    )


def _near(envelope: Floats) -> Floats:
    """The strongest value within 30 ms."""
    return np.asarray(scipy.ndimage.maximum_filter1d(envelope, size=7))


def _local_confidences(grid: Floats, on_beat: Flags, onsets: Floats) -> Floats:
    """How much stronger the beats (beats,) are than the sound between them, bars around."""
    at = np.clip(np.rint(grid[on_beat]).astype(np.int64), 0, len(onsets) - 1)
    hits = _near(onsets)[at]
    background = scipy.ndimage.uniform_filter1d(onsets, size=801)[at]
    size = min(2 * bars.PLACES + 1, len(hits))
    strength = scipy.ndimage.uniform_filter1d(hits, size=size, mode="nearest")
    contrast = np.divide(
        strength - background, strength, out=np.zeros_like(strength), where=strength > 1e-9
    )
    return np.clip(1.5 * contrast, 0.0, 1.0).astype(np.float64)


def _sounding(beats_s: Floats, frames: Frames) -> Flags:
    """Whether there is sound within half a second (beats,): no beats in silence."""
    loud = float(np.percentile(frames.power, 95))
    audible = frames.power > max(loud * 10 ** (_SILENCE_DB / 10), 1e-10)
    audible = scipy.ndimage.maximum_filter1d(audible, size=101)
    at = np.rint(beats_s / FRAME_HOP_S).astype(np.int64)
    inside = (beats_s >= 0) & (at < len(frames))
    return np.asarray(inside & audible[np.clip(at, 0, len(frames) - 1)])


def _increasing(beats_s: Floats) -> Flags:
    """Drops beats (beats,) that alignment has pushed onto their predecessor."""
    latest = np.maximum.accumulate(np.concatenate([[-np.inf], beats_s[:-1]]))
    return np.asarray(beats_s > latest + 0.1)


def _agreement(beats_s: Floats, others_s: Floats) -> float:
    """F-measure of two beat sequences within 70 ms."""
    if not len(beats_s) or not len(others_s):
        return 0.0
    right = np.clip(np.searchsorted(others_s, beats_s), 1, max(1, len(others_s) - 1))
    nearest = np.minimum(
        np.abs(others_s[right % len(others_s)] - beats_s), np.abs(others_s[right - 1] - beats_s)
    )
    hits = int((nearest <= _AGREEMENT_S).sum())
    return 2.0 * hits / (len(beats_s) + len(others_s))
