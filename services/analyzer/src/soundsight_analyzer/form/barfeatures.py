"""The song bar by bar: what each bar sounds like, for finding its form.

A bar is described by its harmony (the notes of each quarter of it, so that chord sequences show),
its timbre (log-mel means and spreads) and its rhythm (onset strength in four bands). Where there
are no bars, or more than can be compared with each other, units of another length stand in for
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.harmony.notes import NOTES_HOP_S, Notes
from soundsight_analyzer.onsets import band_onsets
from soundsight_analyzer.spectra import FRAME_HOP_S, Frames

MOST_UNITS = 1200
"""Units are compared pair by pair: this bounds the memory of an hour to that of ten minutes."""

FEWEST_DOWNBEATS = 4
"""With fewer there are no bars to speak of."""

_QUARTERS = 4
_SECONDS_WITHOUT_BARS = 2.0
_TIMBRE_COEFFICIENTS = 14


@dataclass(frozen=True)
class BarFeatures:
    """Features of ``n`` units. ``edges_s`` (n + 1,) covers the song from 0 to its end.

    ``harmony`` (n, 96), ``timbre`` (n, 28), ``rhythm`` (n, 4), ``level_db`` (n,).
    """

    edges_s: Floats
    harmony: Floats
    timbre: Floats
    rhythm: Floats
    level_db: Floats

    def __len__(self) -> int:
        return len(self.edges_s) - 1


def unit_edges(downbeats_s: Floats, duration_s: float) -> Floats:
    """Edges (n + 1,) of the units: downbeats where there are any, else a regular grid."""
    edges: Floats
    if len(downbeats_s) < FEWEST_DOWNBEATS:
        count = max(1, round(duration_s / _SECONDS_WITHOUT_BARS))
        edges = np.linspace(0.0, duration_s, count + 1)
    else:
        bar_s = float(np.median(np.diff(downbeats_s)))
        # A start or end shorter than half a bar belongs to its neighbour.
        inner = downbeats_s[(downbeats_s > 0.5 * bar_s) & (downbeats_s < duration_s - 0.5 * bar_s)]
        edges = _fill_gaps(np.concatenate([[0.0], inner, [duration_s]]), bar_s)
    step = -(-(len(edges) - 1) // MOST_UNITS)
    return np.append(edges[:-1:step], edges[-1]) if step > 1 else edges


def bar_features(frames: Frames, notes: Notes, edges_s: Floats) -> BarFeatures:
    """Describes each unit between ``edges_s`` (n + 1,)."""
    quarters = _quarter_edges(edges_s)
    pitches = np.sqrt(np.hstack([notes.treble, notes.bass]))
    harmony = _means(pitches, quarters / NOTES_HOP_S)
    harmony = harmony.reshape(len(edges_s) - 1, _QUARTERS * 24)

    edges = edges_s / FRAME_HOP_S
    loud = float(np.percentile(frames.mel.max(axis=1), 95)) + 1e-9
    log_mel = np.log10(np.maximum(frames.mel / loud, 1e-4))
    cosines = _cosines(log_mel.shape[1])
    cepstrum = (log_mel @ cosines).astype(np.float32)
    mean = _means(cepstrum, edges)
    spread = np.sqrt(np.maximum(_means(cepstrum**2, edges) - mean**2, 0.0))
    power = _means(frames.power[:, None], edges)[:, 0]
    return BarFeatures(
        edges_s=edges_s,
        harmony=harmony,
        timbre=np.hstack([mean, spread]),
        rhythm=_means(band_onsets(frames.mel), edges),
        level_db=10.0 * np.log10(np.maximum(power, 1e-8)),
    )


def _fill_gaps(edges: Floats, bar_s: float) -> Floats:
    """Divides stretches without downbeats into units about as long as a bar."""
    pieces = []
    for start, end in pairwise(edges):
        parts = max(1, round((end - start) / bar_s)) if end - start > 1.5 * bar_s else 1
        pieces.append(np.linspace(start, end, parts, endpoint=False))
    return np.append(np.concatenate(pieces), edges[-1])


def _quarter_edges(edges_s: Floats) -> Floats:
    """Edges of the quarters of each unit (4 n + 1,)."""
    shares = np.arange(_QUARTERS) / _QUARTERS
    inner = edges_s[:-1, None] + np.diff(edges_s)[:, None] * shares
    return np.append(inner.ravel(), edges_s[-1])


def _means(values: Floats, edges: Floats) -> Floats:
    """Means (n, d) of ``values`` (frames, d) between ``edges`` (n + 1,), given in frames."""
    at = np.clip(np.rint(edges).astype(np.int64), 0, len(values))
    sums = np.concatenate(
        [np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)]
    )
    return np.asarray((sums[at[1:]] - sums[at[:-1]]) / np.maximum(1, np.diff(at))[:, None])


def _cosines(bands: int) -> Floats:
    """DCT-II matrix (bands, _TIMBRE_COEFFICIENTS); level is part of timbre."""
    k = np.arange(_TIMBRE_COEFFICIENTS)
    angles = np.pi * (np.arange(bands)[:, None] + 0.5) * k / bands
    return (np.cos(angles) * np.sqrt(2.0 / bands)).astype(np.float32)
