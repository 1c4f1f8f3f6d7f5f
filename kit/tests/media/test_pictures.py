"""Single pictures and their colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from soundsight_kit.media.pictures import encode_jpeg, i420_to_rgb, rgb_to_i420

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 180, 40), (0, 0, 0), (255, 255, 255)]


def bars(width: int = 384, height: int = 128) -> np.ndarray:
    """Vertical bars of COLOURS."""
    rgb = np.zeros((height, width, 3), np.uint8)
    for index, colour in enumerate(COLOURS):
        rgb[:, index * 64 : index * 64 + 64] = colour
    return rgb


def middles(rgb: np.ndarray) -> list[list[int]]:
    """The colour in the middle of each bar."""
    return [rgb[60, index * 64 + 32].astype(int).tolist() for index in range(len(COLOURS))]


def test_i420_is_bt709_limited_range() -> None:
    """Luma follows ITU-R BT.709 with 16 for black and 235 for white; BT.601 would not."""
    i420 = rgb_to_i420(bars())
    assert i420.shape == (128 * 3 // 2, 384)
    red, green, blue, white = 0.2126, 0.7152, 0.0722, 1.0
    expected = [16 + 219 * share for share in (red, green, blue)]
    assert i420[60, [32, 96, 160]] == pytest.approx(expected, abs=1.5)
    assert list(i420[60, [4 * 64 + 32, 5 * 64 + 32]]) == [16, round(16 + 219 * white)]


def test_colours_survive_the_way_there_and_back() -> None:
    """RGB to I420 and back keeps flat colours within two steps."""
    back = i420_to_rgb(rgb_to_i420(bars()), 384, 128)
    assert np.abs(np.array(middles(back)) - np.array(COLOURS)).max() <= 2


def test_jpeg_has_the_same_colours_for_other_programs() -> None:
    """A JPEG read by another library shows the colours that went in."""
    picture = Image.open(io.BytesIO(encode_jpeg(bars(), quality=95)))
    assert picture.size == (384, 128)
    assert np.abs(np.array(middles(np.array(picture.convert("RGB")))) - np.array(COLOURS)).max() < 6


def test_jpeg_quality_changes_size() -> None:
    """A lower quality gives a smaller file."""
    noise = np.random.default_rng(1).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    sizes = [len(encode_jpeg(noise, quality=quality)) for quality in (10, 50, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2
