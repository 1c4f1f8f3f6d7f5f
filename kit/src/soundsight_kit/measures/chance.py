"""What a figure is worth: the same figure when the picture has nothing to do with the music."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
"""Random offsets per baseline."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AgainstChance:
    """A figure beside the figures of random offsets."""

    value: float
    """What was measured; NaN when there was nothing to measure."""
    chance: float
    """Mean over the random offsets; NaN when there were none."""
    z: float
    """(value - chance) / standard deviation over the offsets; NaN when that is zero."""


def against_chance(value: float, draws: Floats) -> AgainstChance:
    """Compares a figure with those of random offsets, `draws` of shape (n,)."""
    if not draws.size:
        return AgainstChance(value, float("nan"), float("nan"))
    mean, deviation = float(draws.mean()), float(draws.std())
    # What rounding leaves is no deviation.
    apart = deviation > 1e-9 * max(1.0, abs(mean))
    return AgainstChance(value, mean, (value - mean) / deviation if apart else float("nan"))


def frame_offsets(frames: int, least: int, seed: int, draws: int = DRAWS) -> NDArray[np.int64]:
    """Returns random circular offsets, in frames, at least `least` away from none at all.

    Shape (draws,), or (0,) when the film is too short for any.
    """
    least = max(1, least)
    if frames - least < least:
        return np.empty(0, dtype=np.int64)
    return np.random.default_rng(seed).integers(least, frames - least + 1, size=draws)
