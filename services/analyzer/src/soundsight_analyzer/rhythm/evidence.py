"""What is heard at each point of a metrical grid, and which kind of place it speaks for.

Harmony changes on downbeats, the bass plays there, the snare answers between them, and the network
of ``crnn`` has its own opinion of beats and downbeats. A linear classifier, fitted to synthetic
songs whose truth is known, says how likely each kind of place is given all that. What it says is
blunted before it is used: a real song is surer to hold surprises than a synthetic one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats, Ints
from soundsight_analyzer.harmony.chroma import harmonic_change
from soundsight_analyzer.onsets import HIGH_MID, LOW
from soundsight_analyzer.rhythm.crnn import BeatActivations
from soundsight_analyzer.rhythm.fitted import PlaceClassifier
from soundsight_analyzer.spectra import FRAME_HOP_S

ONSET, NETWORK_BEAT = 2, 5
"""Columns of `GridEvidence.values`."""
HEARD = 5
"""So many columns hold what is heard without the network."""

_SMOOTH_LOGIT = 0.01
_NEAR_FRAMES = 7
_NETWORK_NEAR_FRAMES = 9
_LONG_REACH_S = 1.0
_BLUNT = 0.6
_SURPRISE = 0.2


@dataclass(frozen=True)
class Listening:
    """The curves that grids are laid over, at FRAME_HOP_S but for the chroma.

    ``onsets`` (frames,), ``bands`` (frames, 4), ``activations`` (frames, 2): beat and downbeat.
    """

    onsets: Floats
    bands: Floats
    chroma_frames: Floats
    activations: Floats

    @property
    def pulse(self) -> Floats:
        """Where beats and what divides them may be (frames,)."""
        network = np.clip(self.activations.sum(axis=1), 0.0, 1.0)
        return np.asarray(0.5 * self.onsets + 0.5 * network, dtype=np.float64)


@dataclass(frozen=True)
class GridEvidence:
    """A grid of ``points`` (n,) in frames, ``spacing`` frames apart, and what is heard there.

    ``values`` (n, 7): harmonic change within the spacing and within seconds, onset, low onset,
    snare, the network's beat and downbeat; each with mean 0 and deviation 1. ``onsets`` (n,) are as
    they are.
    """

    points: Floats
    spacing: float
    values: Floats
    onsets: Floats


def gather(listening: Listening, points: Floats, spacing: float) -> GridEvidence:
    """Listens at each of ``points`` (n,)."""
    at = np.clip(np.rint(points).astype(np.int64), 0, len(listening.onsets) - 1)
    times_s, spacing_s = points * FRAME_HOP_S, spacing * FRAME_HOP_S
    onsets = _near(listening.onsets)[at]
    change = [
        harmonic_change(listening.chroma_frames, reach_s=reach_s, at_s=times_s)
        for reach_s in (2.0 * spacing_s, max(4.0 * spacing_s, _LONG_REACH_S))
    ]
    any_beat = np.clip(listening.activations.sum(axis=1), 0.0, 1.0)
    columns = [
        *(np.minimum(values, _ceiling(values)) for values in change),
        onsets,
        _near(listening.bands[:, LOW])[at],
        _near(listening.bands[:, HIGH_MID])[at],
        _logit(_near(any_beat, _NETWORK_NEAR_FRAMES)[at]),
        _logit(_near(listening.activations[:, 1], _NETWORK_NEAR_FRAMES)[at]),
    ]
    values = np.stack([_standard(column) for column in columns], axis=1)
    return GridEvidence(points, spacing, values, onsets)


def activations_at_frames(activations: BeatActivations, frames: int) -> Floats:
    """Beat and downbeat activations (frames, 2) at FRAME_HOP_S."""
    heard = np.arange(len(activations.beat)) * activations.hop_s
    wanted = np.arange(frames) * FRAME_HOP_S
    if not len(heard):
        return np.zeros((frames, 2))
    columns = [np.interp(wanted, heard, v) for v in (activations.beat, activations.downbeat)]
    return np.stack(columns, axis=1)


def place_scores(values: Floats, kinds: Ints, classifier: PlaceClassifier) -> Floats:
    """How much better each place of a bar explains a point than chance does, in nats.

    ``values`` (n, columns), ``kinds`` (places,) as `Metre.kinds`; the result is (n, places).
    """
    prior = np.log(classifier.prior)
    logits = values @ classifier.weights.T + classifier.bias
    logits = prior + _BLUNT * (logits - prior)
    logits -= logits.max(axis=1, keepdims=True)
    likely = np.exp(logits)
    likely /= likely.sum(axis=1, keepdims=True)
    scores = np.log((1.0 - _SURPRISE) * likely / classifier.prior + _SURPRISE)
    return np.asarray(scores[:, kinds])


def _near(envelope: Floats, frames: int = _NEAR_FRAMES) -> Floats:
    """The strongest value around each frame."""
    return np.asarray(scipy.ndimage.maximum_filter1d(envelope, size=frames))


def _logit(probability: Floats) -> Floats:
    return np.asarray(
        np.log((probability + _SMOOTH_LOGIT) / (1.0 - probability + _SMOOTH_LOGIT)),
        dtype=np.float64,
    )


def _standard(values: Floats) -> Floats:
    deviation = float(values.std())
    if deviation <= 1e-9:
        return np.zeros(len(values))
    return np.asarray((values - values.mean()) / deviation, dtype=np.float64)


def _ceiling(values: Floats) -> float:
    """One key change shall not outweigh all the chords of the song."""
    return 1.5 * float(np.percentile(values, 95)) if len(values) else 0.0
