"""Pictures whose light and colour are known."""

from __future__ import annotations

import numpy as np
import pytest

from soundsight_kit.measures.correlation import correlate
from soundsight_kit.measures.look import look_follows_mood, pace_follows_energy, section_means
from soundsight_kit.measures.pictures import PictureLook, linear_tiles, look, luma


def flat(*colour: int) -> np.ndarray:
    return np.full((9, 16, 3), colour, dtype=np.uint8)


def test_plain_colours_look_as_they_are() -> None:
    """Black, white, grey and pure colours have the figures their definitions give."""
    assert look(flat(0, 0, 0)) == PictureLook(0.0, 0.0, 0.0)
    white = look(flat(255, 255, 255))
    assert (white.brightness, white.saturation, white.warmth) == pytest.approx((1.0, 0.0, 0.0))
    red, blue = look(flat(200, 0, 0)), look(flat(0, 0, 200))
    assert (red.saturation, red.warmth) == pytest.approx((1.0, 1.0))
    assert (blue.saturation, blue.warmth) == pytest.approx((1.0, -1.0))
    assert red.brightness == pytest.approx(0.2126 * 200 / 255)
    assert look(flat(180, 150, 120)).saturation == pytest.approx(1 - 120 / 180)
    assert luma(flat(100, 100, 100)) == pytest.approx(np.full((9, 16), 100.0), abs=1e-4)


def test_darkness_has_no_say_in_saturation() -> None:
    """Half a picture of deep, almost black blue does not make grey saturated."""
    picture = flat(200, 200, 200)
    picture[:, :8] = (0, 0, 4)
    assert look(picture).saturation < 0.03


def test_tiles_are_mean_linear_light() -> None:
    """Tiles average light, not levels, and cover pictures that do not divide evenly."""
    picture = np.zeros((7, 10, 3), dtype=np.uint8)
    picture[:, 5:] = 255
    tiles = linear_tiles(picture, 3, 4)
    assert tiles.shape == (3, 4, 3)
    # Columns of tiles begin at pixels 0, 2, 5 and 7.
    assert tiles[..., 0] == pytest.approx(np.tile([0.0, 0.0, 1.0, 1.0], (3, 1)))
    stripes = np.zeros((8, 8, 3), dtype=np.uint8)
    stripes[::2] = 255
    assert linear_tiles(stripes, 2, 2) == pytest.approx(np.full((2, 2, 3), 0.5))
    assert linear_tiles(flat(188, 188, 188), 3, 4) == pytest.approx(
        np.full((3, 4, 3), 0.503), abs=0.002
    )


def test_a_bright_film_of_happy_sections_follows_the_mood() -> None:
    """Brightness made from valence correlates fully with it, and with nothing else."""
    valence = np.array([-0.5, 0.1, 0.8, 0.0])
    arousal = np.array([0.5, -0.5, 0.5, -0.5])
    looks = [PictureLook(0.5 + 0.4 * v, 0.3, v**3) for v in valence for _ in range(48)]
    found = look_follows_mood(looks, np.linspace(0.0, 8.0, 5), 24.0, valence, arousal)
    assert found.brightness_valence.pearson == pytest.approx(1.0)
    assert found.brightness_valence.n == 4
    assert found.warmth_valence.spearman == pytest.approx(1.0)
    assert found.warmth_valence.pearson < 0.98
    assert np.isnan(found.saturation_valence.pearson)
    assert abs(found.brightness_arousal.pearson) < 0.7


def test_pace_that_rises_with_energy_follows_it() -> None:
    """Shot rate in the order of energy, motion against it; cuts' frames are not asked."""
    energy = np.array([0.1, 0.5, 0.9])
    motion = np.repeat([3.0, 2.0, 1.0], 24)
    motion[::24] = np.nan
    found = pace_follows_energy(np.array([0.2, 0.3, 0.9]), motion, np.arange(4.0), 24.0, energy)
    assert found.shot_rate.spearman == pytest.approx(1.0)
    assert 0.8 < found.shot_rate.pearson < 1.0
    assert found.motion.pearson == pytest.approx(-1.0)


def test_section_means_take_whole_frames() -> None:
    """A frame belongs to the section it starts in; a section without frames is not known."""
    known = np.array([1.0, 2.0, 5.0, np.nan, 9.0])
    means = section_means(known, np.array([0.0, 1.5, 3.5, 3.9, 8.0]), 1.0)
    assert means[[0, 1, 3]] == pytest.approx([1.5, 5.0, 9.0])
    assert np.isnan(means[2])


def test_correlation_needs_three_points_and_some_change() -> None:
    """Two points or a constant say nothing; points that are not known are left out."""
    nan = np.nan
    assert np.isnan(correlate(np.array([1.0, 2.0]), np.array([1.0, 2.0])).pearson)
    assert np.isnan(correlate(np.ones(5), np.arange(5.0)).spearman)
    partly = correlate(np.array([1.0, nan, 2.0, 3.0]), np.array([2.0, 9.0, 4.0, 6.0]))
    assert partly.n == 3
    assert partly.pearson == pytest.approx(1.0)
    # Ties share their ranks: 1.5, 1.5, 3 against 1, 2, 3.
    tied = correlate(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert tied.spearman == pytest.approx(np.sqrt(3) / 2)
