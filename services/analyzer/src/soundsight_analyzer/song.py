"""The song as the listeners want it: mono samples at one rate, and its loudness measured on the
way.

Songs arrive here as canonical FLAC, written by the kit's decoder a moment ago: what was untrusted
has been through a child process with limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soxr

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.dynamics.loudness import Loudness, LoudnessMeter
from soundsight_analyzer.spectra import RATE_HZ

_FULL_SCALE = {"s16": 32768.0, "s32": 2147483648.0}


@dataclass(frozen=True)
class SongFile:
    """A canonical FLAC file and its shape; ``samples`` counts per channel."""

    path: Path
    samples: int
    sample_rate_hz: int
    channels: int

    @property
    def duration_s(self) -> float:
        return self.samples / self.sample_rate_hz


@dataclass(frozen=True)
class Sound:
    """``mono`` (n,) float32 at RATE_HZ, and the loudness when it was asked for."""

    mono: Floats
    loudness: Loudness | None


def read_song(
    song: SongFile, *, measure: bool, progress: Callable[[int, int], None] | None = None
) -> Sound:
    """Reads the song once, block by block; memory holds the mono samples alone.

    ``progress`` is told seconds read and seconds in all.
    """
    meter = (
        LoudnessMeter(sample_rate_hz=song.sample_rate_hz, channels=song.channels)
        if measure
        else None
    )
    mono = _MonoWriter(song)
    total_s = round(song.duration_s)
    read = 0
    for block in _blocks(song.path):
        if meter is not None:
            meter.push(block)
        mono.write(block.mean(axis=0))
        read += block.shape[1]
        if progress:
            progress(min(total_s, round(read / song.sample_rate_hz)), total_s)
    return Sound(mono=mono.finish(), loudness=meter.finish() if meter is not None else None)


class _MonoWriter:
    """Resamples into one array that was made at its final size."""

    def __init__(self, song: SongFile) -> None:
        expected = -(-song.samples * RATE_HZ // song.sample_rate_hz)
        self._samples = np.zeros(expected, dtype=np.float32)
        self._at = 0
        self._resampler = (
            soxr.ResampleStream(song.sample_rate_hz, RATE_HZ, 1, dtype="float32")
            if song.sample_rate_hz != RATE_HZ
            else None
        )

    def write(self, samples: Floats) -> None:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(np.ascontiguousarray(samples))
        self._append(samples)

    def finish(self) -> Floats:
        if self._resampler is not None:
            self._append(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        return self._samples

    def _append(self, samples: Floats) -> None:
        end = min(self._at + len(samples), len(self._samples))
        self._samples[self._at : end] = samples[: end - self._at]
        self._at = end


def _blocks(path: Path, seconds: float = 5.0) -> Iterator[Floats]:
    """Blocks (channels, n) of float32 in [-1, 1], some seconds each."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        enough = int(seconds * stream.rate)
        pending: list[Floats] = []
        held = 0
        for frame in container.decode(stream):
            pending.append(_floats(frame))
            held += frame.samples
            if held >= enough:
                yield np.concatenate(pending, axis=1)
                pending, held = [], 0
        if pending:
            yield np.concatenate(pending, axis=1)


def _floats(frame: av.AudioFrame) -> Floats:
    """Samples (channels, n) of a frame of packed or planar integers."""
    channels = len(frame.layout.channels)
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    scale = _FULL_SCALE[frame.format.name.removesuffix("p")]
    return (values / np.float32(scale)).astype(np.float32)
