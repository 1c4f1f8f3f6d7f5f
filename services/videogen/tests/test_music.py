"""The music moves the picture smoothly, and silence stops it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from videogen_requests import music

from soundsight_videogen.builtin.music import (
    beat_pulse,
    drive,
    follow,
    gaussian_smooth,
    integral,
)


def test_silence_is_still() -> None:
    """Without energy the world's clock does not move."""
    moved = drive(music(48, energy=0.0), 24.0, motion=1.0)
    assert np.ptp(moved.time_s) == 0.0
    assert moved.beat.max() == 0.0


def test_energy_is_speed() -> None:
    """Louder music makes the clock run faster, and so does a wilder shot."""
    quiet = drive(music(48, energy=0.2), 24.0, motion=0.5).time_s[-1]
    loud = drive(music(48, energy=0.9), 24.0, motion=0.5).time_s[-1]
    wild = drive(music(48, energy=0.9), 24.0, motion=1.0).time_s[-1]
    assert 0.0 < quiet < 0.6 * loud
    assert loud < wild


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=90), st.floats(0.0, 1.0))
def test_the_clock_never_jumps_or_runs_back(levels: list[int], motion: float) -> None:
    """Whatever the energy does, a frame takes between nothing and three times its real time."""
    cues = music(len(levels))
    wild = type(cues)(
        np.array(levels, dtype=np.uint8), cues.bass, cues.onset, cues.brightness, (), ()
    )
    steps = np.diff(drive(wild, 24.0, motion).time_s)
    assert steps.min() >= 0.0
    assert steps.max() <= 3.0 / 24.0


def test_beats_peak_on_their_frames() -> None:
    """The pulse is highest exactly on a beat, fullest on a downbeat, and rises before it."""
    pulse = beat_pulse((12, 24), (24,), 48, 24.0)
    assert pulse[24] == pytest.approx(1.0)
    assert 0.5 < pulse[12] < 0.8
    assert pulse[11] > 0.0
    assert pulse[13] < pulse[12] > pulse[11]


def test_onsets_rise_at_once_and_fall_slowly() -> None:
    """An envelope with no attack is at the level on the frame itself and decays after it."""
    curve = np.zeros(20)
    curve[5] = 1.0
    envelope = follow(curve, 0.0, 4.0)
    assert envelope[4] == 0.0
    assert envelope[5] == 1.0
    assert np.all(np.diff(envelope[5:]) < 0.0)


def test_smoothing_has_no_lag() -> None:
    """A symmetric bump stays where it is."""
    curve = np.zeros(41)
    curve[20] = 1.0
    smooth = gaussian_smooth(curve, 3.0)
    assert int(np.argmax(smooth)) == 20
    assert np.allclose(smooth, smooth[::-1])
    assert smooth.sum() == pytest.approx(1.0)


def test_integral_of_a_constant_is_a_line() -> None:
    """Speed 2 for 24 frames at 24 Hz is 2 seconds less one frame."""
    time_s = integral(np.full(24, 2.0), 24.0)
    assert time_s[0] == 0.0
    assert time_s[-1] == pytest.approx(2.0 * 23 / 24)
