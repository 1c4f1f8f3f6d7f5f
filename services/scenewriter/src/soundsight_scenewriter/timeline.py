"""Frames and seconds: the one place where measured times become decided frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Timeline:
    """A video of `frames` frames at num / den per second; frame i starts at i * den / num."""

    frames: int
    num: int
    den: int

    def __post_init__(self) -> None:
        if self.frames < 1 or self.num < 1 or self.den < 1:
            raise ValueError("a timeline needs at least one frame and a rate above 0")

    @property
    def duration_s(self) -> float:
        """Length of the whole video, in seconds."""
        return self.start_s(self.frames)

    @property
    def frame_s(self) -> float:
        """Length of one frame, in seconds."""
        return self.den / self.num

    def start_s(self, frame: int) -> float:
        """When a frame starts, in seconds."""
        return frame * self.den / self.num

    def nearest_frame(self, time_s: float) -> int:
        """The frame whose start lies nearest to a time: at most half a frame away."""
        return math.floor(time_s * self.num / self.den + 0.5)

    def nearest_frames(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """`nearest_frame` for an array of times."""
        return np.floor(times_s * (self.num / self.den) + 0.5).astype(np.int64)

    def length_frames(self, seconds: float) -> int:
        """The count of frames nearest to a length; at least 1."""
        return max(1, round(seconds * self.num / self.den))
