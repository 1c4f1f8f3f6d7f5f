"""The child that makes frames anew: transitions, captions, and clips of another encoder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from google.protobuf import json_format
from numpy.typing import NDArray

from soundsight.common.v1 import common_pb2
from soundsight_composer.overlay import Overlay
from soundsight_kit.errors import DataLoss
from soundsight_kit.media.bitstream import only_video_stream, open_clip
from soundsight_kit.media.children import Progress, Refused, answer
from soundsight_kit.media.mezzanine import H264Writer
from soundsight_kit.media.pictures import frame_to_i420

U8 = NDArray[np.uint8]

_VEILS = {"black": 16.0, "white": 235.0}
_NEUTRAL = 128.0
# Code points of ITU-T H.273, and ffmpeg's for the range.
_BT709 = 1
_UNSPECIFIED = 2
_FULL_RANGE = 2
_REPORT_EVERY = 24


def make(request: dict[str, Any], _folder: Path, progress: Progress) -> dict[str, Any]:
    """Encodes the pictures of `request` as one clip."""
    settings = json_format.ParseDict(request["encoder"], common_pb2.EncoderSettings())
    width, height = request["width"], request["height"]
    pictures = request["pictures"]
    films = {
        index: Film(index, Path(path), width, height) for index, path in enumerate(request["paths"])
    }
    overlays = Overlays([Path(path) for path in request["captions"]])
    with H264Writer(
        Path(request["destination"]),
        settings=settings,
        width=width,
        height=height,
        rate=Fraction(request["rate"]),
        frames=len(pictures),
        keyframes=request["keyframes"],
        timeout_s=request["timeout_s"],
        # The parent kills this process's group when the work is cancelled.
        own_group=False,
    ) as writer:
        for done, picture in enumerate(pictures):
            clip, frame, other_clip, other_frame, veil, share, captions = picture
            shown = films[clip].picture(frame)
            if other_clip is not None:
                shown = mixed(shown, films[other_clip].picture(other_frame), share)
            elif veil is not None:
                shown = veiled(shown, height, _VEILS[veil], share)
            shown = overlays.over(shown, captions)
            writer.write(shown)
            for index in range(clip):
                films[index].close()
            if done % _REPORT_EVERY == 0:
                progress(done, len(pictures))
    for film in films.values():
        film.close()
    progress(len(pictures), len(pictures))
    return {"frames": len(pictures)}


class Film:
    """A clip's pictures by number, asked for in ascending order."""

    def __init__(self, index: int, path: Path, width: int, height: int) -> None:
        self._index = index
        self._path = path
        self._width, self._height = width, height
        self._pictures: Iterator[U8] | None = None
        self._position = -1
        self._last: U8 | None = None

    def picture(self, frame: int) -> U8:
        """Picture `frame` as I420 of the video's size. Raises Refused when it is not there."""
        if self._pictures is None:
            self._pictures = self._decoded()
        while self._position < frame:
            self._last = next(self._pictures, None)
            self._position += 1
            if self._last is None:
                raise self._refused(f"it ends at frame {self._position}")
        assert self._last is not None
        return self._last

    def close(self) -> None:
        """Lets the file and the last picture go."""
        if self._pictures is not None:
            self._pictures, self._last, self._position = None, None, -1

    def _decoded(self) -> Iterator[U8]:
        try:
            with open_clip(self._path) as container:
                stream = only_video_stream(container, "the clip")
                stream.thread_type = "AUTO"
                for frame in container.decode(stream):
                    yield self._fitted(frame)
        except (av.error.FFmpegError, DataLoss) as error:
            raise self._refused(str(error)) from error

    def _fitted(self, frame: av.VideoFrame) -> U8:
        if (
            frame.format.name != "yuv420p"
            or (frame.width, frame.height) != (self._width, self._height)
            or frame.colorspace not in (_BT709, _UNSPECIFIED)
            or frame.color_range == _FULL_RANGE
        ):
            frame = frame.reformat(
                width=self._width,
                height=self._height,
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
        return frame_to_i420(frame)

    def _refused(self, why: str) -> Refused:
        return Refused("CLIP_UNREADABLE", why, clip=self._index)


class Overlays:
    """The drawn captions, each held in memory only while it is seen."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._open: dict[int, Overlay] = {}

    def over(self, picture: U8, captions: list[tuple[int, float]]) -> U8:
        """The picture with captions over it, given by number and strength."""
        seen = [number for number, _ in captions]
        self._open = {number: self._open.get(number) or self._read(number) for number in seen}
        for number, strength in captions:
            picture = self._open[number].over(picture, strength)
        return picture

    def _read(self, number: int) -> Overlay:
        return Overlay.load(self._paths[number])


def mixed(first: U8, second: U8, share: float) -> U8:
    """Two I420 pictures mixed; `share` is the part of the second."""
    blend = first + (second.astype(np.float32) - first) * np.float32(share)
    return np.rint(blend).astype(np.uint8)


def veiled(picture: U8, height: int, luma: float, share: float) -> U8:
    """An I420 picture mixed with black or white; `share` is the part of the veil."""
    veil = np.full(picture.shape, _NEUTRAL, np.float32)
    veil[:height] = luma
    blend = picture + (veil - picture) * np.float32(share)
    return np.rint(blend).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(answer(make))
