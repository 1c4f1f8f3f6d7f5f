"""Spectra: scales and places of what is measured."""

from __future__ import annotations

import numpy as np
import pytest

from soundsight_analyzer.onsets import FINE_HOP_S, band_onsets, fine_onsets, onset_strength
from soundsight_analyzer.spectra import FRAME_HOP_S, RATE_HZ, analyse_frames, mel_filterbank


def test_power_is_the_mean_square() -> None:
    """The power of a steady sine is half the square of its amplitude."""
    times = np.arange(RATE_HZ) / RATE_HZ
    frames = analyse_frames((0.5 * np.sin(2 * np.pi * 1000.0 * times)).astype(np.float32))
    assert frames.power[10:-10] == pytest.approx(0.125, rel=0.01)


def test_centroid_follows_the_pitch() -> None:
    """The centroid of a sine is its frequency, and bass power is what lies below 150 Hz."""
    times = np.arange(RATE_HZ) / RATE_HZ
    low, high = (
        analyse_frames(np.sin(2 * np.pi * hz * times).astype(np.float32)) for hz in (80.0, 5000.0)
    )
    assert np.median(high.centroid_hz) == pytest.approx(5000.0, rel=0.05)
    assert low.bass_power[50] > 0.95 * low.power[50]
    assert high.bass_power[50] < 0.001 * high.power[50]


@pytest.mark.parametrize("length", [0, 1, 440, 441, 5000, 44_100])
def test_any_length_has_frames(length: int) -> None:
    """However short the sound, there is a frame per hop and one more, all finite."""
    frames = analyse_frames(np.ones(length, dtype=np.float32))
    assert len(frames) == length // 441 + 1
    for values in (frames.mel, frames.power, frames.bass_power, frames.centroid_hz):
        assert np.isfinite(values).all()


@pytest.mark.parametrize(("window", "bands"), [(1024, 40), (512, 24)])
def test_every_mel_band_hears_something(window: int, bands: int) -> None:
    """No band is empty, though the lowest are narrower than a bin."""
    assert mel_filterbank(window=window, bands=bands).sum(axis=0) == pytest.approx(1.0, abs=1e-5)


def test_fine_onsets_lie_on_the_attacks() -> None:
    """The maximum of the fine envelope is within 8 ms of the attack of a plucked tone."""
    attacks_s = np.arange(0.5, 9.5, 0.7)
    samples = np.zeros(10 * RATE_HZ)
    times = np.arange(RATE_HZ // 2) / RATE_HZ
    for number, attack_s in enumerate(attacks_s):
        pluck = np.sin(2 * np.pi * (110 + 60 * number) * times) * np.exp(-6 * times)
        at = round(attack_s * RATE_HZ)
        samples[at : at + len(pluck)] += 0.3 * pluck
    envelope = fine_onsets(samples.astype(np.float32))
    reach = round(0.05 / FINE_HOP_S)
    for attack_s in attacks_s:
        at = round(attack_s / FINE_HOP_S)
        found = at - reach + int(envelope[at - reach : at + reach].argmax())
        assert abs(found * FINE_HOP_S - attack_s) < 0.008


def test_a_song_may_begin_with_an_onset() -> None:
    """Sound in the very first sample is an onset at 0."""
    times = np.arange(RATE_HZ) / RATE_HZ
    samples = (np.sin(2 * np.pi * 440 * times) * np.exp(-5 * times)).astype(np.float32)
    onsets = onset_strength(band_onsets(analyse_frames(samples).mel))
    assert int(onsets.argmax()) * FRAME_HOP_S <= 0.02


def test_a_swell_is_no_onset() -> None:
    """A tone that slowly comes and goes stays far below what an attack reaches."""
    times = np.arange(10 * RATE_HZ) / RATE_HZ
    swelling = 0.2 * np.sin(2 * np.pi * 110 * times) * (1 + 0.3 * np.sin(times))
    frames = analyse_frames(swelling.astype(np.float32))
    # The first and the last moments cut the tone off.
    assert onset_strength(band_onsets(frames.mel))[10:-10].max() < 0.1
