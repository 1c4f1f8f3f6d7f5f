"""Looks at the pictures of a film, one after the other, for all measures at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.measures.chance import Floats
from soundsight_kit.measures.flashes import FlashMeter, FlashReport
from soundsight_kit.measures.motion import frame_change
from soundsight_kit.measures.pictures import PictureLook, Rgb, look, luma


@dataclass(frozen=True)
class Watched:
    """What was seen in a film."""

    change: Floats
    """Mean absolute difference of luma to the frame before, 0 to 255, shape (frames,); NaN for
    the first frame."""
    looks: tuple[PictureLook, ...]
    """How each frame looks."""
    flashes: FlashReport


class Watcher:
    """Takes frames and keeps a few numbers of each, so that a film may be of any length."""

    def __init__(self, fps: float) -> None:
        self._before: NDArray[np.float32] | None = None
        self._change: list[float] = []
        self._looks: list[PictureLook] = []
        self._flashes = FlashMeter(fps)

    def add(self, picture: Rgb) -> None:
        """Looks at the next frame: sRGB, shape (height, width, 3), the same size each time.

        A width of some 250 pixels is enough for every measure, and evens out the grain.
        """
        levels = luma(picture)
        before = self._before
        self._change.append(float("nan") if before is None else frame_change(levels, before))
        self._before = levels
        self._looks.append(look(picture))
        self._flashes.add(picture)

    def seen(self) -> Watched:
        """Returns what was seen so far."""
        return Watched(np.array(self._change), tuple(self._looks), self._flashes.report())
