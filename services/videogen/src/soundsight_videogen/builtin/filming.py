"""Films one request: paints, finishes and encodes every frame. Blocking; runs in a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import Cancelled
from soundsight_kit.media.mezzanine import H264Writer
from soundsight_kit.media.pictures import i420_to_rgb
from soundsight_videogen.backend import total_frames
from soundsight_videogen.builtin.choice import choose_scene
from soundsight_videogen.builtin.film import paint, plan_film
from soundsight_videogen.builtin.finish import Finisher, png, preview_jpeg
from soundsight_videogen.builtin.orders import music_cues, shot_fields
from soundsight_videogen.builtin.painter import Painter

LAST_FRAME_NAME = "last.png"
_PROGRESS_EVERY_S = 0.25
_PREVIEW_WIDTH = 320


class Watcher(Protocol):
    """Follows a film in the making."""

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` frames are made."""

    def preview(self, frame: int, jpeg: bytes) -> None:
        """What `frame` looks like."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds that the worker spent waiting for pictures, finishing them, and on the encoder."""

    paint_s: float
    finish_s: float
    encode_s: float


def film(
    painter: Painter,
    request: GenerateClipRequest,
    destination: Path,
    *,
    watcher: Watcher,
    stopped: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> Timings:
    """Films a valid request into `destination`.

    `stopped` is asked before every frame. The last picture is stored beside the destination when
    the request asks for it. Raises Cancelled when stopped; nothing is left behind then.
    """
    cv2.setNumThreads(1)
    total = total_frames(request)
    rate = Fraction(request.frame_rate.num, request.frame_rate.den)
    width, height = request.resolution.width, request.resolution.height
    inner = request.internal_resolution
    plan = plan_film(choose_scene(shot_fields(request)), music_cues(request), float(rate))
    finisher = Finisher(width, height, total, request.seed)
    preview_every_s = request.preview_interval.ToNanoseconds() / 1e9
    wants_previews = request.HasField("preview_interval")
    paint_s = finish_s = encode_s = 0.0
    told_at = previewed_at = float("-inf")
    with (
        H264Writer(
            destination,
            settings=request.encoder,
            width=width,
            height=height,
            rate=rate,
            frames=total,
            keyframes=(request.handle_in_frames, request.handle_in_frames + request.shot_frames),
            # Whoever kills the worker's group kills the encoder with it.
            own_group=False,
        ) as writer,
        closing(paint(plan, painter, inner.width, inner.height)) as pictures,
    ):
        asked = clock()
        for number, picture in enumerate(pictures):
            if stopped():
                raise Cancelled("filming was stopped")
            painted = clock()
            frame = finisher.finish(picture, number)
            finished = clock()
            writer.write(frame)
            now = clock()
            paint_s += painted - asked
            finish_s += finished - painted
            encode_s += now - finished
            if now - told_at >= _PROGRESS_EVERY_S or number + 1 == total:
                told_at = now
                watcher.progress(number + 1, total)
            if wants_previews and now - previewed_at >= preview_every_s:
                previewed_at = now
                watcher.preview(number, preview_jpeg(picture, _PREVIEW_WIDTH))
            if request.store_last_frame and number + 1 == total:
                rgb = i420_to_rgb(frame, width, height)
                (destination.parent / LAST_FRAME_NAME).write_bytes(png(rgb))
            asked = clock()
    return Timings(paint_s, finish_s, encode_s)
