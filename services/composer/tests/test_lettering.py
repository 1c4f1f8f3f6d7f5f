"""Captions as pictures: readable on anything, inside the safe area, in a font that has them."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageFont, features

from soundsight.composer.v1 import composer_pb2
from soundsight_composer.captions import Style, read_captions
from soundsight_composer.fonts import Face, find_face
from soundsight_composer.lettering import Lettering, letter, soft
from soundsight_composer.overlay import Overlay, ycbcr
from soundsight_composer.typesetting import Bounds, fit
from soundsight_kit.media.pictures import rgb_to_i420

SIZES = [(1280, 720), (720, 1280), (640, 640), (256, 144), (1000, 426)]
TEXTS = [
    "Q",
    "Night Harbour\nThe Lanterns",
    "The Long and Winding Remembrance of a Summer Evening by the Water\nAnna & the Big Orchestra",
    "x" * 99 + "\n" + "y" * 100,
    "gjpqy words " * 16,
    "one\ntwo\nthree",
]
# No font has a glyph for a code point that Unicode has not given away.
NO_GLYPH = "\u0378"

Plane = NDArray[np.float64]


def plain(width: int, height: int, luma: int) -> NDArray[np.uint8]:
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    picture[:height] = luma
    return picture


def shown(lettering: Lettering, luma: int) -> Plane:
    """The luma of the caption, at full strength, over an even picture."""
    over = lettering.overlay
    picture = over.over(plain(over.width, over.height, luma), 1.0)
    return picture[: over.height].astype(np.float64)


def drawn(text: str, style: Style, size: tuple[int, int]) -> Lettering:
    lettering = letter(text, style, *size)
    assert lettering is not None
    return lettering


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("style", ["title", "subtitle"])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_letters_keep_inside_the_safe_area(text: str, style: Style, size: tuple[int, int]) -> None:
    """Whatever is wrapped, shrunk or cut short, no ink comes nearer to the edge than 5 %."""
    width, height = size
    rows, columns = np.nonzero(shown(drawn(text, style, size), 16) > 24)
    # A round letter reaches a little over the line that measures it.
    assert rows.min() >= height * 0.05 - 1.5
    assert rows.max() <= height * 0.95 + 1.5
    assert columns.min() >= width * 0.05 - 1.5
    assert columns.max() <= width * 0.95 + 1.5
    assert abs((columns.min() + columns.max() + 1) / 2 - width / 2) <= 0.02 * width
    middle = (rows.min() + rows.max()) / 2 / height
    assert 0.4 < middle < 0.55 if style == "title" else middle > 0.5


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("style", ["title", "subtitle"])
@pytest.mark.parametrize("luma", [16, 126, 235])
def test_letters_stand_out_from_every_picture(
    luma: int, style: Style, size: tuple[int, int]
) -> None:
    """Between letters and what surrounds them the contrast is more than WCAG asks of large text,
    3:1, on black, on grey and on white."""
    lettering = drawn("Night Harbour\nThe Lanterns", style, size)
    ink = (shown(lettering, 16) - 16) / (ycbcr(252, 248, 240)[0] - 16)
    over = shown(lettering, luma)
    near = soft(ink.astype(np.float32), max(1.0, 0.006 * min(size))) > 0.02
    for rows in _lines(ink):
        letters = over[rows][ink[rows] > 0.9]
        around = over[rows][near[rows] & (ink[rows] < 0.02)]
        assert len(letters) > 5
        assert contrast(float(letters.mean()), float(around.mean())) > 3.0
    assert letters.mean() > 220


def _lines(ink: Plane) -> list[slice]:
    """The rows of each line, found by the empty rows between them."""
    used = (ink > 0.1).any(axis=1).astype(int)
    changes = np.flatnonzero(np.diff(used, prepend=0, append=0))
    runs = list(zip(changes[::2], changes[1::2], strict=True))
    return [slice(top, bottom) for top, bottom in runs if bottom - top > 3]


def contrast(light: float, dark: float) -> float:
    """WCAG's contrast ratio of two greys, given as limited-range luma."""

    def luminance(luma: float) -> float:
        share = min(1.0, max(0.0, (luma - 16) / 219))
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    return (luminance(light) + 0.05) / (luminance(dark) + 0.05)


def test_a_title_is_larger_than_its_artist() -> None:
    """The first line stands out: it is at least one and a half times as high as the second."""
    ink = (shown(drawn("HH\nHH", "title", (640, 360)), 16) - 16) / 219
    title, artist = (rows.stop - rows.start for rows in _lines(ink))
    assert title > 1.5 * artist


def test_a_caption_ends_without_an_edge() -> None:
    """On white the shade's own border is no step: neighbouring pixels at it differ by a level."""
    lettering = drawn("Night Harbour\nThe Lanterns", "title", (640, 360))
    layer = lettering.overlay.layers[0]
    for border in (layer.cover[0], layer.cover[-1], layer.cover[:, 0], layer.cover[:, -1]):
        assert float(border.max()) < 1 / 219


def test_an_overlay_touches_nothing_outside_its_box(tmp_path: Path) -> None:
    """The rest of the picture stays as it is, in luma and chroma; a stored overlay is the same."""
    width, height = 250, 142
    picture = np.random.default_rng(1).integers(16, 235, (height * 3 // 2, width), dtype=np.uint8)
    before = picture.copy()
    overlay = drawn("Night", "title", (width, height)).overlay
    made = overlay.over(picture, 1.0)
    assert (picture == before).all()
    flat, half = width * height, (height // 2, width // 2)
    for number, (start, shape) in enumerate(
        [(0, (height, width)), (flat, half), (flat * 5 // 4, half)]
    ):
        count = shape[0] * shape[1]
        changed = (made != before).reshape(-1)[start : start + count].reshape(shape)
        layer = overlay.layers[number]
        rows, columns = layer.cover.shape
        inside = changed[layer.top : layer.top + rows, layer.left : layer.left + columns]
        assert changed.sum() == inside.sum() > 0
        assert rows < shape[0] or columns < shape[1]
    assert (overlay.over(picture, 0.0) == before).all()
    overlay.save(tmp_path / "overlay.npz")
    assert (Overlay.load(tmp_path / "overlay.npz").over(picture, 1.0) == made).all()


def test_colours_are_those_of_the_pictures() -> None:
    """An overlay's colours agree with the kit's own conversion, to a level."""
    for rgb in [(0, 0, 0), (255, 255, 255), (252, 248, 240), (200, 30, 90)]:
        i420 = rgb_to_i420(np.full((4, 4, 3), rgb, np.uint8)).reshape(-1)
        assert ycbcr(*rgb) == pytest.approx((i420[0], i420[16], i420[20]), abs=1)


@pytest.mark.parametrize("frames", [1, 2, 5, 24, 84])
@pytest.mark.parametrize("style", [composer_pb2.CAPTION_STYLE_TITLE, 0])
def test_a_caption_comes_and_goes_steadily(frames: int, style: int) -> None:
    """It is seen on exactly its frames, rises, stays and falls; a title takes 0.6 s to come."""
    message = composer_pb2.Caption(start_frame=10, frames=frames, text="x")
    message.style = style  # type: ignore[assignment]
    (caption,) = read_captions([message], 200, Fraction(24))
    seen = [caption.strength(frame) for frame in range(200)]
    assert [frame for frame, one in enumerate(seen) if one > 0] == list(range(10, 10 + frames))
    own = seen[10 : 10 + frames]
    top = own.index(1.0)
    assert own == own[::-1]
    assert all(before < after for before, after in pairwise(own[: top + 1]))
    assert set(own[top : frames - top]) == {1.0}
    if frames == 84 and style:
        assert top == round(0.6 * 24)


def test_a_text_without_a_font_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that no font has are never shown as boxes, and neither are letters that must be
    shaped where nothing shapes them."""
    assert letter(f"Night {NO_GLYPH}", "title", 640, 360) is None
    assert letter("\u200b\ufeff", "title", 640, 360) is None
    monkeypatch.setattr(features, "check", lambda _: False)
    assert find_face("\u0645\u0631\u062d\u0628\u0627") is None
    assert find_face("plain") == Face()


def test_capitals_without_a_font_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A title is set as it is written when only its capitals have no font."""
    found = Face.has
    monkeypatch.setattr(Face, "has", lambda self, text: "N" not in text and found(self, text))
    monkeypatch.setenv("PATH", "")
    assert letter("ntn", "title", 640, 360) is not None
    assert letter("Ntn", "title", 640, 360) is None


def test_a_system_font_is_believed_only_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fontconfig names is used when it is a font that has the characters, and only then."""
    own = ImageFont.load_default(20)
    assert isinstance(own, ImageFont.FreeTypeFont) and isinstance(own.path, io.BytesIO)
    named = tmp_path / "named"
    (tmp_path / "own.otf").write_bytes(own.path.getvalue())
    fake = tmp_path / "fc-match"
    fake.write_text(f"#!/bin/sh\ncat {named}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    named.write_text(f"{tmp_path}/own.otf\n65536")
    face = Face(f"{tmp_path}/own.otf", 0)
    assert face.has("Night")
    assert find_face("Bj\u00f6rk") is None
    found = Face.has
    monkeypatch.setattr(Face, "has", lambda self, text: bool(self.path) and found(self, text))
    assert find_face("Night") == face
    named.write_text("/nowhere.otf\n0")
    assert find_face("Night") is None
    fake.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_face("Night") is None


def test_lines_break_where_they_may() -> None:
    """Between words, evenly; inside a word only when it would become too small to read; and text
    that cannot be shown whole ends in an ellipsis."""

    def lines(text: str, width: float, count: int) -> list[str]:
        setting = fit(Face(), text, 0.0, Bounds(width, 40, 20, count))
        assert all(one.width * setting.em <= width + 1e-6 for one in setting.lines)
        assert setting.em >= 20
        assert setting.cut == ("…" in "".join("".join(one.pieces) for one in setting.lines))
        return ["".join(one.pieces) for one in setting.lines]

    assert lines("one two three four", 1000, 3) == ["one two three four"]
    assert lines("one two three four", 190, 3) == ["one two", "three four"]
    assert "".join(lines("n" * 30, 190, 3)) == "n" * 30
    assert len(lines("n" * 30, 190, 3)) > 1
    cut = lines("many words " * 10, 190, 2)
    assert len(cut) == 2
    assert cut[-1].endswith("…")
