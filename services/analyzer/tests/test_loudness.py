"""Loudness against the test signals of EBU Tech 3341 and 3342, and an independent meter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from soundsight_analyzer.dynamics.loudness import (
    SILENCE_DBTP,
    SILENCE_LUFS,
    Loudness,
    LoudnessMeter,
)
from soundsight_analyzer.quiet import essentia_standard

RATE_HZ = 48_000
Stereo = NDArray[np.float64]


def tone(dbfs: float, seconds: float, *, hz: float = 1000.0, rate_hz: int = RATE_HZ) -> Stereo:
    """A stereo sine with this peak level, (2, n)."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.tile(10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * times), (2, 1))


def measure(samples: Stereo, *, rate_hz: int = RATE_HZ, block: int = 10_000) -> Loudness:
    meter = LoudnessMeter(sample_rate_hz=rate_hz, channels=len(samples))
    for first in range(0, samples.shape[1], block):
        meter.push(samples[:, first : first + block].astype(np.float32))
    return meter.finish()


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("dbfs", [-23.0, -33.0])
def test_a_steady_tone(dbfs: float, rate_hz: int) -> None:
    """Tech 3341 cases 1 and 2: a stereo sine of 1 kHz measures its own level, at every rate."""
    loudness = measure(tone(dbfs, 20.0, rate_hz=rate_hz), rate_hz=rate_hz)
    assert loudness.integrated_lufs == pytest.approx(dbfs, abs=0.1)
    assert loudness.momentary_lufs == pytest.approx(dbfs, abs=0.2)
    assert loudness.short_term_lufs == pytest.approx(dbfs, abs=0.1)


def test_quiet_parts_are_gated_out() -> None:
    """Tech 3341 cases 3 and 4: what is 10 LU below the rest, or inaudible, does not count."""
    parts = [tone(-72.0, 10.0), tone(-36.0, 10.0), tone(-23.0, 60.0), tone(-36.0, 10.0)]
    loudness = measure(np.concatenate(parts, axis=1))
    assert loudness.integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_loudness_range() -> None:
    """Tech 3342 cases 1 and 2: two levels 10 and 5 dB apart have that range."""
    for low, high, expected in ((-30.0, -20.0, 10.0), (-20.0, -15.0, 5.0)):
        loudness = measure(np.concatenate([tone(high, 20.0), tone(low, 20.0)], axis=1))
        assert loudness.range_lu == pytest.approx(expected, abs=1.0)


def test_true_peak_lies_between_samples() -> None:
    """Tech 3341 case 16: a sine whose samples miss its peaks is measured at its peaks."""
    times = np.arange(RATE_HZ)
    quarter = 0.5 * np.sin(2 * np.pi * times / 4 + np.pi / 4)
    loudness = measure(np.tile(quarter, (2, 1)))
    assert np.abs(quarter).max() < 0.36
    assert -6.42 <= loudness.true_peak_dbtp <= -5.82


def test_silence_has_the_least_loudness() -> None:
    """Silence, and nothing at all, measure finite floors."""
    for samples in (np.zeros((2, RATE_HZ)), np.zeros((1, 0)), np.zeros((1, 1))):
        loudness = measure(samples)
        assert loudness.integrated_lufs == SILENCE_LUFS
        assert loudness.true_peak_dbtp == SILENCE_DBTP
        assert loudness.range_lu == 0.0


def test_a_step_is_seen_when_it_happens() -> None:
    """Curves are centred: momentary loudness crosses the middle of a step within 0.1 s of it."""
    loudness = measure(np.concatenate([tone(-40.0, 10.0), tone(-20.0, 10.0)], axis=1))
    # Half the power of the later tone is 3 dB below it.
    crossing = int(np.argmax(loudness.momentary_lufs > -23.0)) * 0.1
    assert crossing == pytest.approx(10.0, abs=0.11)


@settings(max_examples=15, deadline=None)
@given(block=st.integers(1_000, 60_000))
def test_blocks_do_not_matter(block: int) -> None:
    """However a song is cut into blocks, it measures the same."""
    rng = np.random.default_rng(5)
    samples = 0.2 * rng.standard_normal((2, 100_000)) * np.linspace(0.1, 1.0, 100_000)
    whole, cut = measure(samples, block=100_000), measure(samples, block=block)
    assert cut.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-6)
    assert cut.momentary_lufs == pytest.approx(whole.momentary_lufs, abs=1e-6)
    assert cut.true_peak_dbtp == pytest.approx(whole.true_peak_dbtp, abs=1e-4)


def test_agrees_with_another_meter(example_file: Path) -> None:
    """essentia's LoudnessEBUR128 measures the same on a real song."""
    samples, rate_hz = soundfile.read(example_file, dtype="float32")
    ours = measure(samples.T, rate_hz=rate_hz)
    meter = essentia_standard().LoudnessEBUR128(sampleRate=rate_hz)
    _, _, integrated, loudness_range = meter(np.ascontiguousarray(samples))
    assert ours.integrated_lufs == pytest.approx(integrated, abs=0.1)
    assert ours.range_lu == pytest.approx(loudness_range, abs=0.5)
