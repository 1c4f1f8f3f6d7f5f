"""Frame counts: from the frames a clip needs to those a model can make, and back. Pure.

Models make counts that lie on a grid (4k + 1, 8k + 1) at a frame rate of their own. A clip has any
count at any rate. Where the rates differ, the model films the same seconds in its own frames, and
the clip's frames are taken from between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from soundsight_kit.errors import FailedPrecondition


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """The counts `step` * k + `offset` between `fewest` and `most`."""

    step: int
    offset: int
    fewest: int
    most: int

    def __post_init__(self) -> None:
        if self.step < 1 or not 1 <= self.fewest <= self.most:
            raise ValueError("a frame grid needs step >= 1 and 1 <= fewest <= most")
        if self.up(self.fewest) > self.most:
            raise ValueError(f"no count of {self.step}k+{self.offset} lies within the bounds")

    def up(self, frames: int) -> int:
        """The smallest count of the grid that is not below `frames`, bounds left aside."""
        steps = max(0, -(-(frames - self.offset) // self.step))
        return steps * self.step + self.offset

    @property
    def largest(self) -> int:
        """The largest count."""
        return self.most - (self.most - self.offset) % self.step

    @property
    def smallest(self) -> int:
        """The smallest count."""
        return self.up(self.fewest)


@dataclass(frozen=True, slots=True)
class Timing:
    """How a clip of `frames` at `rate` is made from `native_frames` at `native_rate`.

    The clip's frame i lies at `i * pace` on the native frames' own count.
    """

    frames: int
    rate: Fraction
    native_frames: int
    native_rate: Fraction
    pace: Fraction

    @property
    def retimed(self) -> bool:
        """Whether the clip's frames lie between native ones."""
        return self.pace != 1

    def positions(self) -> Iterator[Fraction]:
        """Where each of the clip's frames lies, from 0 to `native_frames` - 1."""
        last = Fraction(self.native_frames - 1)
        return (min(index * self.pace, last) for index in range(self.frames))

    def notes(self) -> tuple[str, ...]:
        """What a user should know about it."""
        notes = []
        used = int((self.frames - 1) * self.pace) + 1
        if self.retimed:
            notes.append(
                f"filmed at {float(self.native_rate):g} frames per second and retimed to "
                f"{float(self.rate):g}"
            )
            if self.pace != self.native_rate / self.rate:
                slower = float(self.native_rate / self.rate / self.pace)
                notes.append(f"motion is slowed {slower:.2f} times: the model films no longer clip")
        if self.native_frames > used:
            notes.append(
                f"{self.native_frames} frames were filmed, on the model's grid; "
                f"{self.native_frames - used} at the end were cut off"
            )
        return tuple(notes)


def plan_timing(
    frames: int, rate: Fraction, grid: FrameGrid, native_rate: Fraction | None
) -> Timing:
    """How a clip is made on a grid; `native_rate` None means that the model is told the rate.

    Raises FailedPrecondition (FRAMES_BEYOND_MODEL) for clips longer than the model's longest.
    """
    if frames > grid.largest:
        raise FailedPrecondition(
            f"this model films clips of at most {grid.largest} frames and this one has {frames}: "
            "cut the scene into takes",
            reason="FRAMES_BEYOND_MODEL",
            metadata={"frames": str(frames), "most": str(grid.largest)},
        )
    own = native_rate or rate
    pace = own / rate
    # The last frame of the clip lies at (frames - 1) * pace; what lies around it must be filmed.
    needed = -int(-((frames - 1) * pace) // 1) + 1
    if needed > grid.largest:
        needed = grid.largest
        pace = Fraction(needed - 1, max(1, frames - 1))
    native = max(grid.up(needed), grid.smallest)
    return Timing(frames, rate, native, own, pace)
