"""The mezzanine format: how clips are encoded so that they join by stream copy."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from soundsight.common.v1 import common_pb2

Quality = Literal["draft", "standard", "high"]


def default_encoder_settings(
    quality: Quality = "standard",
    *,
    width: int = 1280,
    height: int = 720,
    rate: Fraction = Fraction(24),
) -> common_pb2.EncoderSettings:
    """The settings a render gets when nobody chose: level and timescale fit size and rate."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class WrittenClip:
    """A finished clip file."""

    path: Path
    frames: int
    size_bytes: int


class H264Writer:
    """Frames in, a mezzanine MP4 out, through an ffmpeg child.

    Blocking and meant for a worker thread or process: `write` waits while the encoder is behind.
    `abort` may be called from any thread. As a context manager it finishes the file on a clean
    exit and removes it otherwise.

        with H264Writer(path, settings=s, width=w, height=h, rate=Fraction(24),
                        frames=n, keyframes=(handle_in, handle_in + shot)) as writer:
            for picture in pictures:
                writer.write(picture)
        writer.result  # WrittenClip

    A picture is either I420 (BT.709, 16 to 235: h * w * 3 / 2 bytes, any shape) or, with
    `pixel_format="rgb24"`, RGB of shape (h, w, 3); anything with the buffer protocol.
    Frame 0 is always a keyframe; `keyframes` adds IDR frames. The same pictures and settings
    give the same bytes.
    """

    def __init__(
        self,
        destination: Path,
        *,
        settings: common_pb2.EncoderSettings,
        width: int,
        height: int,
        rate: Fraction,
        frames: int,
        keyframes: Collection[int] = (),
        pixel_format: Literal["yuv420p", "rgb24"] = "yuv420p",
        timeout_s: float = 3600.0,
    ) -> None:
        raise NotImplementedError

    def write(self, picture: object) -> None:
        """Sends one picture; waits while the encoder is behind."""
        raise NotImplementedError

    def close(self) -> WrittenClip:
        """Finishes the file; raises Internal when the count of frames is not as announced."""
        raise NotImplementedError

    def abort(self) -> None:
        """Kills the encoder and removes what it wrote; safe from any thread, at any time."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class StreamSignature:
    """What must be equal for two H.264 streams to join by stream copy."""

    codec: str
    width: int
    height: int
    pixel_format: str
    digest: str


def stream_signature(path: Path) -> StreamSignature:
    """Reads the signature of a clip's video stream (parameter sets, size, colour tags)."""
    raise NotImplementedError


ProgressSink = Callable[[int], None]
