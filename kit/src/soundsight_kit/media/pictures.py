"""Single pictures: between I420, RGB and JPEG, with the right colour matrix (BT.709)."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

_BEST_SCALE = 2  # JPEG's own quantiser scale in ffmpeg's words: 2 is best, 31 is worst
_WORST_SCALE = 31
_SCALER = Interpolation.BICUBIC


def rgb_to_i420(rgb: U8) -> U8:
    """RGB (h, w, 3), full range, to I420 (h * 3 / 2, w), BT.709, 16 to 235.

    OpenCV's RGB2YUV_I420 is BT.601: do not use it for mezzanine pictures.
    """
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return frame_to_i420(
        frame.reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALER,
        )
    )


def i420_to_rgb(i420: U8, width: int, height: int) -> U8:
    """I420 (BT.709, 16 to 235), any shape of h * w * 3 / 2 bytes, to RGB (h, w, 3)."""
    frame = i420_to_frame(i420, width, height)
    return _bytes_of(
        frame.reformat(
            format="rgb24",
            src_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_SCALER,
        )
    )


def frame_to_i420(frame: av.VideoFrame) -> U8:
    """A decoded yuv420p picture as I420 (h * 3 / 2, w)."""
    return _bytes_of(frame)


def i420_to_frame(i420: U8, width: int, height: int) -> av.VideoFrame:
    """I420, any shape of h * w * 3 / 2 bytes, as a frame."""
    planes = np.ascontiguousarray(i420).reshape(height * 3 // 2, width)
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def encode_jpeg(rgb: U8, *, quality: int = 85) -> bytes:
    """RGB (h, w, 3) to a JPEG file; quality 1 to 100."""
    height, width, _ = rgb.shape
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format="yuvj420p",
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.JPEG,
        interpolation=_SCALER,
    )
    scale = _BEST_SCALE + round((_WORST_SCALE - _BEST_SCALE) * (100 - quality) / 99)
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = width, height
    context.pix_fmt = "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.options = {"qmin": str(scale), "qmax": str(scale), "flags": "+qscale+bitexact"}
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def _bytes_of(frame: av.VideoFrame) -> U8:
    samples = frame.to_ndarray()
    assert samples.dtype == np.uint8
    return samples.astype(np.uint8, copy=False)
