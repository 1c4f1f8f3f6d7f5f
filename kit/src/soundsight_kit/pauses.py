"""Pauses between tries that fail."""

from __future__ import annotations


def growing_s(failures: int, *, first_s: float, most_s: float, factor: float = 2.0) -> float:
    """The pause after so many failures in a row (1 or more): `first_s`, then `factor` times as long
    as the one before, up to `most_s`."""
    # Bounded, so that no count of failures is too large for a float.
    return min(most_s, first_s * factor ** min(failures - 1, 64))
