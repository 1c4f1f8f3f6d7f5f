"""From a small painted picture to a frame of video: sharpen, enlarge, grain, I420."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

_GRAIN_MARGIN = 64
_GRAIN_SIGMA = 2.1
_GRAIN_MOST = 8.0
_SHARPEN = 0.4
_CHROMA_ZERO = 128.0


class Finisher:
    """Makes I420 frames (BT.709, 16 to 235) of one size from Y'CbCr pictures of any size.

    The grain is drawn from `seed` and the frame's number alone, so that the same clip has the same
    grain whenever it is made. It also hides the steps of 8-bit gradients.
    """

    def __init__(self, width: int, height: int, frames: int, seed: int) -> None:
        self._width, self._height = width, height
        generator = np.random.Generator(np.random.PCG64(seed))
        shape = (height + _GRAIN_MARGIN, width + _GRAIN_MARGIN)
        grain = generator.normal(0.0, _GRAIN_SIGMA, shape).astype(np.float32)
        # A little blur gives the grain the size of silver, not of pixels.
        grain = cv2.GaussianBlur(grain, (3, 3), 0.5) * 1.35
        self._lighter = np.clip(np.rint(grain), 0.0, _GRAIN_MOST).astype(np.uint8)
        self._darker = np.clip(np.rint(-grain), 0.0, _GRAIN_MOST).astype(np.uint8)
        self._offsets = generator.integers(0, _GRAIN_MARGIN, (frames, 4))
        self._frame = np.empty((height * 3 // 2, width), dtype=np.uint8)

    def finish(self, picture: U8, number: int) -> U8:
        """Frame `number` as I420, (height * 3 / 2, width); overwritten by the next call.

        `picture` is (h, w, 3) Y'CbCr, uint8.
        """
        width, height = self._width, self._height
        luma = self._frame[:height]
        small = cv2.extractChannel(picture, 0)
        soft = cv2.GaussianBlur(small, (3, 3), 0.8)
        crisp = cv2.addWeighted(small, 1.0 + _SHARPEN, soft, -_SHARPEN, 0.0)
        cv2.resize(crisp, (width, height), dst=luma, interpolation=cv2.INTER_CUBIC)
        top, left, top_2, left_2 = (int(offset) for offset in self._offsets[number])
        cv2.add(luma, self._lighter[top : top + height, left : left + width], dst=luma)
        cv2.subtract(luma, self._darker[top_2 : top_2 + height, left_2 : left_2 + width], dst=luma)
        size = (width // 2, height // 2)
        planes = self._frame[height:].reshape(2, height // 2, width // 2)
        for index, plane in enumerate(planes):
            chroma = cv2.extractChannel(picture, index + 1)
            shrinks = chroma.shape[1] > size[0]
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            cv2.resize(chroma, size, dst=plane, interpolation=how)
        return self._frame


def rgb_from_ycc(picture: U8) -> U8:
    """Y'CbCr (BT.709, 16 to 235) to RGB, 0 to 255, same shape (h, w, 3)."""
    y = (picture[..., 0].astype(np.float32) - 16.0) / 219.0
    cb = (picture[..., 1].astype(np.float32) - _CHROMA_ZERO) / 224.0
    cr = (picture[..., 2].astype(np.float32) - _CHROMA_ZERO) / 224.0
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    rgb = np.stack([red, green, blue], axis=-1)
    return (np.clip(rgb, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def preview_jpeg(picture: U8, width: int) -> bytes:
    """A small JPEG of a painted picture, `width` pixels wide."""
    height = max(2, round(picture.shape[0] * width / picture.shape[1]))
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    bgr = np.ascontiguousarray(rgb_from_ycc(small)[..., ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done
    return data.tobytes()


def png(rgb: U8) -> bytes:
    """RGB (h, w, 3) as a PNG file."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))
    assert done
    return data.tobytes()
