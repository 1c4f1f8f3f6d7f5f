"""Small pictures from latents, without the VAE.

A latent's channels are nearly a linear function of the colours below it. How, is learned from the
model's own first decoded clip, by least squares; until then the three directions in which the
latents vary most stand for red, green and blue.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

MAX_JPEG_BYTES = 64 << 10
_WIDTH = 320
_QUALITIES = (85, 70, 50, 30, 10)
_RIDGE = 1e-3


class LatentColours:
    """Turns one frame of latents (channels, h, w) into RGB (h, w, 3), full range."""

    def __init__(self) -> None:
        self._matrix: F32 | None = None

    @property
    def learned(self) -> bool:
        """Whether colours are the model's own, rather than made up."""
        return self._matrix is not None

    def learn(self, latents: F32, frames: F32) -> None:
        """Fits the colours of a clip: latents (channels, n, h, w), frames (m, H, W, 3), 0 to 1."""
        channels, count, height, width = latents.shape
        picked = np.linspace(0, len(frames) - 1, count).round().astype(int)
        small = np.stack(
            [cv2.resize(frames[i], (width, height), interpolation=cv2.INTER_AREA) for i in picked]
        )
        known = latents.transpose(1, 2, 3, 0).reshape(-1, channels)
        known = np.hstack([known, np.ones((len(known), 1), np.float32)]).astype(np.float64)
        wanted = small.reshape(-1, 3).astype(np.float64)
        if not (np.isfinite(known).all() and np.isfinite(wanted).all()):
            return
        square = known.T @ known + _RIDGE * np.eye(channels + 1)
        self._matrix = np.linalg.solve(square, known.T @ wanted).astype(np.float32)

    def rgb(self, latents: F32) -> U8:
        """One frame's picture."""
        channels, height, width = latents.shape
        flat = latents.reshape(channels, -1).T
        if self._matrix is not None and len(self._matrix) == channels + 1:
            colours = flat @ self._matrix[:-1] + self._matrix[-1]
        else:
            colours = _directions(flat)
        clipped = np.clip(np.nan_to_num(colours) * 255.0, 0, 255)
        return clipped.reshape(height, width, 3).astype(np.uint8)


def _directions(flat: F32) -> F32:
    """Three principal components of (pixels, channels), each scaled to 0 to 1."""
    centred = np.nan_to_num(flat - flat.mean(axis=0)).astype(np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    parts = centred @ vectors[:, ::-1][:, :3]
    if parts.shape[1] < 3:
        parts = np.repeat(parts[:, :1], 3, axis=1)
    spread = parts.std(axis=0) + 1e-6
    scaled: F32 = (0.5 + parts / (4 * spread)).astype(np.float32)
    return scaled


def preview_jpeg(rgb: U8, shape: tuple[int, int]) -> bytes:
    """RGB as a JPEG of at most 64 KiB, 320 wide, in the shape of `shape` (width, height)."""
    height = max(2, round(_WIDTH * shape[1] / shape[0]))
    picture = cv2.resize(rgb, (_WIDTH, min(height, 2 * _WIDTH)), interpolation=cv2.INTER_CUBIC)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data = b""
    for quality in _QUALITIES:
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        data = encoded.tobytes()
        if len(data) <= MAX_JPEG_BYTES:
            break
    return data
