"""Beats by dynamic programming over beat times and periods.

The search is Ellis's ("Beat tracking by dynamic programming", JNMR 2007) with the period as part of
the state, as in the bar-pointer model of Krebs, Boeck and Widmer (ISMIR 2015): the tempo may drift,
and pays for each change by the square of its logarithm. The best path is exact.
"""

from __future__ import annotations

import numpy as np

from soundsight_analyzer.arrays import Floats

STEPS = 48
"""Time steps per expected beat. The envelope is resampled to them, so that a steady tempo costs
nothing whatever it is, and so that fast and slow songs are searched alike."""

_SPREAD = 1.25
_CHANGE_COST = 1000.0


def track_beats(activation: Floats, *, period: float) -> Floats:
    """Positions (beats,), in frames, of the beats that collect the most ``activation`` (frames,).

    ``period`` is the expected distance in frames; it may drift by a factor of 1.25 either way.
    Beats run through silence too, and one may lie before the first frame: the caller trims them.
    Empty when less than three periods are given.
    """
    scale = period / STEPS
    steps = int(len(activation) / scale)
    if steps < 3 * STEPS:
        return np.zeros(0)
    resampled = np.interp(np.arange(steps) * scale, np.arange(len(activation)), activation)
    lead_in = np.pad(resampled, (STEPS, 0))
    return (_best_path(lead_in.astype(np.float32)) - STEPS) * scale


def track_half_beats(activation: Floats, *, period: float) -> Floats:
    """Like track_beats, for a grid (n,) of half beats.

    Beats and the moments half-way between them count alike, so the grid stays regular where the
    strong onsets move from the beats to the off-beats. Which of its points are beats is not
    decided.
    """
    ahead = np.interp(
        np.arange(len(activation)) + period / 2, np.arange(len(activation)), activation
    )
    grid = track_beats((activation + ahead) / 2, period=period)
    halves = (grid[:-1] + grid[1:]) / 2
    return np.sort(np.concatenate([grid, halves]))


def _best_path(activation: Floats) -> Floats:
    frames = len(activation)
    periods = np.arange(int(STEPS / _SPREAD), int(np.ceil(STEPS * _SPREAD)) + 1)
    shortest = int(periods[0])
    logs = np.log(periods)
    toll = (_CHANGE_COST * (logs[:, None] - logs[None, :]) ** 2).astype(np.float32)  # (from, to)

    # score[t, p]: the best sum of a path with a beat at t that came after a period p.
    # onward[t, p]: the same, ready to go on with period p; source: the period it came with.
    score = np.empty((frames, len(periods)), dtype=np.float32)
    onward = np.empty_like(score)
    source = np.empty(score.shape, dtype=np.int8)
    columns = np.arange(len(periods))
    # Every path comes from at least `shortest` steps ago: so many steps are solved at once.
    for first in range(0, frames, shortest):
        now = np.arange(first, min(first + shortest, frames))
        before = now[:, None] - periods[None, :]
        came = onward[np.maximum(before, 0), columns]
        score[now] = np.where(before >= 0, came, 0.0) + activation[now, None]
        through = score[now][:, :, None] - toll[None]
        best = through.argmax(axis=1)
        source[now] = best
        onward[now] = np.take_along_axis(through, best[:, None, :], axis=1)[:, 0]

    tail = frames - int(periods[-1])
    frame, column = divmod(int(score[tail:].argmax()), len(periods))
    frame += tail
    beats = [frame]
    while frame - periods[column] >= 0:
        frame -= int(periods[column])
        column = int(source[frame, column])
        beats.append(frame)
    return np.asarray(beats[::-1], dtype=np.float64)
