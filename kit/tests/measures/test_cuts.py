"""Cuts whose place in the music is known."""

from __future__ import annotations

import numpy as np
import pytest

from soundsight_kit.measures.cuts import (
    CutAlignment,
    cut_alignment,
    lengths_by_section,
    shot_lengths,
    shot_rates,
)

DURATION_S = 120.0
FRAME_S = 1 / 24


def human_beats(seed: int = 0) -> np.ndarray:
    """Beats of a player whose tempo wanders about 100 BPM, ascending, in seconds."""
    periods = np.random.default_rng(seed).normal(0.6, 0.06, size=400)
    beats = np.cumsum(periods)
    return beats[beats < DURATION_S]


def on_frames(times_s: np.ndarray) -> np.ndarray:
    return np.round(times_s / FRAME_S) * FRAME_S


def align(cuts_s: np.ndarray, beats_s: np.ndarray, anticipation_s: float = 0.0) -> CutAlignment:
    return cut_alignment(
        cuts_s,
        beats_s,
        beats_s[::4],
        duration_s=DURATION_S,
        frame_s=FRAME_S,
        anticipation_s=anticipation_s,
    )


def test_cuts_on_beats_are_all_found_and_far_from_chance() -> None:
    """Cuts on the frames nearest to beats are on beats, and no offset does as well."""
    beats = human_beats()
    found = align(on_frames(beats[4::4]), beats)
    assert found.cuts == len(beats[4::4])
    assert found.on_beat.value == 1.0
    assert found.on_downbeat.value == 1.0
    assert found.on_beat.chance < 0.25
    assert found.on_beat.z > 5.0
    assert found.on_downbeat.z > 10.0
    # Half a frame is 21 ms, which costs little at a sigma of 50 ms.
    assert 0.95 < found.score.value <= 1.0
    assert found.score.z > 5.0


def test_cuts_between_beats_are_none() -> None:
    """A cut half a beat away is on no beat, whatever the tolerance forgives."""
    beats = human_beats()
    found = align((beats[4:-1:4] + beats[5::4][: len(beats[4:-1:4])]) / 2, beats)
    assert found.on_beat.value == 0.0
    assert found.score.value < 0.02
    assert found.score.z < -2.0


@pytest.mark.parametrize("seed", range(5))
def test_cuts_anywhere_are_chance(seed: int) -> None:
    """Cuts that know nothing of the music stay within three deviations of chance."""
    cuts = np.sort(np.random.default_rng(100 + seed).uniform(0, DURATION_S, size=60))
    found = align(cuts, human_beats(seed))
    for figure in (found.on_beat, found.on_downbeat, found.score):
        assert abs(figure.z) < 3.0


def test_anticipated_cuts_count_when_they_are_meant_so() -> None:
    """Cuts two frames early miss the beat, unless that is where they are meant to be."""
    beats = human_beats()
    early = on_frames(beats[4::4]) - 2 * FRAME_S
    assert align(early, beats).on_beat.value < 0.3
    assert align(early, beats, anticipation_s=2 * FRAME_S).on_beat.value == 1.0


def test_the_tolerance_is_half_a_frame_and_twenty_milliseconds() -> None:
    """Just within counts, just beyond does not."""
    beats = np.array([10.0, 20.0])
    within, beyond = FRAME_S / 2 + 0.0199, FRAME_S / 2 + 0.0201
    assert align(10.0 + np.array([within]), beats).on_beat.value == 1.0
    assert align(10.0 - np.array([within]), beats).on_beat.value == 1.0
    assert align(10.0 + np.array([beyond]), beats).on_beat.value == 0.0
    assert align(10.0 - np.array([beyond]), beats).on_beat.value == 0.0


def test_a_strict_pulse_bounds_z() -> None:
    """Where all beats are alike, an offset hits all or none: z is what that leaves."""
    beats = np.arange(0.0, DURATION_S, 0.5)
    found = align(beats[4::4], beats)
    chance = 2 * (FRAME_S / 2 + 0.020) / 0.5
    assert found.on_beat.chance == pytest.approx(chance, abs=0.04)
    assert found.on_beat.z == pytest.approx(np.sqrt((1 - chance) / chance), rel=0.15)


def test_without_cuts_or_beats_there_is_no_figure() -> None:
    """What cannot be measured is NaN, never zero."""
    beats = human_beats()
    nothing = np.empty(0)
    for found in (align(nothing, beats), align(np.array([1.0, 2.0]), nothing)):
        assert np.isnan([found.on_beat.value, found.on_beat.z, found.score.value]).all()


def test_the_same_cuts_give_the_same_figures() -> None:
    """The offsets are random, but the same each time."""
    cuts, beats = np.array([3.0, 7.7, 31.4]), human_beats()
    assert align(cuts, beats) == align(cuts, beats)


def test_shot_lengths_are_summed_up() -> None:
    """Mean, median and extremes of a handful of lengths."""
    lengths = shot_lengths(np.array([1.0, 2.0, 3.0, 10.0]))
    assert (lengths.shots, lengths.mean_s, lengths.median_s) == (4, 4.0, 2.5)
    assert (lengths.shortest_s, lengths.longest_s) == (1.0, 10.0)
    assert np.isnan(shot_lengths(np.empty(0)).mean_s)


def test_a_shot_belongs_to_the_section_of_its_middle() -> None:
    """A cut just before a section's start opens that section."""
    bounds = np.array([0.0, 4.0, 9.9, 11.9, 14.0, 20.0])
    first, second = lengths_by_section(bounds, np.array([0.0, 10.0, 20.0]))
    assert (first.shots, second.shots) == (2, 3)
    assert first.mean_s == pytest.approx(4.95)
    assert second.mean_s == pytest.approx((2.0 + 2.1 + 6.0) / 3)


def test_shot_rates_share_shots_between_sections() -> None:
    """The rates times the sections' lengths add up to all shots."""
    bounds = np.array([0.0, 4.0, 12.0, 16.0, 20.0])
    sections = np.array([0.0, 10.0, 20.0])
    rates = shot_rates(bounds, sections)
    assert rates == pytest.approx([0.175, 0.225])
    assert (rates * np.diff(sections)).sum() == pytest.approx(4.0)
