"""Chroma, and how much the harmony changes at each moment.

Chords change on downbeats far more often than elsewhere, so harmonic change tells where bars begin
(Goto, "An audio-based real-time beat tracking system", JNMR 2001).
"""

from __future__ import annotations

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.spectra import RATE_HZ, stft_blocks

CHROMA_HOP_S = 0.025
_WINDOW = 4096
_BLOCK_FRAMES = 1024
_LOW_HZ, _HIGH_HZ = 55.0, 2000.0
_SEMITONE_WIDTH = 0.3
_COMPRESSION = 100.0


def chroma(samples: Floats) -> Floats:
    """Chroma (frames, 12) at CHROMA_HOP_S, C first: compressed magnitudes by pitch class."""
    folding = _folding()
    hop = round(CHROMA_HOP_S * RATE_HZ)
    blocks = stft_blocks(samples, window=_WINDOW, hop=hop, block_frames=_BLOCK_FRAMES)
    return np.concatenate([np.log1p(_COMPRESSION * block) @ folding for block in blocks])


def harmonic_change(chroma_frames: Floats, *, reach_s: float, at_s: Floats) -> Floats:
    """How different the harmony is after each moment of ``at_s`` (n,) from what it was before it.

    1 - cosine similarity of the mean chroma of ``reach_s`` seconds on either side; (n,) in [0, 1],
    0 where a side is missing or silent.
    """
    frames = len(chroma_frames)
    reach = max(2, round(reach_s / CHROMA_HOP_S))
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma_frames, axis=0, dtype=np.float64)])
    here = np.rint(np.asarray(at_s) / CHROMA_HOP_S).astype(np.int64)
    # Frames around the moment itself hear both sides.
    gap = 1
    before = sums[np.clip(here - gap, 0, frames)] - sums[np.clip(here - reach, 0, frames)]
    after = sums[np.clip(here + reach, 0, frames)] - sums[np.clip(here + gap, 0, frames)]
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    overlap = np.einsum("ij,ij->i", before, after)
    similarity = np.divide(overlap, norms, out=np.ones_like(norms), where=norms > 1e-9)
    return np.clip(1.0 - similarity, 0.0, 1.0)


def _folding() -> Floats:
    """Matrix (window // 2 + 1, 12) that folds a spectrum to pitch classes."""
    bins_hz = np.arange(_WINDOW // 2 + 1) * (RATE_HZ / _WINDOW)
    pitch = 12.0 * np.log2(np.maximum(bins_hz, 1.0) / 440.0) + 69.0
    distance = (pitch[:, None] - np.arange(12) + 6.0) % 12.0 - 6.0
    weights = np.exp(-0.5 * (distance / _SEMITONE_WIDTH) ** 2)
    weights *= ((bins_hz >= _LOW_HZ) & (bins_hz <= _HIGH_HZ))[:, None]
    return weights.astype(np.float32)
