"""Pictures that move with clicks, against them, or for themselves."""

from __future__ import annotations

import numpy as np
import pytest

from soundsight_kit.measures.motion import (
    av_align,
    count_matched,
    curve_per_frame,
    find_peaks,
    leave_out_cuts,
    motion_follows_onsets,
)

FPS = 24.0
HOP_S = 0.02
FRAMES = 24 * 90


def click_times(seed: int = 0) -> np.ndarray:
    """About two clicks a second at uneven distances, in seconds."""
    times = np.cumsum(np.random.default_rng(seed).uniform(0.3, 0.8, size=400))
    return times[times < FRAMES / FPS - 1]


def clicks(times_s: np.ndarray) -> np.ndarray:
    """An onset curve with a short decay after each click."""
    curve = np.zeros(round(FRAMES / FPS / HOP_S))
    for time_s in times_s:
        first = round(time_s / HOP_S)
        tail = curve[first : first + 10]
        tail += np.exp(-np.arange(len(tail)) / 3.0)
    return curve


def jolts(times_s: np.ndarray, late_frames: int = 0, seed: int = 1) -> np.ndarray:
    """Motion that jumps at the frame of each time and dies away, in noise; the first frame NaN."""
    motion = np.random.default_rng(seed).uniform(0.9, 1.1, size=FRAMES)
    for time_s in times_s:
        first = int(time_s * FPS) + late_frames
        tail = motion[first : first + 4]
        tail += np.exp(-np.arange(len(tail)) / 1.5)
    return leave_out_cuts(motion, np.empty(0, dtype=np.int64))


def test_motion_on_clicks_correlates() -> None:
    """Jolts on clicks give a high correlation without lag, many deviations above chance."""
    times = click_times()
    onsets = curve_per_frame(clicks(times), HOP_S, FRAMES, FPS)
    found = motion_follows_onsets(jolts(times), onsets, FPS)
    assert found.correlation.value > 0.7
    assert found.correlation.z > 8.0
    assert abs(found.lag_s) <= 1 / FPS


def test_a_late_picture_is_told_by_its_lag() -> None:
    """A picture two frames late has its best lag two frames later than one in time."""
    times = click_times()
    onsets = curve_per_frame(clicks(times), HOP_S, FRAMES, FPS)
    in_time = motion_follows_onsets(jolts(times), onsets, FPS)
    late = motion_follows_onsets(jolts(times, late_frames=2), onsets, FPS)
    assert late.lag_s - in_time.lag_s == pytest.approx(2 / FPS)
    too_late = motion_follows_onsets(jolts(times, late_frames=6), onsets, FPS)
    assert too_late.correlation.value < 0.3


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_chance(seed: int) -> None:
    """Motion that knows nothing of the clicks stays within three deviations of chance."""
    curve = clicks(click_times(seed))
    noise = np.random.default_rng(200 + seed).uniform(0.0, 1.0, size=FRAMES)
    onsets = curve_per_frame(curve, HOP_S, FRAMES, FPS)
    assert abs(motion_follows_onsets(noise, onsets, FPS).correlation.z) < 3.0
    assert abs(av_align(noise, curve, HOP_S, FPS).score.z) < 3.0


def test_cuts_are_no_motion() -> None:
    """Leaps at cuts change nothing once they are left out; left in, they drown the music."""
    times = click_times()
    curve = clicks(times)
    onsets = curve_per_frame(curve, HOP_S, FRAMES, FPS)
    cuts = np.arange(55, FRAMES, 60)
    leaping = jolts(times)
    leaping[cuts] += 40.0
    found = motion_follows_onsets(leave_out_cuts(leaping, cuts), onsets, FPS)
    assert found.correlation.value > 0.7
    assert motion_follows_onsets(leaping, onsets, FPS).correlation.value < 0.2
    assert av_align(leave_out_cuts(leaping, cuts), curve, HOP_S, FPS).score.value > 0.8


def test_peaks_of_motion_on_clicks_are_matched() -> None:
    """Jolts on clicks match nearly all of them; jolts elsewhere match as many as chance."""
    times = click_times()
    curve = clicks(times)
    fits = av_align(jolts(times), curve, HOP_S, FPS)
    assert fits.onsets == pytest.approx(len(times), abs=2)
    assert fits.score.value > 0.85
    assert fits.score.z > 8.0
    assert fits.score.value == fits.matched / (fits.onsets + fits.peaks - fits.matched)
    elsewhere = av_align(jolts(click_times(seed=9)), curve, HOP_S, FPS)
    assert abs(elsewhere.score.z) < 3.0


def test_correlation_is_pearsons() -> None:
    """At the best lag the value is what numpy says of the frames that are known."""
    random = np.random.default_rng(5)
    onsets = random.uniform(size=600)
    motion = onsets + random.normal(scale=0.5, size=600)
    motion[[0, 100, 101, 333]] = np.nan
    there = np.isfinite(motion)
    expected = np.corrcoef(motion[there], onsets[there])[0, 1]
    found = motion_follows_onsets(motion, onsets, FPS)
    assert found.lag_s == 0.0
    assert found.correlation.value == pytest.approx(expected)


def test_still_pictures_have_no_correlation() -> None:
    """Without motion there is nothing to correlate; NaN, and no peaks."""
    curve = clicks(click_times())
    still = leave_out_cuts(np.zeros(FRAMES), np.empty(0, dtype=np.int64))
    onsets = curve_per_frame(curve, HOP_S, FRAMES, FPS)
    assert np.isnan(motion_follows_onsets(still, onsets, FPS).correlation.value)
    found = av_align(still, curve, HOP_S, FPS)
    assert (found.peaks, found.matched, found.score.value) == (0, 0, 0.0)


def test_a_short_film_has_no_baseline() -> None:
    """Music cannot be shifted by a second within a film of one: the figure stands alone."""
    onsets = np.random.default_rng(3).uniform(size=24)
    found = motion_follows_onsets(onsets.copy(), onsets, FPS)
    assert found.correlation.value == pytest.approx(1.0)
    assert np.isnan(found.correlation.z)


def test_a_curve_per_frame_keeps_its_mean() -> None:
    """Each frame has the curve's mean over its time; a ramp becomes a ramp."""
    ramp = np.linspace(0.0, 100 * HOP_S, 101)
    frames = curve_per_frame(ramp, HOP_S, 48, FPS)
    assert frames == pytest.approx((np.arange(48) + 0.5) / FPS)
    assert curve_per_frame(np.array([3.0]), HOP_S, 5, FPS) == pytest.approx([3.0] * 5)


def test_peaks_stand_out() -> None:
    """A plateau is one peak at its start; a ripple beside a wave is none, alone it is one."""
    curve = np.zeros(120)
    curve[[20, 21, 60]] = 1.0
    curve[[66, 100]] = 0.05
    assert find_peaks(curve, FPS).tolist() == [20, 60, 100]
    assert find_peaks(np.full(120, 7.3), FPS).size == 0
    assert find_peaks(np.empty(0), FPS).size == 0


def test_each_peak_is_matched_once() -> None:
    """Two onsets cannot share one peak of motion."""
    assert count_matched(np.array([10, 11]), np.array([10]), 1) == 1
    assert count_matched(np.array([10, 12, 30]), np.array([11, 13, 28]), 1) == 2
    assert count_matched(np.array([5]), np.array([7]), 1) == 0
