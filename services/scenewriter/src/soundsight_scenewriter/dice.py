"""Seeded chance that gives the same draws on every machine and Python version.

Python's `hash()` differs between processes and the sampling methods of `random` may change
between versions; a storyboard must not. Draws come from SplitMix64 (Steele, Lea, Flood 2014),
started from a BLAKE2b digest of the seed and a path of words, so that each decision has a stream
of its own and one more draw here changes nothing there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_MASK = (1 << 64) - 1
_T = TypeVar("_T")


class Dice:
    """A stream of draws named by a seed and a path."""

    def __init__(self, seed: int, *path: object) -> None:
        name = "\x1f".join([str(seed), *(str(part) for part in path)])
        self._name = name
        self._state = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")

    def child(self, *path: object) -> Dice:
        """A stream of its own for a part of the work; does not advance this one."""
        return Dice(0, self._name, *path)

    def bits(self) -> int:
        """64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def unit(self) -> float:
        """A number in [0, 1)."""
        return (self.bits() >> 11) / float(1 << 53)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def seed63(self) -> int:
        """A seed as the contracts want them: 0 to 2^63 - 1."""
        return self.bits() >> 1

    def pick(self, options: Sequence[_T]) -> _T:
        """One of the options, all alike."""
        return options[int(self.unit() * len(options))]

    def weighted(self, options: Sequence[_T], weights: Sequence[float]) -> _T:
        """One of the options by weight; all alike when no weight is above 0."""
        total = sum(max(0.0, weight) for weight in weights)
        if total <= 0.0:
            return self.pick(options)
        mark = self.unit() * total
        for option, weight in zip(options, weights, strict=True):
            mark -= max(0.0, weight)
            if mark < 0.0:
                return option
        return options[-1]

    def shuffled(self, options: Sequence[_T]) -> list[_T]:
        """The options in random order (Fisher and Yates)."""
        mixed = list(options)
        for last in range(len(mixed) - 1, 0, -1):
            other = int(self.unit() * (last + 1))
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed
