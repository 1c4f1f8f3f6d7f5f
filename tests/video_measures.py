"""What is measured in a finished video file, by decoding it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import scipy.signal

from film_cuts import CutFinder

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VideoFacts:
    """What decoding a video file tells."""

    frames: int
    frame_rate: Fraction
    regular: bool
    """Whether every frame starts exactly one frame after the one before."""
    video_start_s: float
    audio_start_s: float
    audio_codec: str
    sound: Floats
    """Mono samples as a player hears them, shape (n,)."""
    sample_rate_hz: int
    faststart: bool
    """Whether the index comes before the media."""


def video_facts(path: Path) -> VideoFacts:
    """Decodes a whole video file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        starts = [_start(frame) for frame in container.decode(stream)]
        rate = stream.guessed_rate
        assert rate is not None
    with av.open(str(path)) as container:
        audio_codec = container.streams.audio[0].codec_context.name
    sound, sample_rate_hz, audio_start_s = read_sound(path)
    regular = all(b - a == 1 / rate for a, b in pairwise(starts))
    return VideoFacts(
        frames=len(starts),
        frame_rate=rate,
        regular=regular,
        video_start_s=float(starts[0]),
        audio_start_s=audio_start_s,
        audio_codec=audio_codec,
        sound=sound,
        sample_rate_hz=sample_rate_hz,
        faststart=_index_is_first(path),
    )


def read_sound(path: Path) -> tuple[Floats, int, float]:
    """Returns a media file's sound as mono samples, with their rate and their start in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        start_s: float | None = None
        parts: list[Floats] = []
        for frame in container.decode(stream):
            if start_s is None:
                start_s = float(_start(frame))
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate(parts), rate, start_s or 0.0


def sound_offset_s(sound: Floats, reference: Floats, rate_hz: int) -> float:
    """Returns by how many seconds `sound` is late against `reference`, by cross-correlation."""
    correlation = scipy.signal.correlate(sound, reference, mode="full", method="fft")
    lags = scipy.signal.correlation_lags(len(sound), len(reference), mode="full")
    return float(lags[np.argmax(correlation)]) / rate_hz


def cut_times_s(path: Path) -> list[float]:
    """Returns the times of the cuts that are found in the picture, in seconds.

    The first frame of the video is no cut.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = stream.guessed_rate
        assert rate is not None
        finder = CutFinder(rate)
        for frame in container.decode(stream):
            height = max(2, round(256 * frame.height / frame.width))
            small = frame.reformat(width=256, height=height, format="rgb24", interpolation="AREA")
            finder.add(small.to_ndarray().astype(np.uint8, copy=False))
    return [float(number / rate) for number in finder.first_frames()]


def luma(path: Path, width: int = 160) -> npt.NDArray[np.uint8]:
    """Returns the luma of every frame, scaled to a small width: shape (frames, height, width)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        height = max(2, round(width * stream.height / stream.width))
        return np.stack(
            [
                frame.reformat(width=width, height=height, format="gray").to_ndarray()
                for frame in container.decode(stream)
            ]
        )


def _start(frame: av.VideoFrame | av.AudioFrame) -> Fraction:
    assert frame.pts is not None and frame.time_base is not None
    return frame.pts * frame.time_base


def _index_is_first(path: Path) -> bool:
    """Walks the top-level boxes of an MP4 (ISO/IEC 14496-12) until `moov` or `mdat`."""
    with path.open("rb") as file:
        while header := file.read(8):
            length, kind = int.from_bytes(header[:4]), header[4:]
            if kind in (b"moov", b"mdat"):
                return kind == b"moov"
            if length == 1:
                length = int.from_bytes(file.read(8)) - 8
            file.seek(length - 8, 1)
    return False
