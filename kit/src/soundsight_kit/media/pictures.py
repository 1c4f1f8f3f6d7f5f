"""Single pictures: between I420, RGB and JPEG, with the right colour matrix (BT.709)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


def rgb_to_i420(rgb: U8) -> U8:
    """RGB (h, w, 3), full range, to I420 (h * 3 / 2, w), BT.709, 16 to 235.

    OpenCV's RGB2YUV_I420 is BT.601: do not use it for mezzanine pictures.
    """
    raise NotImplementedError


def i420_to_rgb(i420: U8, width: int, height: int) -> U8:
    """I420 (BT.709, 16 to 235), any shape of h * w * 3 / 2 bytes, to RGB (h, w, 3)."""
    raise NotImplementedError


def encode_jpeg(rgb: U8, *, quality: int = 85) -> bytes:
    """RGB (h, w, 3) to a JPEG file; quality 1 to 100."""
    raise NotImplementedError
