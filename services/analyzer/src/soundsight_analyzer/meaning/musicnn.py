"""musicnn in numpy: the two networks that name music, run on one window of mel bands after another.

Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging" (ISMIR
2019, late-breaking). Its filters hear timbre (tall ones, each keeping its best band) and rhythm
(long ones); three layers join them; the strongest and the mean value over the window are what two
dense layers name. A convolution is a matrix product over a sliding window, so that no deep learning
library is needed: this agrees with the original to six digits and takes two thirds of the time that
TensorFlow takes on one core.

What the networks hear is pooled per block of a quarter of a second. A window is any run of blocks:
the networks run once over the song, and still say what is heard around every moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np

from soundsight_analyzer.arrays import Floats

PATCH_FRAMES, MEL_BANDS = 187, 96
BLOCKS = 11
BLOCK_FRAMES = PATCH_FRAMES // BLOCKS
_EPSILON = 0.001
"""Of batch normalisation: the default of tf.layers, with which the networks were trained."""
_TALL, _LONG, _MIDDLE = (0, 1), (2, 3, 4), (5, 6, 7)
_HEIGHT = 7
_ROWS = 8
"""Frames convolved at once: what they need stays in the processor's cache."""


@dataclass(frozen=True)
class Pooled:
    """``strongest`` and ``mean`` (blocks, 753) of what a network hears in each block."""

    strongest: Floats
    mean: Floats

    @classmethod
    def join(cls, pieces: list[Pooled]) -> Pooled:
        """Blocks one after the other."""
        return cls(
            np.concatenate([piece.strongest for piece in pieces]),
            np.concatenate([piece.mean for piece in pieces]),
        )

    def over(self, blocks: int, hop: int) -> Pooled:
        """Windows (n, 753) of so many blocks, ``hop`` blocks apart."""
        strongest = np.lib.stride_tricks.sliding_window_view(self.strongest, blocks, axis=0)[::hop]
        mean = np.lib.stride_tricks.sliding_window_view(self.mean, blocks, axis=0)[::hop]
        return Pooled(strongest.max(axis=2), mean.mean(axis=2))


@dataclass(frozen=True)
class _Affine:
    """Batch normalisation after training: values * scale + shift."""

    scale: Floats
    shift: Floats

    def __call__(self, values: Floats) -> Floats:
        return values * self.scale + self.shift


@dataclass(frozen=True)
class _Convolution:
    """``kernel`` (time, bands, channels in, channels out), then rectifier and normalisation."""

    kernel: Floats
    bias: Floats
    norm: _Affine

    def best_band(self, image: Floats) -> Floats:
        """(frames, out) of ``image`` (frames + time - 1, bands): each filter's best band.

        Rectifying and normalising a value keep the order, or turn it round where the scale is
        negative: the best band can be chosen first, and the rest done for it alone.
        """
        time, bands = self.kernel.shape[:2]
        windows = np.lib.stride_tricks.sliding_window_view(image, (time, bands))
        frames, places = windows.shape[:2]
        sign = np.where(self.norm.scale < 0, np.float32(-1), np.float32(1))
        filters = self.kernel.reshape(time * bands, -1) * sign
        best = np.empty((frames, filters.shape[1]), dtype=np.float32)
        for first in range(0, frames, _ROWS):
            rows = windows[first : first + _ROWS]
            heard = rows.reshape(-1, time * bands) @ filters
            heard.reshape(len(rows), places, -1).max(axis=1, out=best[first : first + _ROWS])
        return self._finish(best * sign)

    def across(self, layer: Floats) -> Floats:
        """(frames, out) of ``layer`` (frames + time - 1, in)."""
        time, width = self.kernel.shape[:2]
        windows = np.lib.stride_tricks.sliding_window_view(layer, time, axis=0)
        rows = windows.transpose(0, 2, 1).reshape(len(windows), time * width)
        return self._finish(rows @ self.kernel.reshape(time * width, -1))

    def _finish(self, values: Floats) -> Floats:
        return self.norm(np.maximum(values + self.bias, 0.0))


class Network:
    """One of the two networks, from the variables of its checkpoint by their names."""

    def __init__(self, variables: Mapping[str, Floats]) -> None:
        self._norms = [_norm(variables, index) for index in range(11)]
        self._convolutions = [
            _Convolution(
                variables[f"{_numbered('conv2d', index)}/kernel"],
                variables[f"{_numbered('conv2d', index)}/bias"],
                self._norms[index + 1],
            )
            for index in range(8)
        ]
        self._dense = [
            (variables[f"{name}/kernel"], variables[f"{name}/bias"])
            for name in (_numbered("dense", index) for index in range(2))
        ]

    def hear(self, patch: Floats) -> Pooled:
        """What is heard in the blocks of ``patch`` (187, 96): log10(10000 mel + 1), float32."""
        image = self._norms[0](patch)
        padded = _pad(image, _HEIGHT)
        layers = [self._convolutions[index].best_band(padded) for index in _TALL]
        for index in _LONG:
            convolution = self._convolutions[index]
            layers.append(convolution.best_band(_pad(image, len(convolution.kernel))))
        layers = [np.concatenate(layers, axis=1)]
        for index in _MIDDLE:
            heard = self._convolutions[index].across(_pad(layers[-1], _HEIGHT))
            layers.append(heard + layers[-1] if index > _MIDDLE[0] else heard)
        blocks = np.concatenate(layers, axis=1).reshape(BLOCKS, BLOCK_FRAMES, -1)
        return Pooled(blocks.max(axis=1), blocks.mean(axis=1))

    def name(self, windows: Pooled) -> Floats:
        """Probabilities (n, 50) of the tags in windows (n, 753)."""
        flat = np.stack([windows.strongest, windows.mean], axis=2).reshape(len(windows.mean), -1)
        (first, first_bias), (last, last_bias) = self._dense
        hidden = np.maximum(self._norms[9](flat) @ first + first_bias, 0.0)
        logits = self._norms[10](hidden) @ last + last_bias
        return 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))


@cache
def load_network(file: str) -> Network:
    """The network whose weights lie beside the package's code."""
    with (
        as_file(files("soundsight_analyzer") / "weights" / file) as path,
        np.load(path, allow_pickle=False) as variables,
    ):
        return Network(dict(variables))


def _pad(image: Floats, time: int) -> Floats:
    """Silence around ``image`` (frames, width), so that a filter of ``time`` frames fits each."""
    return np.pad(image, (((time - 1) // 2, time // 2), (0, 0)))


def _norm(variables: Mapping[str, Floats], index: int) -> _Affine:
    name = _numbered("batch_normalization", index)
    gamma, beta, mean, variance = (
        variables[f"{name}/{part}"].astype(np.float64)
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    return _Affine(scale.astype(np.float32), (beta - mean * scale).astype(np.float32))


def _numbered(name: str, index: int) -> str:
    """TensorFlow numbers the second variable of a name `_1`."""
    return f"{name}_{index}" if index else name
