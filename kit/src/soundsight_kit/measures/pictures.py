"""Light and colour of one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.measures.chance import Floats

Rgb = NDArray[np.uint8]
"""A picture in sRGB, shape (height, width, 3)."""

LUMA = np.array([0.2126, 0.7152, 0.0722])
"""Weights of red, green and blue (ITU-R BT.709), for luma and for relative luminance alike."""


def _linear_levels() -> NDArray[np.float32]:
    level = np.arange(256) / 255.0
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


LINEAR = _linear_levels()
"""Linear light, 0 to 1, of each of the 256 levels of sRGB (IEC 61966-2-1)."""


@dataclass(frozen=True)
class PictureLook:
    """How a picture looks as a whole."""

    brightness: float
    """Mean luma, 0 (black) to 1 (white)."""
    saturation: float
    """0 (grey) to 1 (pure colours): HSV's, each pixel weighted by its value, since the hue of
    darkness is not seen."""
    warmth: float
    """(red - blue) / (red + green + blue) of the mean colour: below 0 cold, above it warm."""


def luma(picture: Rgb) -> NDArray[np.float32]:
    """Returns the luma of each pixel, 0 to 255, shape (height, width)."""
    levels: NDArray[np.float32] = picture.astype(np.float32) @ LUMA.astype(np.float32)
    return levels


def look(picture: Rgb) -> PictureLook:
    """Returns how a picture looks; black has neither saturation nor warmth."""
    red, green, blue = (float(mean) for mean in picture.reshape(-1, 3).mean(axis=0))
    # Channel by channel: a reduction over a last axis of three is many times slower.
    first, second, third = (picture[..., channel] for channel in range(3))
    most = np.maximum(np.maximum(first, second), third)
    least = np.minimum(np.minimum(first, second), third)
    value, total = float(most.mean()), red + green + blue
    return PictureLook(
        brightness=float(np.dot(LUMA, [red, green, blue])) / 255.0,
        saturation=1.0 - float(least.mean()) / value if value else 0.0,
        warmth=(red - blue) / total if total else 0.0,
    )


def linear_tiles(picture: Rgb, rows: int, columns: int) -> Floats:
    """Returns the mean linear light of a grid of tiles, 0 to 1, shape (rows, columns, 3).

    Tiles differ by a pixel where the picture does not divide evenly.

    Args:
        picture: at least as many pixels as tiles, each way.
        rows: tiles from top to bottom.
        columns: tiles from left to right.
    """
    height, width, _ = picture.shape
    top = np.arange(rows) * height // rows
    left = np.arange(columns) * width // columns
    light = LINEAR[picture]
    sums = np.add.reduceat(np.add.reduceat(light, top, axis=0), left, axis=1)
    sizes = np.diff(top, append=height)[:, None] * np.diff(left, append=width)[None, :]
    means: Floats = sums.astype(np.float64) / sizes[..., None]
    return means
