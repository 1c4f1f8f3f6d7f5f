"""Tempo, beats, downbeats and metre of a song.

The steps: onset envelopes and a network's activations; grids that may divide the beats; readings of
those grids, each a tempo and a metre with its bars; the likeliest reading; beats moved to their
attacks. essentia's beat tracker, where it is installed, has a say in the confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Flags, Floats, Ints
from soundsight_analyzer.onsets import band_onsets, fine_onsets, onset_strength
from soundsight_analyzer.rhythm import tempo
from soundsight_analyzer.rhythm.bars import follow_bars, uneven_points
from soundsight_analyzer.rhythm.beatalign import align_beats
from soundsight_analyzer.rhythm.beattrack import track_half_beats
from soundsight_analyzer.rhythm.changes import tempo_changes
from soundsight_analyzer.rhythm.crnn import BeatActivations, hear_activations
from soundsight_analyzer.rhythm.evidence import (
    Listening,
    activations_at_frames,
    gather,
    place_scores,
)
from soundsight_analyzer.rhythm.fitted import Fitted, fitted
from soundsight_analyzer.rhythm.metres import COMMON, METRES, Metre
from soundsight_analyzer.rhythm.weighing import Reading, likelihoods, read_grid
from soundsight_analyzer.spectra import FRAME_HOP_S, Frames

TRACKER_SOURCE = "soundsight.bar-tracker"

_NO_PULSE_CLARITY = 0.05
_LONG_ENOUGH_S = 60.0
_CLEAR_PULSE_CLARITY = 0.45
_SILENCE_DB = -55.0
_SHORTEST_S = 3.0
_AGREEMENT_S = 0.07
_SAME_TEMPO = 0.04
_LEAST_ALTERNATIVE = 0.02
_FEWEST_POINTS = 16
_LEAST_BARS = 8
_OTHER_METRE = 0.5
_START_S = 0.02
"""A beat this near to the song's first sample is on it."""


@dataclass(frozen=True)
class OtherTracker:
    """What another tracker says: beats (n,) in seconds, its name, and what it heard of the song."""

    beats_s: Floats
    source: str = ""
    heard_s: tuple[float, float] = (0.0, float("inf"))


@dataclass(frozen=True)
class MetreSpan:
    """A metre from a moment on."""

    start_s: float
    metre: Metre
    confidence: float


@dataclass(frozen=True)
class Rhythm:
    """Tempo, beats and bars. Without a pulse ``tempo_bpm`` is 0 and the arrays are empty.

    A beat is what a foot taps: in 6/8 a dotted quarter, two to a bar. ``positions`` (beats,) count
    from 1, the downbeat. ``alternatives`` are other tempi and their likelihoods, best first.
    ``tempi`` are (start_s, bpm) at each change. Confidences lie in [0, 1].
    """

    tempo_bpm: float
    tempo_confidence: float
    alternatives: tuple[tuple[float, float], ...]
    beats_s: Floats
    positions: Ints
    beat_confidences: Floats
    beats_confidence: float
    downbeat_confidence: float
    metres: tuple[MetreSpan, ...] = ()
    tempi: tuple[tuple[float, float], ...] = ()
    source: str = TRACKER_SOURCE

    @property
    def downbeats_s(self) -> Floats:
        return self.beats_s[self.positions == 1]

    @property
    def beats_per_bar(self) -> int:
        """Beats to a bar of the first metre."""
        return self.metres[0].metre.beats if self.metres else COMMON.beats


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
    network: Callable[[Floats], BeatActivations] = hear_activations,
    other_tracker: Callable[[Floats], OtherTracker] | None = None,
) -> Rhythm:
    """Hears the rhythm of ``samples`` (n,) at RATE_HZ, given what is known about its frames.

    ``network`` says where it hears beats, ``other_tracker`` what it makes of the song.
    """
    duration_s = len(frames) * FRAME_HOP_S
    bands = band_onsets(frames.mel)
    onsets = onset_strength(bands)
    if duration_s < _SHORTEST_S or not onsets.any():
        return NO_RHYTHM
    fine = fine_onsets(samples)
    other = other_tracker(samples) if other_tracker else OtherTracker(np.zeros(0))
    activations = network(samples)
    listening = Listening(
        onsets, bands, chroma_frames, activations_at_frames(activations, len(onsets))
    )
    found = tempo.find_periodicity(
        onsets, np.clip(listening.activations.sum(axis=1), 0.0, 1.0), bounds_bpm=bounds_bpm
    )
    # The shorter the sound, the more regular chance can make it look.
    least_clarity = _NO_PULSE_CLARITY * max(1.0, (_LONG_ENOUGH_S / duration_s) ** 0.5)
    if not found.spacings or found.clarity < least_clarity:
        return NO_RHYTHM
    numbers = fitted()
    readings = _read(listening, found.spacings, numbers, bounds_bpm)
    if not readings:
        return NO_RHYTHM
    likely = likelihoods(readings, numbers)
    best = readings[int(likely.argmax())]
    voices = (TRACKER_SOURCE, activations.source, other.source)
    return _finish(
        best,
        _Beliefs.of(readings, likely, best, found.clarity),
        numbers,
        frames,
        onsets,
        fine,
        other,
        "+".join(voice for voice in voices if voice),
    )


def _read(
    listening: Listening,
    spacings: tuple[float, ...],
    numbers: Fitted,
    bounds_bpm: tuple[float, float],
) -> list[Reading]:
    """Every reading of every grid."""
    pulse = listening.pulse
    readings: list[Reading] = []
    for spacing in spacings:
        points = track_half_beats(pulse, period=2.0 * spacing)
        if len(points) >= _FEWEST_POINTS:
            evidence = gather(listening, points, spacing)
            readings += read_grid(evidence, listening.activations, numbers, bounds_bpm)
    return readings


@dataclass(frozen=True)
class _Beliefs:
    """How sure the reading is, in itself: likelihoods of its tempo and, given that, its metre."""

    clarity: float
    tempo: float
    metre: float
    alternatives: tuple[tuple[float, float], ...]

    @classmethod
    def of(
        cls, readings: Sequence[Reading], likely: Floats, best: Reading, clarity: float
    ) -> _Beliefs:
        bpms = np.asarray([reading.bpm for reading in readings])
        same = np.abs(np.log(bpms / best.bpm)) < _SAME_TEMPO
        metres = np.asarray([reading.metre is best.metre for reading in readings])
        others: list[tuple[float, float]] = []
        rest = [i for i in np.argsort(-likely) if not same[i]]
        while rest:
            alike = [i for i in rest if abs(np.log(bpms[i] / bpms[rest[0]])) < _SAME_TEMPO]
            others.append((float(bpms[rest[0]]), float(likely[alike].sum())))
            rest = [i for i in rest if i not in alike]
        others.sort(key=lambda candidate: -candidate[1])
        clear = (clarity - _NO_PULSE_CLARITY) / (_CLEAR_PULSE_CLARITY - _NO_PULSE_CLARITY)
        return cls(
            clarity=float(np.sqrt(np.clip(clear, 0.0, 1.0))),
            tempo=float(likely[same].sum()),
            metre=float(likely[same & metres].sum() / likely[same].sum()),
            alternatives=tuple(o for o in others if o[1] >= _LEAST_ALTERNATIVE),
        )


def _finish(
    best: Reading,
    beliefs: _Beliefs,
    numbers: Fitted,
    frames: Frames,
    onsets: Floats,
    fine: Floats,
    other: OtherTracker,
    source: str,
) -> Rhythm:
    """The chosen reading as beats: followed again where its metre may change, aligned, trimmed."""
    places, metres = _with_changes(best, numbers)
    on_beat = places % best.division == 0
    points = best.grid.points
    beats_s = align_beats(points[on_beat] * FRAME_HOP_S, fine)
    beats_s = np.where(np.abs(beats_s) < _START_S, 0.0, beats_s)
    positions = places[on_beat] // best.division + 1
    confidences = _local_confidences(points, on_beat, onsets, 2 * best.division * best.metre.beats)
    keep = _sounding(beats_s, frames) & _increasing(beats_s)
    beats_s, positions, confidences = beats_s[keep], positions[keep], confidences[keep]
    if len(beats_s) < 2:
        return NO_RHYTHM
    off_beat, downbeat = _margins(best)
    agreement = _agreement(beats_s, other) if other.source else 0.5
    beats_confidence = beliefs.clarity * (0.4 + 0.2 * agreement + 0.4 * off_beat)
    beats_confidence *= 0.7 + 0.3 * beliefs.tempo
    return Rhythm(
        tempo_bpm=_median_tempo(beats_s),
        tempo_confidence=beliefs.clarity * beliefs.tempo,
        alternatives=beliefs.alternatives,
        beats_s=beats_s,
        positions=positions,
        beat_confidences=confidences * beats_confidence,
        beats_confidence=beats_confidence,
        downbeat_confidence=beats_confidence * downbeat,
        metres=_metre_spans(
            beats_s, positions, metres[on_beat][keep], beliefs.clarity * beliefs.metre
        ),
        tempi=tempo_changes(beats_s),
        source=source,
    )


def _with_changes(best: Reading, numbers: Fitted) -> tuple[Ints, Ints]:
    """Places (points,) and indices into METRES (points,), where bars of other metres with the same
    beat may stand in for some of the song's."""
    rivals = [m for m in METRES if best.division in m.divisions and m is not best.metre]
    own = METRES.index(best.metre)
    if not rivals:
        return best.places, np.full(len(best.places), own)
    metres = [best.metre, *rivals]
    scores = [
        place_scores(best.grid.values, metre.kinds(best.division), numbers.with_network)
        for metre in metres
    ]
    path = follow_bars(scores, division=best.division, uneven=uneven_points(best.grid.points))
    index = np.asarray([METRES.index(metre) for metre in metres])[path.metres]
    edges = np.flatnonzero(np.diff(index)) + 1
    spans = zip([0, *edges], [*edges, len(index)], strict=True)
    longest = max(metre.beats for metre in metres) * best.division
    if len(edges) and all(end - first >= _LEAST_BARS * longest for first, end in spans):
        return path.places, index
    return best.places, np.full(len(best.places), own)


def _metre_spans(
    beats_s: Floats, positions: Ints, metres: Ints, confidence: float
) -> tuple[MetreSpan, ...]:
    """Metres at each change; the first starts at 0, the others on their first downbeat.

    ``confidence`` is that of the metre that most beats are in; a stretch of another is less sure.
    """
    main = int(np.bincount(metres).argmax())
    spans: list[MetreSpan] = []
    for beat in [0, *np.flatnonzero(positions == 1)]:
        metre = METRES[metres[beat]]
        if not spans or metre is not spans[-1].metre:
            sure = confidence if metres[beat] == main else _OTHER_METRE * confidence
            spans.append(MetreSpan(float(beats_s[beat]) if spans else 0.0, metre, sure))
    return tuple(spans)


def _margins(best: Reading) -> tuple[float, float]:
    """How clearly the beats beat the off-beats, and the downbeats the other beats: 0 is a coin
    toss, 1 is plain. The path is compared with the same path moved within the bar."""
    points = np.arange(len(best.places))
    count = best.scores.shape[1]
    sums = np.asarray(
        [best.scores[points, (best.places + shift) % count].sum() for shift in range(count)]
    )
    per_bar = (sums[0] - sums) / max(1.0, len(points) / count)
    shifts = np.arange(1, count)
    on_beats = shifts % best.division == 0
    off_beat = per_bar[1:][~on_beats].min()
    other_beat = per_bar[1:][on_beats].min()
    return float(np.tanh(max(0.0, off_beat))), float(np.tanh(max(0.0, other_beat)))


def _median_tempo(beats_s: Floats) -> float:
    """Over spans of some beats, which the jitter of single beats hardly moves."""
    span = min(8, len(beats_s) - 1)
    return 60.0 * span / float(np.median(beats_s[span:] - beats_s[:-span]))


def _local_confidences(points: Floats, on_beat: Flags, onsets: Floats, around: int) -> Floats:
    """How much stronger the beats (beats,) are than the sound between them, bars around."""
    at = np.clip(np.rint(points[on_beat]).astype(np.int64), 0, len(onsets) - 1)
    hits = scipy.ndimage.maximum_filter1d(onsets, size=7)[at]
    background = scipy.ndimage.uniform_filter1d(onsets, size=801)[at]
    size = min(around + 1, len(hits))
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


def _agreement(beats_s: Floats, other: OtherTracker) -> float:
    """F-measure of two beat sequences within 70 ms, where both trackers heard the song."""
    start_s, end_s = other.heard_s
    beats_s, others_s = beats_s[(beats_s >= start_s) & (beats_s < end_s)], other.beats_s
    if not len(beats_s) or not len(others_s):
        return 0.0
    right = np.clip(np.searchsorted(others_s, beats_s), 1, max(1, len(others_s) - 1))
    nearest = np.minimum(
        np.abs(others_s[right % len(others_s)] - beats_s), np.abs(others_s[right - 1] - beats_s)
    )
    hits = int((nearest <= _AGREEMENT_S).sum())
    return 2.0 * hits / (len(beats_s) + len(others_s))
