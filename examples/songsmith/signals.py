"""Building blocks of sound: oscillators, envelopes and filters. Pure functions on arrays.

Mono signals have shape (n,), stereo signals (n, 2); all are float32 around full scale 1.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from songsmith.score import SAMPLE_RATE_HZ

Signal = NDArray[np.float32]

TABLE_SIZE = 8192
# Long enough to make no click, short enough that a note is heard where it is written.
ATTACK_S = 0.002


def seconds(samples: int) -> NDArray[np.float64]:
    """The time of each sample."""
    return np.arange(samples) / SAMPLE_RATE_HZ


@lru_cache(maxsize=256)
def saw_table(harmonics: int, cutoff_harmonic: float) -> Signal:
    """One period of a band-limited saw wave behind a gentle low-pass filter, with peak 1."""
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex128)
    order = np.arange(1, min(harmonics, TABLE_SIZE // 2) + 1)
    spectrum[order] = -1j / order / np.sqrt(1.0 + (order / cutoff_harmonic) ** 4)
    wave = np.fft.irfft(spectrum, TABLE_SIZE)
    table: Signal = (wave / np.abs(wave).max()).astype(np.float32)
    return table


def saw(hz: float, phase: NDArray[np.float64], cutoff_hz: float) -> Signal:
    """A saw wave of nominal pitch `hz` at the given phases (in periods), low-passed, no aliases."""
    # Half a semitone of head room for detuning and vibrato.
    harmonics = max(1, int(SAMPLE_RATE_HZ / 2 / (hz * 1.03)))
    table = saw_table(harmonics, max(1.0, round(cutoff_hz / hz, 1)))
    periods: Signal = table[(phase * TABLE_SIZE).astype(np.int64) & (TABLE_SIZE - 1)]
    return periods


def gate(samples: int, held: int, release_s: float) -> Signal:
    """Up at once, down over `release_s` after `held` samples; shape (samples,)."""
    time_s = seconds(samples)
    rising = np.minimum(1.0, time_s / ATTACK_S)
    falling = np.clip(1.0 - (time_s - held / SAMPLE_RATE_HZ) / release_s, 0.0, 1.0)
    return (rising * falling**2).astype(np.float32)


def decay(samples: int, time_constant_s: float) -> Signal:
    """An exponential decay from 1; shape (samples,)."""
    return np.exp(-seconds(samples) / time_constant_s).astype(np.float32)


def noise(samples: int, rng: np.random.Generator, channels: int = 2) -> Signal:
    """White noise of unit variance; shape (samples, channels)."""
    return rng.standard_normal((samples, channels), dtype=np.float32)


def panned(mono: Signal, position: float) -> Signal:
    """Mono to stereo at constant power; position runs from -1 (left) to 1 (right)."""
    angle = (position + 1.0) * np.pi / 4
    return np.stack([mono * np.cos(angle), mono * np.sin(angle)], axis=1).astype(np.float32)


def fft_length(samples: int) -> int:
    """The least length of at least `samples` for which the FFT is fast."""
    lengths = []
    for factor in (1, 3, 5, 9, 15):
        length = factor
        while length < samples:
            length *= 2
        lengths.append(length)
    return min(lengths)


def filtered(
    signal: Signal, response: Callable[[NDArray[np.float64]], NDArray[np.complex128]]
) -> Signal:
    """Apply a causal frequency response (a function of Hz) along the first axis."""
    # A second of zeros keeps the filter's tail from wrapping round to the start.
    length = fft_length(len(signal) + SAMPLE_RATE_HZ)
    gains = response(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ).astype(np.float64)).astype(
        np.complex64
    )
    if signal.ndim == 2:
        gains = gains[:, np.newaxis]
    spectrum = np.fft.rfft(signal, length, axis=0) * gains
    return np.fft.irfft(spectrum, length, axis=0)[: len(signal)].astype(np.float32)


def low_pass(signal: Signal, cutoff_hz: float) -> Signal:
    """A second-order Butterworth low-pass filter."""

    def response(hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        s = 1j * hz / cutoff_hz
        return np.asarray(1.0 / (s * s + np.sqrt(2.0) * s + 1.0))

    return filtered(signal, response)


def high_pass(signal: Signal, cutoff_hz: float) -> Signal:
    """A second-order Butterworth high-pass filter."""

    def response(hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        s = 1j * hz / cutoff_hz
        return np.asarray(s * s / (s * s + np.sqrt(2.0) * s + 1.0))

    return filtered(signal, response)


def high_shelf(signal: Signal, corner_hz: float, gain_db: float) -> Signal:
    """A first-order shelf that lifts everything well above the corner by `gain_db`."""
    gain = 10.0 ** (gain_db / 20)

    def response(hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        s = 1j * hz / corner_hz
        return np.asarray((1.0 + s * np.sqrt(gain)) / (1.0 + s / np.sqrt(gain)))

    return filtered(signal, response)
