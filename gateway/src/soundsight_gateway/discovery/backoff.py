"""Pauses between tries that fail: growing, and spread, so that many callers do not come at once."""

from __future__ import annotations

import random
from dataclasses import dataclass

from soundsight_kit.pauses import growing_s


@dataclass(slots=True)
class Backoff:
    """Pauses that double from `first_s` to `most_s`, each shortened by up to a half at random."""

    first_s: float
    most_s: float
    failures: int = 0

    def next_s(self, at_least_s: float | None = None) -> float:
        """The pause after one more failure, no shorter than whoever refused asked for."""
        self.failures += 1
        longest_s = growing_s(self.failures, first_s=self.first_s, most_s=self.most_s)
        return max(longest_s * random.uniform(0.5, 1.0), at_least_s or 0.0)

    def reset(self) -> None:
        """It worked: the next pause is a short one."""
        self.failures = 0
