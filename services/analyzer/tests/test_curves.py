"""Curves that pictures follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundsight_analyzer.dynamics.curves import HOP_S, MOST_VALUES, curve_step, draw_curves
from soundsight_analyzer.spectra import FRAME_HOP_S, RATE_HZ, analyse_frames

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong, Samples

NAMES = ("energy", "bass", "onset", "brightness")


@pytest.mark.parametrize("length", [1, 441, 5_000, RATE_HZ])
@pytest.mark.parametrize("gain", [0.0, 1e-6, 1.0])
def test_values_are_finite_and_within_the_unit_range(
    noise: Samples, length: int, gain: float
) -> None:
    """However short or quiet the sound, values lie in [0, 1] and cover it."""
    curves = draw_curves(analyse_frames(gain * noise[:length]))
    for name in NAMES:
        values = getattr(curves, name)
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1
        assert len(values) * curves.hop_s > length / RATE_HZ - 1e-9


def test_silence_is_flat() -> None:
    """Silence has no energy, bass or onsets."""
    curves = draw_curves(analyse_frames(np.zeros(RATE_HZ, dtype=np.float32)))
    assert not curves.energy.any()
    assert not curves.bass.any()
    assert not curves.onset.any()


def test_energy_follows_the_form(example_song: KnownSong) -> None:
    """The choruses of the example song have more energy than its verses, those more than its
    ends."""
    curves = draw_curves(example_song.frames)
    energy: dict[str, list[float]] = {}
    for section in example_song.truth.sections:
        mean = curves.mean_energy(section.start_s, section.end_s)
        energy.setdefault(section.function, []).append(mean)
    assert min(energy["chorus"]) > max(energy["verse"])
    assert min(energy["verse"]) > max(energy["intro"] + energy["outro"])


def test_onsets_peak_at_the_beats(example_song: KnownSong) -> None:
    """The onset curve is higher at the beats of a chorus than between its eighths."""
    curves = draw_curves(example_song.frames)
    chorus = next(s for s in example_song.truth.sections if s.function == "chorus")
    beats = np.array([b for b in example_song.truth.beats_s if chorus.start_s <= b < chorus.end_s])
    sixteenth = 60.0 / example_song.truth.tempo_bpm / 4
    at = np.rint(beats / HOP_S).astype(int)
    off = np.rint((beats + 0.5 * sixteenth) / HOP_S).astype(int)
    assert curves.onset[at].mean() > 2 * curves.onset[off].mean()


def test_bass_and_brightness_tell_low_from_high() -> None:
    """A low tone raises the bass, a high one the brightness."""
    times = np.arange(2 * RATE_HZ) / RATE_HZ
    low, high = np.sin(2 * np.pi * 70 * times), np.sin(2 * np.pi * 4000 * times)
    curves = draw_curves(analyse_frames(0.5 * np.concatenate([low, high]).astype(np.float32)))
    first, second = slice(10, 90), slice(110, 190)
    assert curves.bass[first].mean() > 0.8 > 0.2 > curves.bass[second].mean()
    assert curves.brightness[second].mean() > 0.8 > 0.2 > curves.brightness[first].mean()


@pytest.mark.parametrize("hours", [0.05, 0.27, 0.28, 1.0, 10.0])
def test_long_songs_have_coarser_curves(hours: float) -> None:
    """A curve has at most MOST_VALUES values, and no fewer than needed for that."""
    frames = round(hours * 3600 / FRAME_HOP_S)
    step = curve_step(frames)
    assert -(-frames // step) <= MOST_VALUES
    assert step == 2 or -(-frames // (step - 2)) > MOST_VALUES
