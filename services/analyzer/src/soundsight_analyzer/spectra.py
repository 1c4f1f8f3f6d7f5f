"""Spectra of the song, computed once and shared by every listener.

All spectra are magnitudes of a centred short-time Fourier transform: frame ``i`` describes the
sound around the moment ``i * hop_s``, whatever the length of its window. The song is walked through
in blocks, so that an hour costs the memory of its frames and not of its spectra.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft

from soundsight_analyzer.arrays import Floats

RATE_HZ = 44_100
"""Every listener hears the song at this sample rate; the taggers alone resample it."""

FRAME_HOP_S = 0.01
_FRAME_WINDOW = 1024
_BLOCK_FRAMES = 4096
MEL_BANDS = 40
_MEL_LOW_HZ = 30.0
_MEL_HIGH_HZ = 16_000.0
BASS_CUTOFF_HZ = 150.0


@dataclass(frozen=True)
class Frames:
    """What is known about each hundredth of a second.

    ``mel`` (frames, MEL_BANDS): magnitudes in mel bands. ``power``, ``bass_power`` (frames,): mean
    square of the whole sound and of what lies below BASS_CUTOFF_HZ. ``centroid_hz`` (frames,): the
    spectral centroid, 0 in silence.
    """

    mel: Floats
    power: Floats
    bass_power: Floats
    centroid_hz: Floats

    def __len__(self) -> int:
        return len(self.mel)


def stft_blocks(
    samples: Floats, *, window: int, hop: int, block_frames: int = _BLOCK_FRAMES
) -> Iterator[Floats]:
    """Yields blocks (frames, window // 2 + 1) of STFT magnitudes under a Hann window.

    A full-scale sine has magnitude 1 in its bin. There are ``len(samples) // hop + 1`` frames in
    all.
    """
    taper = np.hanning(window + 1)[:-1].astype(np.float32)
    taper *= 2.0 / taper.sum()
    count = len(samples) // hop + 1
    half = window // 2
    for first in range(0, count, block_frames):
        frames = min(block_frames, count - first)
        start = first * hop - half
        stop = start + (frames - 1) * hop + window
        piece = samples[max(0, start) : min(len(samples), stop)]
        padded = np.pad(piece, (max(0, -start), max(0, stop - len(samples))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
        yield np.abs(scipy.fft.rfft(windows * taper, axis=1)).astype(np.float32, copy=False)


def mel_filterbank(*, window: int, bands: int = MEL_BANDS) -> Floats:
    """Triangular filters (window // 2 + 1, bands), each summing to 1, on the mel scale of Slaney.

    A band narrower than a bin takes the bin that lies nearest to its centre.
    """
    bins_hz = np.arange(window // 2 + 1) * (RATE_HZ / window)
    edges = np.linspace(_hz_to_mel(_MEL_LOW_HZ), _hz_to_mel(_MEL_HIGH_HZ), bands + 2)
    edges_hz = _mel_to_hz(edges)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz[:, None] - low) / (centre - low)
    falling = (high - bins_hz[:, None]) / (high - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    empty = filters.sum(axis=0) == 0
    nearest = np.abs(bins_hz[:, None] - centre).argmin(axis=0)
    filters[nearest[empty], np.flatnonzero(empty)] = 1.0
    return np.asarray(filters / filters.sum(axis=0), dtype=np.float32)


def analyse_frames(samples: Floats) -> Frames:
    """Walks through the song once at FRAME_HOP_S; ``samples`` (n,) at RATE_HZ."""
    hop = round(FRAME_HOP_S * RATE_HZ)
    filters = mel_filterbank(window=_FRAME_WINDOW)
    bins_hz = (np.arange(_FRAME_WINDOW // 2 + 1) * (RATE_HZ / _FRAME_WINDOW)).astype(np.float32)
    bass_bins = int(np.searchsorted(bins_hz, BASS_CUTOFF_HZ))
    mel, power, bass, centroid = [], [], [], []
    for block in stft_blocks(samples, window=_FRAME_WINDOW, hop=hop):
        squares = block * block
        # A sine of amplitude 1 spreads over the Hann window's main lobe: 1.5 bins' worth of power.
        total = squares.sum(axis=1) / 3.0
        mel.append(block @ filters)
        power.append(total)
        bass.append(squares[:, :bass_bins].sum(axis=1) / 3.0)
        weight = block.sum(axis=1)
        weighted = block @ bins_hz
        centroid.append(np.divide(weighted, weight, out=np.zeros_like(weight), where=weight > 1e-6))
    return Frames(
        mel=np.concatenate(mel),
        power=np.concatenate(power),
        bass_power=np.concatenate(bass),
        centroid_hz=np.concatenate(centroid),
    )


def _hz_to_mel(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))


def _mel_to_hz(mel: Floats) -> Floats:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
