"""Cuts against the beat, and how long shots are.

Raw rates rise with the tempo, since a fast song has a beat near every cut. So each stands beside
the rate of the same cuts, all shifted together by a random offset, circular in the song: their
distances from each other stay, their place in the music goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.measures.chance import DRAWS, AgainstChance, Floats, against_chance

TOLERANCE_S = 0.020
"""A cut is on a beat within half a frame, which no cut can help, and this."""

SIGMA_S = 0.05
"""Width of the beat alignment score."""


@dataclass(frozen=True)
class CutAlignment:
    """How cuts lie to the beat."""

    on_beat: AgainstChance
    """Share of cuts on a beat, 0 to 1."""
    on_downbeat: AgainstChance
    """Share of cuts on a downbeat, 0 to 1."""
    score: AgainstChance
    """Beat alignment score, 0 to 1: mean over cuts of exp(-d^2 / (2 sigma^2)), d to the nearest
    beat. The score is that of AI Choreographer (Li et al., 2021), with cuts for dance beats."""
    cuts: int


@dataclass(frozen=True)
class ShotLengths:
    """Lengths of some shots, in seconds; NaN when there are none."""

    shots: int
    mean_s: float
    median_s: float
    shortest_s: float
    longest_s: float


def cut_alignment(
    cuts_s: Floats,
    beats_s: Floats,
    downbeats_s: Floats,
    *,
    duration_s: float,
    frame_s: float,
    anticipation_s: float = 0.0,
    seed: int = 0,
    draws: int = DRAWS,
) -> CutAlignment:
    """Measures how cuts lie to the beat.

    Args:
        cuts_s: times of the cuts, shape (cuts,); the film's first frame is none.
        beats_s: times of all beats, ascending, shape (beats,).
        downbeats_s: times of the downbeats, ascending, shape (downbeats,).
        duration_s: length of the song.
        frame_s: length of a frame.
        anticipation_s: by how much cuts are meant to come before their beat.
        seed: of the random offsets.
        draws: how many random offsets.
    """
    meant_s = cuts_s + anticipation_s
    offsets_s = np.random.default_rng(seed).uniform(0.0, duration_s, size=(draws, 1))
    # One row per offset; all three figures are asked of the same offsets.
    shifted_s = (meant_s + offsets_s) % duration_s if len(cuts_s) else np.empty((0, 0))
    tolerance_s = frame_s / 2 + TOLERANCE_S

    def share(marks_s: Floats) -> AgainstChance:
        return against_chance(
            float(_near(meant_s, marks_s, tolerance_s)), _near(shifted_s, marks_s, tolerance_s)
        )

    score = against_chance(float(_score(meant_s, beats_s)), _score(shifted_s, beats_s))
    return CutAlignment(share(beats_s), share(downbeats_s), score, len(cuts_s))


def shot_lengths(lengths_s: Floats) -> ShotLengths:
    """Sums up the lengths of shots, shape (shots,)."""
    if not lengths_s.size:
        nan = float("nan")
        return ShotLengths(0, nan, nan, nan, nan)
    return ShotLengths(
        len(lengths_s),
        float(lengths_s.mean()),
        float(np.median(lengths_s)),
        float(lengths_s.min()),
        float(lengths_s.max()),
    )


def lengths_by_section(bounds_s: Floats, sections_s: Floats) -> list[ShotLengths]:
    """Sums up the lengths of each section's shots; a shot belongs where its middle lies.

    Args:
        bounds_s: start of each shot and the end of the last, shape (shots + 1,).
        sections_s: start of each section and the end of the last, shape (sections + 1,).
    """
    lengths_s, middles_s = np.diff(bounds_s), (bounds_s[:-1] + bounds_s[1:]) / 2
    number = np.searchsorted(sections_s[1:-1], middles_s, side="right")
    return [shot_lengths(lengths_s[number == i]) for i in range(len(sections_s) - 1)]


def shot_rates(bounds_s: Floats, sections_s: Floats) -> Floats:
    """Returns the shots per second of each section, shape (sections,).

    A shot that reaches into several sections counts in each by its share there, so that short
    sections have a rate too. Arguments as in `lengths_by_section`.
    """
    starts = np.maximum(bounds_s[:-1, None], sections_s[None, :-1])
    ends = np.minimum(bounds_s[1:, None], sections_s[None, 1:])
    shares = np.maximum(0.0, ends - starts) / np.diff(bounds_s)[:, None]
    rates: Floats = shares.sum(axis=0) / np.diff(sections_s)
    return rates


def _near(times_s: Floats, marks_s: Floats, tolerance_s: float) -> Floats:
    """Share of the last axis within the tolerance of a mark; NaN when there is nothing to ask."""
    if not times_s.shape[-1] or not marks_s.size:
        return np.full(times_s.shape[:-1], np.nan)
    near: Floats = (_distances(times_s, marks_s) <= tolerance_s).mean(axis=-1)
    return near


def _score(times_s: Floats, marks_s: Floats) -> Floats:
    if not times_s.shape[-1] or not marks_s.size:
        return np.full(times_s.shape[:-1], np.nan)
    squares = (_distances(times_s, marks_s) / SIGMA_S) ** 2
    score: Floats = np.exp(-squares / 2).mean(axis=-1)
    return score


def _distances(times_s: Floats, marks_s: Floats) -> NDArray[np.float64]:
    """Distance from each time to its nearest mark, in seconds."""
    after = np.searchsorted(marks_s, times_s).clip(1, max(1, len(marks_s) - 1))
    before_s = marks_s[after - 1]
    after_s = marks_s[np.minimum(after, len(marks_s) - 1)]
    distances: Floats = np.minimum(np.abs(times_s - before_s), np.abs(times_s - after_s))
    return distances
