"""Loudness as broadcasters measure it: ITU-R BS.1770-5 and EBU R 128 (Tech 3341, Tech 3342).

The meter is fed block by block, so that a stereo hour is never in memory at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal

from soundsight_analyzer.arrays import Floats

HOP_S = 0.1
SILENCE_LUFS = -70.0
SILENCE_DBTP = -120.0
_MOMENTARY_HOPS = 4
_SHORT_TERM_HOPS = 30
_OVERSAMPLING = 4
_TRUE_PEAK_TAIL = 32
_SURROUND_WEIGHT = 1.41


@dataclass(frozen=True)
class Loudness:
    """How loud a song is; loudness is at least SILENCE_LUFS, the peak at least SILENCE_DBTP.

    ``momentary_lufs`` (n,) and ``short_term_lufs`` (n,): values[i] is the loudness of the window
    whose middle is i * HOP_S.
    """

    integrated_lufs: float
    range_lu: float
    true_peak_dbtp: float
    momentary_lufs: Floats
    short_term_lufs: Floats


class LoudnessMeter:
    """Measures a song that comes in blocks of samples."""

    def __init__(self, *, sample_rate_hz: int, channels: int) -> None:
        self._hop = max(1, round(HOP_S * sample_rate_hz))
        self._sections = k_weighting(sample_rate_hz)
        self._state = np.zeros((len(self._sections), channels, 2))
        self._weights = channel_weights(channels)
        self._pending = np.zeros((channels, 0))
        self._powers: list[Floats] = []
        self._peak = 0.0
        # Silence before and after a song, so that its first and last samples have neighbours too.
        self._edge = np.zeros((channels, 2 * _TRUE_PEAK_TAIL), dtype=np.float32)

    def push(self, block: Floats) -> None:
        """Takes the next samples (channels, n)."""
        weighted, self._state = scipy.signal.sosfilt(
            self._sections, block.astype(np.float64), axis=1, zi=self._state
        )
        self._pending = np.concatenate([self._pending, weighted], axis=1)
        hops = self._pending.shape[1] // self._hop
        if hops:
            whole = self._pending[:, : hops * self._hop].reshape(len(self._weights), hops, -1)
            self._powers.append(self._weights @ np.mean(whole**2, axis=2))
            self._pending = self._pending[:, hops * self._hop :]
        self._watch_peak(block)

    def finish(self) -> Loudness:
        """The measurements of everything pushed."""
        if self._pending.shape[1]:
            # A last, incomplete hop counts as if silence followed.
            power = np.sum(self._pending**2, axis=1) / self._hop
            self._powers.append(np.asarray([self._weights @ power]))
        self._watch_peak(np.zeros((len(self._weights), 2 * _TRUE_PEAK_TAIL)))
        powers = np.concatenate(self._powers) if self._powers else np.zeros(0)
        momentary = _windows(powers, _MOMENTARY_HOPS)
        short_term = _windows(powers, _SHORT_TERM_HOPS)
        peak = 20.0 * np.log10(self._peak) if self._peak > 0 else SILENCE_DBTP
        return Loudness(
            integrated_lufs=integrated_lufs(momentary),
            range_lu=loudness_range_lu(short_term),
            true_peak_dbtp=max(SILENCE_DBTP, float(peak)),
            momentary_lufs=_centred(lufs(momentary), _MOMENTARY_HOPS, len(powers)),
            short_term_lufs=_centred(lufs(short_term), _SHORT_TERM_HOPS, len(powers)),
        )

    def _watch_peak(self, block: Floats) -> None:
        """True peak by fourfold oversampling, where a peak can be at all.

        What lies at a block's end is looked at with the next block, when its neighbours are known.
        """
        samples = np.concatenate([self._edge, block], axis=1)
        self._edge = samples[:, -2 * _TRUE_PEAK_TAIL :]
        sample_peak = float(np.abs(samples).max(initial=0.0))
        self._peak = max(self._peak, sample_peak)
        # Between samples a sound rises by some decibels, never by 6: quieter blocks need no look.
        if 2.0 * sample_peak <= self._peak:
            return
        for channel in samples:
            finer = scipy.signal.resample_poly(channel, _OVERSAMPLING, 1)
            known = finer[_TRUE_PEAK_TAIL * _OVERSAMPLING : -_TRUE_PEAK_TAIL * _OVERSAMPLING]
            self._peak = max(self._peak, float(np.abs(known).max(initial=0.0)))


def k_weighting(sample_rate_hz: int) -> Floats:
    """Second-order sections (2, 6) of the K filter of BS.1770 at any sample rate.

    The standard gives coefficients for 48 kHz; these are the analogue filters behind them.
    """
    frequency, quality, gain_db = 1681.974450955533, 0.7071752369554196, 3.999843853973347
    k = np.tan(np.pi * frequency / sample_rate_hz)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    norm = 1.0 + k / quality + k * k
    shelf = [
        (high + band * k / quality + k * k) / norm,
        2.0 * (k * k - high) / norm,
        (high - band * k / quality + k * k) / norm,
        1.0,
        2.0 * (k * k - 1.0) / norm,
        (1.0 - k / quality + k * k) / norm,
    ]
    frequency, quality = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * frequency / sample_rate_hz)
    norm = 1.0 + k / quality + k * k
    low_cut = [1.0, -2.0, 1.0, 1.0, 2.0 * (k * k - 1.0) / norm, (1.0 - k / quality + k * k) / norm]
    return np.asarray([shelf, low_cut])


def channel_weights(channels: int) -> Floats:
    """Weights (channels,) of BS.1770: in 5.1 the LFE is not heard and the surrounds count more."""
    weights = np.ones(channels)
    if channels >= 6:
        weights[3] = 0.0
        weights[4:6] = _SURROUND_WEIGHT
    return weights


def lufs(powers: Floats) -> Floats:
    """Loudness (n,) of K-weighted mean squares (n,), no less than SILENCE_LUFS."""
    floor = 10 ** ((SILENCE_LUFS + 0.691) / 10)
    return np.asarray(-0.691 + 10.0 * np.log10(np.maximum(powers, floor)))


def integrated_lufs(momentary_powers: Floats) -> float:
    """Gated loudness: blocks above -70 LUFS, then those above 10 LU below their mean."""
    heard = momentary_powers[lufs(momentary_powers) > SILENCE_LUFS]
    if not len(heard):
        return SILENCE_LUFS
    gate = float(lufs(heard.mean())) - 10.0
    return float(lufs(heard[lufs(heard) > gate].mean()))


def loudness_range_lu(short_term_powers: Floats) -> float:
    """Loudness range of EBU Tech 3342: from the 10th to the 95th percentile above the gates."""
    heard = short_term_powers[lufs(short_term_powers) > SILENCE_LUFS]
    if not len(heard):
        return 0.0
    gate = float(lufs(heard.mean())) - 20.0
    levels = lufs(heard)
    low, high = np.percentile(levels[levels > gate], [10, 95])
    return float(high - low)


def _windows(powers: Floats, hops: int) -> Floats:
    """Means (n,) of every ``hops`` neighbouring hops; a song shorter than that is one window."""
    if not len(powers):
        return np.zeros(0)
    hops = min(hops, len(powers))
    sums = np.concatenate([[0.0], np.cumsum(powers)])
    # A difference of sums may fall below zero by rounding.
    return np.maximum(0.0, (sums[hops:] - sums[:-hops]) / hops)


def _centred(values: Floats, hops: int, length: int) -> Floats:
    """Values (length,) with each window at its middle; the ends hold their nearest."""
    if not len(values):
        return np.zeros(0)
    middle = np.arange(length) - hops // 2
    return values[np.clip(middle, 0, len(values) - 1)]
