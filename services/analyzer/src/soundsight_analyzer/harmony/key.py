"""The key of a song and its changes.

The notes of a stretch are compared with what each of the 24 keys sounds like on the whole: profiles
of how often its notes occur, taken from listeners (Krumhansl and Kessler, "Tracing the dynamic
changes in perceived tonal organization in a spatial representation of musical keys", Psychological
Review 1982), from composers (Temperley, "What's key for key?", Music Perception 1999) and from
scores (Albrecht and Shanahan, "The use of large corpora to train a new type of key-finding
algorithm", Music Perception 2013). The three vote. A change of key is dear, so that a borrowed
chord or a bridge in the relative key is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats, Ints
from soundsight_analyzer.harmony.notes import NOTES_HOP_S, Notes

SOURCE = "soundsight.key-profiles"
PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
KEYS = 24

# Major and minor, from the tonic up.
_PROFILES = (
    (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
)
_BASS_WEIGHT = 0.6
_UNIT_FRAMES = 20
_SMOOTHING_UNITS = 2.0
_CHANGE_COST = 3.0
_SHORTEST_S = 1.0
_FAINT = 0.02
_WEAK, _STRONG = 0.45, 0.8
"""Correlations with the best key: those of noise, and those of plain tonal music."""
_CLOSE = 0.1
"""A lead in correlation over the next best key that leaves little doubt."""
_SUREST, _SURE_WITHOUT_LEAD = 0.97, 0.3
_REFINE_S = 10.0
_LONGEST_SNAP_S = 2.5


@dataclass(frozen=True)
class Key:
    """``tonic`` with sharps: C, C#, ... B; it holds from ``start_s`` on."""

    tonic: str
    minor: bool
    confidence: float
    start_s: float = 0.0


def hear_keys(notes: Notes) -> tuple[Key, ...]:
    """The keys of a song in order of time, the first from 0 on; none when there is too little.

    Confidence tells how well the notes fit the key and how far it leads the next best one: noise
    fits none, and a pentatonic tune fits several.
    """
    sounding = _sounding(notes)
    if len(notes) * NOTES_HOP_S < _SHORTEST_S or not sounding.any():
        return ()
    shares = _shares(notes) * sounding[:, None]
    starts = np.arange(0, len(shares), _UNIT_FRAMES)
    units = np.add.reduceat(shares, starts)
    smooth = scipy.ndimage.gaussian_filter1d(units, _SMOOTHING_UNITS, axis=0, mode="nearest")
    path = _viterbi(key_likeness(smooth))
    firsts = np.flatnonzero(np.concatenate([[True], path[1:] != path[:-1]]))
    cuts = [0]
    for first in firsts[1:].tolist():
        cuts.append(_refine(shares, int(path[first - 1]), int(path[first]), first, cuts[-1]))
    found = []
    for start, end, first in zip(cuts, [*cuts[1:], len(shares)], firsts.tolist(), strict=True):
        key = int(path[first])
        likeness = key_likeness(shares[start:end].sum(axis=0, keepdims=True))[0]
        found.append(
            Key(
                tonic=PITCH_NAMES[key % 12],
                minor=key >= 12,
                confidence=_confidence(likeness, key),
                start_s=start * NOTES_HOP_S,
            )
        )
    return tuple(found)


def on_downbeats(keys: Sequence[Key], downbeats_s: Floats) -> tuple[Key, ...]:
    """The same keys, each change moved to the downbeat it lies near to."""
    moved = list(keys[:1])
    for key in keys[1:]:
        nearest = key.start_s
        if len(downbeats_s):
            nearest = float(downbeats_s[np.abs(downbeats_s - key.start_s).argmin()])
        near = abs(nearest - key.start_s) <= _LONGEST_SNAP_S and nearest > moved[-1].start_s
        moved.append(replace(key, start_s=nearest if near else key.start_s))
    return tuple(moved)


def key_likeness(shares: Floats) -> Floats:
    """Mean correlation (n, KEYS) of pitch class shares (n, 12) with the profiles of each key.

    Twelve major keys, C first, then twelve minor ones; 0 where nothing sounds.
    """
    centred = shares - shares.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    directions = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 1e-9)
    return np.asarray(directions @ _profiles())


def _profiles() -> Floats:
    """Matrix (12, KEYS): means of the profiles, each centred and of unit length."""
    total = np.zeros((12, KEYS))
    for family in _PROFILES:
        for mode, values in enumerate(family):
            profile = np.asarray(values) - np.mean(values)
            profile /= np.linalg.norm(profile)
            for tonic in range(12):
                total[:, 12 * mode + tonic] += np.roll(profile, tonic)
    return total / len(_PROFILES)


def _sounding(notes: Notes) -> Floats:
    """1 where notes are heard (frames,), 0 elsewhere."""
    return np.asarray(notes.treble.sum(axis=1) > _FAINT, dtype=np.float64)


def _shares(notes: Notes) -> Floats:
    """Shares (frames, 12) of the pitch classes, so that loud parts do not count more."""
    treble = notes.treble / np.maximum(notes.treble.sum(axis=1, keepdims=True), _FAINT)
    bass = notes.bass / np.maximum(notes.bass.sum(axis=1, keepdims=True), 5 * _FAINT)
    return np.asarray(treble + _BASS_WEIGHT * bass, dtype=np.float64)


def _viterbi(likeness: Floats) -> Ints:
    """The best keys (n,) over time, each change at _CHANGE_COST."""
    keys = np.arange(KEYS)
    score = likeness[0].copy()
    source = np.zeros(likeness.shape, dtype=np.int64)
    for unit in range(1, len(likeness)):
        best = int(score.argmax())
        changed = score[best] - _CHANGE_COST
        source[unit] = np.where(score >= changed, keys, best)
        score = np.maximum(score, changed) + likeness[unit]
    path = np.empty(len(likeness), dtype=np.int64)
    path[-1] = int(score.argmax())
    for unit in range(len(likeness) - 1, 0, -1):
        path[unit - 1] = source[unit, path[unit]]
    return path


def _refine(shares: Floats, before: int, after: int, unit: int, earliest: int) -> int:
    """The frame near a unit's start at which one key gives way to the other."""
    reach = round(_REFINE_S / NOTES_HOP_S)
    middle = unit * _UNIT_FRAMES
    low, high = max(earliest + 1, middle - reach), min(len(shares) - 1, middle + reach)
    profiles = _profiles()
    lead = shares[low:high] @ (profiles[:, before] - profiles[:, after])
    return low + int(np.argmax(np.concatenate([[0.0], np.cumsum(lead)])))


def _confidence(likeness: Floats, key: int) -> float:
    fit = float(np.clip((likeness[key] - _WEAK) / (_STRONG - _WEAK), 0.0, 1.0))
    lead = float(likeness[key] - np.delete(likeness, key).max())
    led = float(np.tanh(max(0.0, lead) / _CLOSE))
    return _SUREST * fit * (_SURE_WITHOUT_LEAD + (1.0 - _SURE_WITHOUT_LEAD) * led)
