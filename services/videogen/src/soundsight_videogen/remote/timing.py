"""Frames of a remote clip against those of ours. Pure."""

from __future__ import annotations

import math
from fractions import Fraction


def native_frames(
    frames: int, rate: Fraction, native_rate: Fraction, *, step: int, offset: int
) -> int:
    """The fewest frames on the grid `step` * k + `offset`, at the native rate, that last as long
    as `frames` at `rate`."""
    needed = math.ceil(frames * native_rate / rate)
    return max(offset, offset + step * math.ceil((needed - offset) / step))


def source_frame(frame: int, rate: Fraction, native_rate: Fraction) -> int:
    """Which native frame is seen in the middle of `frame` at `rate`, both from 0."""
    return math.floor((frame + Fraction(1, 2)) * native_rate / rate)
