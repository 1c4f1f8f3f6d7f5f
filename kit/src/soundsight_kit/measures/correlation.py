"""Whether two quantities go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundsight_kit.measures.chance import Floats

FEWEST = 3
"""Two points always lie on a line."""


@dataclass(frozen=True)
class Correlation:
    """How two quantities go together, -1 to 1 each; NaN for too few points or a constant."""

    pearson: float
    """Along a line."""
    spearman: float
    """In the same order, whatever the curve."""
    n: int
    """Points that both quantities have."""


def correlate(x: Floats, y: Floats) -> Correlation:
    """Correlates two quantities of shape (n,); points where either is NaN are left out."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    return Correlation(_pearson(x, y), _pearson(_ranks(x), _ranks(y)), int(known.sum()))


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < FEWEST:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / size if size > 1e-12 else float("nan")


def _ranks(x: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, group, sizes = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    shared: Floats = last - (sizes - 1) / 2
    return shared[group]
