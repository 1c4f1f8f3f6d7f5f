"""The chords of a song, beat by beat: major, minor or none.

A hidden Markov model over the notes of each beat: a chord shows by its tones above and its root in
the bass, sevenths allowed (Mauch and Dixon, "Simultaneous estimation of chords and musical context
from audio", IEEE TASLP 2010; Cho and Bello, "On the relative importance of individual components of
chord recognition systems", IEEE/ACM TASLP 2014). Chords change on downbeats rather than on other
beats, and belong to the key more often than not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundsight_analyzer.arrays import Floats, Ints
from soundsight_analyzer.harmony.key import PITCH_NAMES, Key
from soundsight_analyzer.harmony.notes import NOTES_HOP_S, Notes

SOURCE = "soundsight.chord-hmm"
NO_CHORD = "N"
_NONE = 24
_STATES = 25
_TONES = (((0, 4, 7), (0, 4, 7, 11), (0, 4, 7, 10)), ((0, 3, 7), (0, 3, 7, 10)))
"""What a major and what a minor chord may be made of, in semitones above the root."""
_SEVENTH_COST = 0.01
_BASS_WEIGHT = 0.3
_INVERSION = 0.5
_SHARPNESS = 16.0
"""How many nepers a perfect likeness is worth."""
_NONE_LIKENESS = 0.6
_FAINT = 0.02
_OUTSIDE_KEY = 0.06
_CHANGE_ON_DOWNBEAT, _CHANGE_IN_MIDDLE, _CHANGE_ELSEWHERE = 0.5, 0.2, 0.05
_CHANGE_WITHOUT_BARS = 0.3
_SECONDS_WITHOUT_BEATS = 0.5
_LONGEST_BEAT_S = 2.0


@dataclass(frozen=True)
class Chord:
    """``label`` in Harte's notation: C:maj, A:min, or N for none. Confidence lies in [0, 1]."""

    start_s: float
    end_s: float
    label: str
    confidence: float


def hear_chords(
    notes: Notes, keys: Sequence[Key], beats_s: Floats, positions: Ints, duration_s: float
) -> tuple[Chord, ...]:
    """Contiguous chords from 0 to ``duration_s``, changing at ``beats_s`` (n,).

    ``positions`` (n,) are the beats' places in the bar, from 1; 0 where they are not known. Without
    beats, chords change on a grid of half seconds.
    """
    edges_s, change = _units(beats_s, positions, duration_s)
    emission = _likelihoods(notes, edges_s) + _key_bias(keys, edges_s)
    path = _viterbi(emission, np.log(change))
    posterior = _posteriors(emission, change)
    sure = posterior[np.arange(len(path)), path]
    starts = np.flatnonzero(np.concatenate([[True], path[1:] != path[:-1]]))
    return tuple(
        Chord(
            start_s=float(edges_s[first]),
            end_s=float(edges_s[end]),
            label=label_of(int(path[first])),
            confidence=float(
                np.average(sure[first:end], weights=np.diff(edges_s[first : end + 1]))
            ),
        )
        for first, end in pairwise([*starts.tolist(), len(path)])
    )


def label_of(state: int) -> str:
    """Harte's label of a state: twelve major chords, twelve minor ones, none."""
    if state == _NONE:
        return NO_CHORD
    return f"{PITCH_NAMES[state % 12]}:{'min' if state >= 12 else 'maj'}"


def _units(beats_s: Floats, positions: Ints, duration_s: float) -> tuple[Floats, Floats]:
    """Edges (n + 1,) of the units, from 0 to the end, and how likely each begins a chord (n,)."""
    inside = (beats_s > 0.05) & (beats_s < duration_s - 0.05)
    at, places = beats_s[inside], positions[inside]
    beats_per_bar = int(positions.max(initial=0))
    middle = beats_per_bar // 2 + 1 if beats_per_bar % 2 == 0 else 0
    likely = np.full(len(at), _CHANGE_ELSEWHERE)
    likely[places == middle] = _CHANGE_IN_MIDDLE
    likely[places == 1] = _CHANGE_ON_DOWNBEAT
    likely[places == 0] = _CHANGE_WITHOUT_BARS
    edges, changes = [0.0], [1.0]
    for moment, chance in zip([*at.tolist(), duration_s], [*likely.tolist(), 0.0], strict=True):
        # Where beats are far apart or missing, a grid stands in for them.
        gap = moment - edges[-1]
        parts = int(np.ceil(gap / _SECONDS_WITHOUT_BEATS)) if gap > _LONGEST_BEAT_S else 1
        start = edges[-1]
        for part in range(1, parts):
            edges.append(start + gap * part / parts)
            changes.append(_CHANGE_WITHOUT_BARS)
        edges.append(moment)
        changes.append(chance)
    return np.asarray(edges), np.asarray(changes[:-1])


def _likelihoods(notes: Notes, edges_s: Floats) -> Floats:
    """Log-likelihoods (n, _STATES), up to a constant, of the notes of each unit."""
    treble, bass = _means(notes.treble, edges_s), _means(notes.bass, edges_s)
    strength = np.linalg.norm(treble, axis=1, keepdims=True)
    bass_share = bass / np.maximum(bass.sum(axis=1, keepdims=True), _FAINT)
    # The bass plays the harmony too: a lone bass line says something of the chord.
    whole = treble + 0.3 * bass
    whole /= np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-9)
    likeness = np.full((len(treble), _STATES), _NONE_LIKENESS)
    for minor, variants in enumerate(_TONES):
        for root in range(12):
            tones = [(root + tone) % 12 for tone in variants[0]]
            above = max_likeness(whole, root, variants)
            below = bass_share[:, root] + _INVERSION * bass_share[:, tones[1:]].sum(axis=1)
            likeness[:, 12 * minor + root] = above + _BASS_WEIGHT * (below - 0.5)
    silent = strength[:, 0] < _FAINT
    likeness[silent] = 0.0
    likeness[silent, _NONE] = 1.0
    return _SHARPNESS * likeness


def max_likeness(notes: Floats, root: int, variants: Sequence[Sequence[int]]) -> Floats:
    """Cosine (n,) of notes (n, 12) of unit length and the best of some chords on a root."""
    likenesses = []
    for tones in variants:
        template = np.zeros(12)
        template[[(root + tone) % 12 for tone in tones]] = 1.0 / np.sqrt(len(tones))
        likenesses.append(notes @ template - _SEVENTH_COST * (len(tones) - 3))
    return np.max(likenesses, axis=0)


def _means(values: Floats, edges_s: Floats) -> Floats:
    """Means (n, 12) of frames (frames, 12) whose middle lies in each unit; the nearest if none."""
    at = np.clip(np.ceil(edges_s / NOTES_HOP_S).astype(np.int64), 0, len(values))
    first = np.minimum(at[:-1], len(values) - 1)
    end = np.maximum(at[1:], first + 1)
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(values, axis=0, dtype=np.float64)])
    return np.asarray((sums[end] - sums[first]) / (end - first)[:, None])


def _key_bias(keys: Sequence[Key], edges_s: Floats) -> Floats:
    """What chords outside the key lose (n, _STATES), as far as the key is sure."""
    bias = np.zeros((len(edges_s) - 1, _STATES))
    for key in keys:
        outside = np.ones(_STATES)
        outside[list(_chords_of(key))] = 0.0
        outside[_NONE] = 0.0
        bias[edges_s[:-1] >= key.start_s - 1e-6] = outside * key.confidence
    return bias * np.log(_OUTSIDE_KEY)


def _chords_of(key: Key) -> frozenset[int]:
    """The triads of a key: those of its scale, and in minor the major dominant."""
    tonic = PITCH_NAMES.index(key.tonic)
    major = (3, 8, 10, 7) if key.minor else (0, 5, 7)
    minor = (0, 5, 7) if key.minor else (2, 4, 9)
    return frozenset((tonic + step) % 12 for step in major) | frozenset(
        12 + (tonic + step) % 12 for step in minor
    )


def _viterbi(emission: Floats, log_change: Floats) -> Ints:
    """The likeliest states (n,); any chord may follow any other."""
    count = len(emission)
    stay = np.log1p(-np.minimum(np.exp(log_change), 0.999))
    step = log_change - np.log(_STATES - 1)
    score = emission[0].copy()
    source = np.zeros((count, _STATES), dtype=np.int64)
    states = np.arange(_STATES)
    for unit in range(1, count):
        best = int(score.argmax())
        stayed, changed = score + stay[unit], score[best] + step[unit]
        source[unit] = np.where(stayed >= changed, states, best)
        score = np.maximum(stayed, changed) + emission[unit]
    path = np.empty(count, dtype=np.int64)
    path[-1] = int(score.argmax())
    for unit in range(count - 1, 0, -1):
        path[unit - 1] = source[unit, path[unit]]
    return path


def _posteriors(emission: Floats, change: Floats) -> Floats:
    """Probability (n, _STATES) of each state given all units: forwards and backwards."""
    chances = np.exp(emission - emission.max(axis=1, keepdims=True))
    forward, backward = np.empty_like(chances), np.ones_like(chances)
    forward[0] = chances[0] / chances[0].sum()
    for unit in range(1, len(chances)):
        moved = change[unit] * (1.0 - forward[unit - 1]) / (_STATES - 1)
        value = ((1.0 - change[unit]) * forward[unit - 1] + moved) * chances[unit]
        forward[unit] = value / value.sum()
    for unit in range(len(chances) - 2, -1, -1):
        ahead = backward[unit + 1] * chances[unit + 1]
        others = (ahead.sum() - ahead) / (_STATES - 1)
        value = (1.0 - change[unit + 1]) * ahead + change[unit + 1] * others
        backward[unit] = value / value.sum()
    together = forward * backward
    return np.asarray(together / together.sum(axis=1, keepdims=True))
