"""By how much one sound runs behind another, measured by cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WINDOW_SAMPLES = 1 << 17
UNLIKE = 1 << 31
_MAX_LAG = 1 << 13
_MIN_SAMPLES = 1 << 12
_SILENCE_RMS = 1e-4
_MIN_LIKENESS = 0.5


@dataclass
class Window:
    """A stretch of a sound that is filled while the sound streams by."""

    start: int
    samples: Floats

    def fill(self, position: int, block: Floats) -> None:
        """Takes what of `block`, which begins at sample `position`, lies in the window."""
        first = max(self.start, position)
        last = min(self.start + len(self.samples), position + len(block))
        if first < last:
            self.samples[first - self.start : last - self.start] = block[
                first - position : last - position
            ]


@dataclass
class Pair:
    """The same stretch of the sound to judge and of the song."""

    ours: Window
    song: Window = field(init=False)

    def __post_init__(self) -> None:
        self.song = Window(self.ours.start, np.zeros_like(self.ours.samples))


def windows(samples: int) -> list[Pair]:
    """Windows at the start, the middle and the end of a sound; one for a short sound."""
    size = min(samples, WINDOW_SAMPLES)
    starts = sorted({0, (samples - size) // 2, samples - size})
    return [Pair(Window(start, np.zeros(size))) for start in starts]


def lag_samples(pair: Pair) -> int | None:
    """By how many samples ours is late.

    None where there is too little of the song to tell, UNLIKE where the sound is another one.
    """
    ours, song = pair.ours.samples, pair.song.samples
    if len(song) < _MIN_SAMPLES or _rms(song) < _SILENCE_RMS:
        return None
    if _rms(ours) < _SILENCE_RMS:
        return UNLIKE
    size = 1 << int(np.ceil(np.log2(len(ours) + len(song))))
    spectrum = np.fft.rfft(ours, size) * np.conj(np.fft.rfft(song, size))
    likeness = np.fft.irfft(spectrum, size) / (np.linalg.norm(ours) * np.linalg.norm(song))
    reach = min(_MAX_LAG, size // 2 - 1)
    lags = np.r_[0 : reach + 1, -reach:0]
    best = int(lags[np.argmax(likeness[lags])])
    return best if likeness[best] >= _MIN_LIKENESS else UNLIKE


def _rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
