"""Tags by musicnn: what the song is called, window by window.

The mel spectrogram is computed here, in float32 and as the original does it with librosa.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.fft
import soxr
from threadpoolctl import threadpool_limits

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.meaning.labels import MSD_LABELS, MTT_LABELS
from soundsight_analyzer.meaning.musicnn import (
    BLOCK_FRAMES,
    BLOCKS,
    MEL_BANDS,
    PATCH_FRAMES,
    Pooled,
    load_network,
)

MODEL_RATE_HZ = 16_000
_FFT, _HOP = 512, 256
PATCH_S = PATCH_FRAMES * _HOP / MODEL_RATE_HZ
BLOCK_S = BLOCK_FRAMES * _HOP / MODEL_RATE_HZ
_HOP_BLOCKS = 3
_SHORTEST_S = 0.5
_MOST_THREADS = 8


@dataclass(frozen=True)
class Tagger:
    """One of the two networks."""

    id: str
    file: str
    labels: tuple[str, ...]


MSD = Tagger("musicnn-msd", "musicnn-msd.npz", MSD_LABELS)
MTT = Tagger("musicnn-mtt", "musicnn-mtt.npz", MTT_LABELS)
TAGGERS = (MSD, MTT)


@dataclass(frozen=True)
class TagWindows:
    """Probabilities of each model's tags in windows of PATCH_S, ``hop_s`` apart.

    ``probabilities[tagger.id]`` has the shape (windows, 50); window i begins at i * hop_s.
    """

    hop_s: float
    probabilities: dict[str, Floats]

    def __len__(self) -> int:
        return len(next(iter(self.probabilities.values())))

    @property
    def middles_s(self) -> Floats:
        """Where the middles of the windows lie, (windows,)."""
        return np.arange(len(self)) * self.hop_s + PATCH_S / 2

    def mean(self, tagger: Tagger, start_s: float, end_s: float) -> Floats:
        """Mean probabilities (50,) of the windows whose middles lie within a stretch of the song.

        A stretch too short to hold one gets the nearest.
        """
        middles = self.middles_s
        inside = (middles >= start_s) & (middles < end_s)
        if not inside.any():
            inside = np.zeros(len(middles), dtype=bool)
            inside[np.abs(middles - (start_s + end_s) / 2).argmin()] = True
        return np.asarray(self.probabilities[tagger.id][inside].mean(axis=0))


def hear_tags(
    samples: Floats, rate_hz: int, progress: Callable[[int, int], None] | None = None
) -> TagWindows | None:
    """Tags of ``samples`` (n,), or None when there is too little to hear.

    ``progress`` is told windows done and windows in all, over both models.
    """
    if len(samples) < _SHORTEST_S * rate_hz or not samples.any():
        return None
    mel = mel_spectrogram(soxr.resample(samples, rate_hz, MODEL_RATE_HZ))
    patches = cut_patches(mel)
    # Blocks that lie wholly in the silence after the song say nothing about it.
    sounding = max(BLOCKS, len(mel) // BLOCK_FRAMES)
    total = len(patches) * len(TAGGERS)
    done = 0
    probabilities = {}
    # Windows side by side, each on one processor: a product of one window's size is too small to be
    # shared, and threads of the linear algebra library within ours wait for each other for minutes.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(_threads()) as pool:
        for tagger in TAGGERS:
            heard = []
            for pooled in pool.map(load_network(tagger.file).hear, patches):
                heard.append(pooled)
                done += 1
                if progress:
                    progress(done, total)
            probabilities[tagger.id] = _windows(tagger, Pooled.join(heard), sounding)
    return TagWindows(hop_s=_HOP_BLOCKS * BLOCK_S, probabilities=probabilities)


def mel_spectrogram(samples: Floats) -> Floats:
    """log10(10000 mel + 1) (frames, 96), float32, of ``samples`` (n,) at MODEL_RATE_HZ.

    As librosa.feature.melspectrogram(n_fft=512, hop_length=256, n_mels=96): power, periodic Hann
    window, frames centred, Slaney's mel scale and area normalisation.
    """
    padded = np.pad(np.asarray(samples, dtype=np.float32), _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)).astype(np.float32)
    filters = _mel_filters()
    blocks = []
    for first in range(0, len(frames), 4096):
        spectrum = scipy.fft.rfft(frames[first : first + 4096] * taper, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        blocks.append(np.log10(10_000.0 * (power @ filters) + 1.0).astype(np.float32))
    return np.concatenate(blocks)


def cut_patches(mel: Floats) -> Floats:
    """Patches (n, 187, 96), one after the other, of ``mel`` (frames, 96); silence fills the last.

    A rest shorter than a block is left out, unless there is nothing else.
    """
    count = max(1, -(-(len(mel) - BLOCK_FRAMES + 1) // PATCH_FRAMES))
    kept = mel[: count * PATCH_FRAMES]
    padded = np.pad(kept, ((0, count * PATCH_FRAMES - len(kept)), (0, 0)))
    return padded.reshape(count, PATCH_FRAMES, MEL_BANDS)


def run_network(tagger: Tagger, patches: Floats) -> Floats:
    """Probabilities (batch, 50) of patches (batch, 187, 96), as the original gives them."""
    network = load_network(tagger.file)
    pooled = Pooled.join([network.hear(patch) for patch in patches])
    return network.name(pooled.over(BLOCKS, BLOCKS))


def _windows(tagger: Tagger, pooled: Pooled, sounding: int) -> Floats:
    """Probabilities (windows, 50) of windows every few blocks of the ``sounding`` ones."""
    kept = Pooled(pooled.strongest[:sounding], pooled.mean[:sounding])
    return load_network(tagger.file).name(kept.over(BLOCKS, _HOP_BLOCKS))


def _threads() -> int:
    """As many threads as this process may use processors: numpy works without holding others up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(_MOST_THREADS, allowed or 1)


@cache
def _mel_filters() -> Floats:
    """Slaney's mel filters (257, 96): linear below 1 kHz, logarithmic above, of equal area."""
    step = np.log(6.4) / 27.0
    top = 15.0 + np.log(MODEL_RATE_HZ / 2 / 1000.0) / step
    mels = np.linspace(0.0, top, MEL_BANDS + 2)
    hz = np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * np.exp(step * (mels - 15.0)))
    bins = np.arange(_FFT // 2 + 1) * (MODEL_RATE_HZ / _FFT)
    low, centre, high = hz[:-2], hz[1:-1], hz[2:]
    rising = (bins[:, None] - low) / (centre - low)
    falling = (high - bins[:, None]) / (high - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    return filters.astype(np.float32)
