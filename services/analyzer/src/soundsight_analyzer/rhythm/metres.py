"""The metres that are told apart, and what a place in a bar is to a musician.

A bar is divided into places: so many to a beat (the division), so many beats to a bar. Places are
of four kinds. That one set of kinds serves all metres and divisions is what lets them be compared
on the same evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundsight_analyzer.arrays import Ints

DOWNBEAT, BEAT, HALF_BAR, BETWEEN = range(4)
"""The kinds: the bar's first beat; any other beat; the middle beat of a bar of four; no beat."""
KINDS = 4


@dataclass(frozen=True)
class Metre:
    """A metre and the beats that a foot taps in it: in 6/8 they are two dotted quarters.

    ``divisions`` are the numbers of grid points that a beat may have.
    """

    numerator: int
    denominator: int
    beats: int
    divisions: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"

    @property
    def compound(self) -> bool:
        """Whether a beat divides into three."""
        return self.denominator == 8

    def kinds(self, division: int) -> Ints:
        """The kind (beats * division,) of each place in a bar."""
        kinds = np.full(self.beats * division, BETWEEN)
        kinds[::division] = BEAT
        kinds[0] = DOWNBEAT
        if self.beats == 4:
            kinds[2 * division] = HALF_BAR
        return kinds


COMMON = Metre(4, 4, 4, (2, 4, 8))
WALTZ = Metre(3, 4, 3, (2, 4, 8))
SIX_EIGHT = Metre(6, 8, 2, (3, 6))
METRES = (COMMON, WALTZ, SIX_EIGHT)
