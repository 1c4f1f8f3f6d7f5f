"""Which tempo and metre a song has: readings of it, weighed against each other.

A reading lays a metre with a number of grid points to the beat over a grid and follows its bars.
All readings of one grid explain the same points, so that half and double tempo, three and four
beats are compared fairly: a slow reading cannot win by wandering from beat to off-beat, as it could
on a grid of its own. What each reading has to say for itself is weighed by a conditional logit
model, fitted to synthetic songs; a prior on tempo stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from soundsight_analyzer.arrays import Flags, Floats, Ints
from soundsight_analyzer.rhythm.bars import follow_bars, uneven_points
from soundsight_analyzer.rhythm.evidence import (
    HEARD,
    ONSET,
    GridEvidence,
    place_scores,
)
from soundsight_analyzer.rhythm.fitted import Fitted
from soundsight_analyzer.rhythm.metres import METRES, Metre
from soundsight_analyzer.spectra import FRAME_HOP_S

FEATURES = (
    "tempo",
    "compound_tempo",
    "activations",
    "fit_per_s",
    "fit_per_bar",
    "alternation",
    "waltz",
    "compound",
    "heard_fit_per_s",
    "heard_fit_per_bar",
    "onset_contrast",
    "compound_onset_contrast",
)
_PRIOR_BPM, _PRIOR_OCTAVES = 120.0, 0.7
_COMPOUND_PRIOR_BPM, _COMPOUND_PRIOR_OCTAVES = 90.0, 0.5
_FASTEST_COMPOUND_BPM = 150.0
_BEAT_REACH_FRAMES = 3
_BEAT_GAIN = 1.5
_SHARED = 0.3
_LEAST = 0.02
_SOFTNESS = 2.0
"""Likelihoods of readings are flattened by this power: real songs differ from synthetic ones."""


@dataclass(frozen=True)
class Reading:
    """A way to hear the song. ``places`` (points,) count grid points since the downbeat.

    ``features`` (len(FEATURES),) are what it is weighed by; ``scores`` (points, places) what it
    was followed with.
    """

    metre: Metre
    division: int
    grid: GridEvidence
    places: Ints
    scores: Floats
    features: Floats

    @property
    def bpm(self) -> float:
        return 60.0 / (self.grid.spacing * self.division * FRAME_HOP_S)

    @property
    def on_beat(self) -> Flags:
        """Which grid points are beats (points,)."""
        return np.asarray(self.places % self.division == 0)


def read_grid(
    grid: GridEvidence, activations: Floats, numbers: Fitted, bounds_bpm: tuple[float, float]
) -> Iterator[Reading]:
    """All readings of one grid whose tempo lies within the bounds."""
    uneven = uneven_points(grid.points)
    duration_s = len(activations) * FRAME_HOP_S
    for metre in METRES:
        for division in metre.divisions:
            bpm = 60.0 / (grid.spacing * division * FRAME_HOP_S)
            highest = min(bounds_bpm[1], _FASTEST_COMPOUND_BPM) if metre.compound else bounds_bpm[1]
            if not bounds_bpm[0] <= bpm <= highest:
                continue
            kinds = metre.kinds(division)
            scores = place_scores(grid.values, kinds, numbers.with_network)
            path = follow_bars([scores], division=division, uneven=uneven)
            heard = place_scores(grid.values[:, :HEARD], kinds, numbers.without_network)
            heard_score = float(heard[np.arange(len(heard)), path.places].sum())
            bars = max(1.0, len(path.places) / len(kinds))
            on_beat = path.places % division == 0
            contrast = float(grid.onsets[on_beat].mean() / (grid.onsets.mean() + 1e-9)) - 1.0
            simple = not metre.compound
            features = [
                _prior(bpm, _PRIOR_BPM, _PRIOR_OCTAVES) if simple else 0.0,
                0.0 if simple else _prior(bpm, _COMPOUND_PRIOR_BPM, _COMPOUND_PRIOR_OCTAVES),
                _explained(activations, grid.points[on_beat], path.places[on_beat] == 0),
                path.score / duration_s,
                path.score / bars,
                _alternation(grid.values[on_beat]),
                float(metre.numerator == 3),
                float(metre.compound),
                heard_score / duration_s,
                heard_score / bars,
                contrast if simple else 0.0,
                0.0 if simple else contrast,
            ]
            yield Reading(metre, division, grid, path.places, scores, np.asarray(features))


def likelihoods(readings: Sequence[Reading], numbers: Fitted) -> Floats:
    """How likely each reading is (readings,); they sum to 1."""
    weights = np.asarray([numbers.weighing[name] for name in FEATURES])
    scores = np.asarray([reading.features @ weights for reading in readings]) / _SOFTNESS
    likely = np.exp(scores - scores.max())
    return np.asarray(likely / likely.sum())


def _prior(bpm: float, centre_bpm: float, octaves: float) -> float:
    return -0.5 * float(np.log2(bpm / centre_bpm) / octaves) ** 2


def _explained(activations: Floats, beats: Floats, downbeats: Flags) -> float:
    """Log-likelihood per second of the network's activations (frames, 2), given the beats.

    As in the observation model of Boeck, Krebs and Widmer ("Joint beat and downbeat tracking with
    recurrent neural networks", ISMIR 2016): near a beat it should be heard, elsewhere not. The
    network mistakes beats for downbeats more often than for nothing.
    """
    frames = len(activations)
    reach = np.arange(-_BEAT_REACH_FRAMES, _BEAT_REACH_FRAMES + 1)
    beat, downbeat = activations[:, 0], activations[:, 1]
    logs = np.log(np.clip(1.0 - beat - downbeat, _LEAST, 1.0))
    for chosen, right, wrong in ((~downbeats, beat, downbeat), (downbeats, downbeat, beat)):
        near = (np.rint(beats[chosen]).astype(np.int64)[:, None] + reach).ravel()
        near = near[(near >= 0) & (near < frames)]
        heard = np.clip(right[near] + _SHARED * wrong[near], _LEAST, 1.0)
        logs[near] = np.log(heard) + _BEAT_GAIN
    return float(logs.mean()) / FRAME_HOP_S


def _alternation(values: Floats) -> float:
    """How unlike neighbouring beats sound, at most 0: where it is low, every second beat is an
    off-beat."""
    sounds = values[:, ONSET:HEARD]
    deviation = sounds.std(axis=0)
    sounds = (sounds - sounds.mean(axis=0)) / (deviation + 1e-9)
    return min(0.0, float((sounds[:-1] * sounds[1:]).mean())) if len(sounds) > 1 else 0.0
