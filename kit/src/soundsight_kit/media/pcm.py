"""Samples: mixing down, changing the rate, excerpts and whole-number samples, block by block.

Blocks are arrays of shape (n, channels). Integer blocks use the full range of their type; float
blocks use [-1, 1]. Integers stay what they are as long as nothing has to be computed, so that a
lossless 16-bit song comes out bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

Block = NDArray[Any]
Floats = NDArray[np.float64]

_LEFT = frozenset({"FL", "FLC", "SL", "BL", "WL", "TFL", "TBL", "SDL", "TSL", "BFL", "DL"})
_RIGHT = frozenset({"FR", "FRC", "SR", "BR", "WR", "TFR", "TBR", "SDR", "TSR", "BFR", "DR"})
_SILENT = frozenset({"LFE", "LFE2"})
_FRONT = frozenset({"FL", "FR"})
_MINUS_3_DB = 0.5**0.5


def downmix_matrix(channels: Sequence[str]) -> Floats:
    """Gains of shape (2, len(channels)) that mix named channels to left and right.

    Front channels count in full, all others 3 dB less (ITU-R BS.775), the low-frequency channel
    not at all. Channels with unknown names go left and right in turn. The sum of gains of either
    side is at most 1: nothing can clip that did not.
    """
    gains = np.zeros((2, len(channels)))
    for index, name in enumerate(channels):
        gain = 1.0 if name in _FRONT else _MINUS_3_DB
        if name in _SILENT:
            continue
        if name in _LEFT:
            gains[0, index] = gain
        elif name in _RIGHT:
            gains[1, index] = gain
        elif name[:1] in {"F", "B", "T", "M"}:  # centres: FC, BC, TC, TFC, TBC, MONO
            gains[:, index] = _MINUS_3_DB
        else:
            gains[index % 2, index] = gain
    return np.divide(gains, max(1.0, float(gains.sum(axis=1).max())))


def to_float(block: Block) -> Floats:
    """A block as float64 in [-1, 1]; what is not a number becomes silence."""
    if block.dtype == np.uint8:
        return (block.astype(np.float64) - 128.0) / 128.0
    if np.issubdtype(block.dtype, np.integer):
        full = -float(np.iinfo(block.dtype).min)
        scaled: Floats = block.astype(np.float64) / full
        return scaled
    floats = block.astype(np.float64)
    if not np.isfinite(floats).all():
        floats = np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0)
    return np.clip(floats, -1.0, 1.0)


def mix(block: Block, names: Sequence[str], channels: int) -> Block:
    """A block with `channels` channels, 1 or 2; untouched when it has them already."""
    have = block.shape[1]
    if have == channels:
        return block
    if have == 1:
        return np.repeat(block, channels, axis=1)
    floats = to_float(block)
    if have > 2:
        floats = floats @ downmix_matrix(names).T
    return floats if channels == 2 else floats.mean(axis=1, keepdims=True)


def quantise(block: Block, bits: int) -> Block:
    """A block as whole numbers: int16 for 16 bit, int32 with 24 bits on the left for 24 bit."""
    whole: Block
    if block.dtype == np.uint8:
        block = np.left_shift(block.astype(np.int16) - np.int16(128), 8)
    if block.dtype == np.int16:
        whole = block if bits == 16 else np.left_shift(block.astype(np.int32), 16)
    elif block.dtype == np.int32 and bits == 24:
        # Keep 24 of 32 bits; adding half a step must not wrap around at the top.
        kept = np.minimum(np.right_shift(block.astype(np.int64) + 128, 8), 2**23 - 1)
        whole = np.left_shift(kept, 8).astype(np.int32)
    else:
        full = 2 ** (bits - 1)
        steps = np.clip(np.rint(to_float(block) * full), -full, full - 1)
        whole = steps.astype(np.int16) if bits == 16 else np.left_shift(steps.astype(np.int32), 8)
    return whole


class RateChanger:
    """Brings blocks of any rate to one rate; blocks that have it pass untouched.

    The rate may change on the way, as it does in chained Ogg files.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._channels = channels
        self._from_hz = rate_hz
        self._stream: soxr.ResampleStream | None = None

    def feed(self, block: Block, rate_hz: int) -> Iterator[Block]:
        """The blocks that come out for one that goes in."""
        if rate_hz != self._from_hz:
            yield from self.finish()
            self._from_hz = rate_hz
            if rate_hz != self._rate_hz:
                self._stream = soxr.ResampleStream(
                    rate_hz, self._rate_hz, self._channels, dtype="float64", quality="VHQ"
                )
        if self._stream is None:
            yield block
            return
        changed = self._stream.resample_chunk(np.ascontiguousarray(to_float(block)))
        if len(changed):
            yield changed.reshape(-1, self._channels)

    def finish(self) -> Iterator[Block]:
        """What the resampler still holds."""
        if self._stream is not None:
            silence = np.zeros((0, self._channels))
            rest = self._stream.resample_chunk(silence, last=True)
            self._stream = None
            if len(rest):
                yield rest.reshape(-1, self._channels)


class Excerpt:
    """Passes samples `start` up to `end` (None: to the end) and counts them.

    `position` is how many came, `passed` how many of them lay inside.
    """

    def __init__(self, start: int, end: int | None) -> None:
        self._start = start
        self._end = end
        self.position = 0
        self.passed = 0

    @property
    def full(self) -> bool:
        """Whether nothing more will pass."""
        return self._end is not None and self.position >= self._end

    def take(self, block: Block) -> Block:
        """The part of the block that lies inside."""
        first = max(0, self._start - self.position)
        last = len(block) if self._end is None else min(len(block), self._end - self.position)
        self.position += len(block)
        inside = block[first : max(first, last)]
        self.passed += len(inside)
        return inside
