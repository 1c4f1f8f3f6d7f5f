"""The outline of a song's sound, as wide as a picture can show it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.media.audio import DecodeLimits, canonicalise, read_mono

RATE_HZ = 11_025
"""Enough for an outline; two hours take 0.3 GiB."""

LIMITS = DecodeLimits(max_duration_s=36_000.0, max_input_bytes=1 << 40)
"""How long a song may be was decided where it was analysed."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Waveform:
    """The lowest and highest sample and the root mean square of equal stretches of a song, each of
    shape (n,) and within [-1, 1]."""

    duration_s: float
    low: Floats
    high: Floats
    rms: Floats


async def read_waveform(
    song: Path, stretches: int, *, start_s: float = 0.0, end_s: float | None = None
) -> Waveform:
    """Reads a song, or the part of it that was analysed.

    Args:
        song: any file the suite takes.
        stretches: how many there are at most.
        start_s: where the part begins.
        end_s: where it ends; None takes all that follows.

    Raises:
        InvalidArgument: when the file is no song.
    """
    if not start_s and end_s is None:
        return outline(await read_mono(song, RATE_HZ, LIMITS), stretches)
    with tempfile.TemporaryDirectory(prefix="soundsight-plot-") as folder:
        part = Path(folder) / "part.flac"
        await canonicalise(song, part, limits=LIMITS, start_s=start_s, end_s=end_s)
        return outline(await read_mono(part, RATE_HZ, LIMITS), stretches)


def outline(samples: Floats, stretches: int) -> Waveform:
    """Returns the outline of samples (n,) at RATE_HZ."""
    if not len(samples):
        samples = np.zeros(1, np.float32)
    bounds = np.linspace(0, len(samples), min(stretches, len(samples)) + 1).astype(np.int64)
    starts = bounds[:-1]
    squares = np.add.reduceat(np.square(samples), starts, dtype=np.float64)
    return Waveform(
        duration_s=len(samples) / RATE_HZ,
        low=np.minimum.reduceat(samples, starts),
        high=np.maximum.reduceat(samples, starts),
        rms=np.sqrt(squares / np.diff(bounds)).astype(np.float32),
    )
