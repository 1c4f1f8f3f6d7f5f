"""From a model's frames to the clip: retimed, fitted, encoded in the mezzanine format."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import Cancelled
from soundsight_kit.media.mezzanine import H264Writer
from soundsight_videogen.diffusion.grid import Timing
from soundsight_videogen.diffusion.retiming import Method, retime
from soundsight_videogen.diffusion.sizes import Size, cover_crop

LAST_FRAME_NAME = "last.png"


def write_clip(
    frames: NDArray[np.float32],
    request: GenerateClipRequest,
    timing: Timing,
    destination: Path,
    *,
    method: Method,
    stopped: Callable[[], bool],
) -> None:
    """Encodes frames (n, h, w, 3), 0 to 1, as the request's clip; exactly its frames, its size.

    The last picture is stored beside the destination when the request asks for it. Raises
    Cancelled when stopped, asked before every frame; nothing is left behind then.
    """
    size = request.resolution.width, request.resolution.height
    rate = Fraction(request.frame_rate.num, request.frame_rate.den)
    last = destination.parent / LAST_FRAME_NAME
    with H264Writer(
        destination,
        settings=request.encoder,
        width=size[0],
        height=size[1],
        rate=rate,
        frames=timing.frames,
        keyframes=(request.handle_in_frames, request.handle_in_frames + request.shot_frames),
        pixel_format="rgb24",
        # Whoever kills the worker's group kills the encoder with it.
        own_group=False,
    ) as writer:
        for number, frame in enumerate(retime(frames, timing.positions(), method)):
            if stopped():
                raise Cancelled("filming was stopped")
            picture = fit_picture(frame, size)
            writer.write(picture)
            if request.store_last_frame and number + 1 == timing.frames:
                last.write_bytes(_png(picture))


def fit_picture(frame: NDArray[np.float32], size: Size) -> NDArray[np.uint8]:
    """A frame in 0 to 1 as 8-bit RGB of another size; what does not fit its shape is cut off."""
    height, width, _ = frame.shape
    left, top, inner_width, inner_height = cover_crop((width, height), size)
    part = frame[top : top + inner_height, left : left + inner_width]
    if (inner_width, inner_height) != size:
        shrinks = inner_width > size[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
        part = cv2.resize(part, size, interpolation=how).astype(np.float32, copy=False)
    rounded: NDArray[np.uint8] = (part * 255.0 + 0.5).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(rounded)


def _png(rgb: NDArray[np.uint8]) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()
