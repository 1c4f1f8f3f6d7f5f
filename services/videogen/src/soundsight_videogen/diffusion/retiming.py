"""Frames between frames: what a clip shows where its rate is not the model's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

Method = Literal["flow", "blend", "nearest"]
_FLOW_WIDTH = 480


def retime(
    frames: NDArray[np.float32], positions: Iterable[Fraction], method: Method
) -> Iterator[F32]:
    """The pictures at `positions` on frames (n, h, w, 3); those on a frame are that frame."""
    pair = -1
    between: _Between | None = None
    for position in positions:
        index = math.floor(position)
        share = float(position - index)
        if share == 0.0:
            yield frames[index]
        elif method == "nearest":
            yield frames[index + round(share)]
        else:
            if between is None or pair != index:
                between, pair = _Between(frames[index], frames[index + 1], method), index
            yield between.at(share)


class _Between:
    """What lies between two frames."""

    def __init__(self, first: F32, second: F32, method: Method) -> None:
        self._first, self._second = first, second
        self._flows = (_flow(first, second), _flow(second, first)) if method == "flow" else None

    def at(self, share: float) -> F32:
        """The picture at 0 (the first) to 1 (the second)."""
        first, second = self._first, self._second
        if self._flows is not None:
            forth, back = self._flows
            # Backward warping with the motion at the place of arrival, as if it moved evenly.
            first = _warp(first, forth, -share)
            second = _warp(second, back, share - 1.0)
        mixed: F32 = (1.0 - share) * first + share * second
        return mixed.astype(np.float32)


def _flow(first: F32, second: F32) -> F32:
    """Motion in pixels from one picture to the other, found at a smaller size: (h, w, 2)."""
    height, width, _ = first.shape
    scale = min(1.0, _FLOW_WIDTH / width)
    size = max(16, round(width * scale)), max(16, round(height * scale))

    def grey(picture: F32) -> NDArray[np.uint8]:
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return (cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) * 255.0).clip(0, 255).astype(np.uint8)

    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    motion = finder.calc(grey(first), grey(second), np.zeros((size[1], size[0], 2), np.float32))
    full = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR)
    stretch = np.array([width / size[0], height / size[1]], np.float32)
    scaled: F32 = (full * stretch).astype(np.float32)
    return scaled


def _warp(picture: F32, motion: F32, share: float) -> F32:
    height, width, _ = picture.shape
    grid = np.stack(
        np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1
    )
    places = grid + share * motion
    warped = cv2.remap(
        picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return warped.astype(np.float32, copy=False)
