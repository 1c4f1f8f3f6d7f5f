"""Draws a caption: its text set in lines, placed in the picture, with a soft shade behind it.

A title stands in the middle, a little above the centre, in wide-set capitals; further lines, as
for the artist, are smaller. A subtitle stands at the bottom. Letters keep out of the outer 5 % of
the picture. The shade makes them readable on a bright picture without a box being seen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from soundsight_composer.captions import Style
from soundsight_composer.fonts import Face, find_face
from soundsight_composer.overlay import F32, Overlay, make_overlay
from soundsight_composer.typesetting import Bounds, Line, Setting, fit

SAFE_SHARE = 0.05
"""Part of the picture that letters keep out of, on each side."""

_WHITE = (252, 248, 240)
_BLACK = (0, 0, 0)
_LEAST_EM = 9.0
_LEAST_EM_SHARE = 0.032
# Letters are drawn larger and averaged, so that they stand between pixels as they should.
_OVERSAMPLING = 4
_SHRINK = 0.92
_THIN_STROKES_EM = 5.0
_BLOCK_ROOM = 0.5
_COARSE_RADIUS = 8.0
_VEIL = 0.55


@dataclass(frozen=True, slots=True)
class _Look:
    """How a paragraph is set: `em` against the picture's shorter side, `width` against the
    picture's; tracking, leading and the room before it in ems."""

    em: float
    tracking: float
    leading: float
    lines: int
    room_before: float = 0.0
    width: float = 1 - 2 * SAFE_SHARE
    capitals: bool = False


_TITLE = _Look(em=0.105, tracking=0.26, leading=1.3, lines=3, width=0.84, capitals=True)
_ARTIST = _Look(em=0.046, tracking=0.2, leading=1.5, lines=2, room_before=1.25, width=0.84)
_SUBTITLE = _Look(em=0.055, tracking=0.01, leading=1.25, lines=2)
# Long titles are set less wide: this many ems of tracking in all, but never less than the second.
_TRACKING_IN_ALL, _LEAST_TRACKING = 5.0, 0.1
_ARTIST_TO_TITLE = 0.6
# Where a title's optical middle stands, from the top.
_TITLE_MIDDLE = 0.47


@dataclass(frozen=True, slots=True)
class _Placed:
    """A line with the place of its start on the baseline, in pixels."""

    face: Face
    line: Line
    em: float
    x: float
    baseline: float


@dataclass(frozen=True, slots=True)
class Lettering:
    """A drawn caption; `cut` when not all of its text found room."""

    overlay: Overlay
    cut: bool


def letter(text: str, style: Style, width: int, height: int) -> Lettering | None:
    """Draws a caption for a picture of this size; None when no font here has its characters."""
    looks = [_TITLE, _ARTIST, _ARTIST] if style == "title" else [_SUBTITLE] * 3
    paragraphs: list[tuple[Face, str, _Look]] = []
    for look, plain in zip(looks, _paragraphs(text), strict=False):
        shown = plain.upper() if look.capitals else plain
        face = find_face(shown)
        if face is None and shown != plain:
            shown, face = plain, find_face(plain)
        if face is None:
            return None
        paragraphs.append((face, shown, look))
    if not paragraphs:
        return None
    settings, leads = _settings(paragraphs, width, height)
    placed = _placed(settings, leads, style, width, height)
    return Lettering(
        _drawn(placed, style, width, height), cut=any(setting.cut for setting in settings)
    )


def _paragraphs(text: str) -> list[str]:
    """The text's lines, composed, with single spaces, without characters that show nothing."""
    lines = unicodedata.normalize("NFC", text).split("\n")
    kept = [
        "".join(one for one in line if unicodedata.category(one) != "Cf" or one in "\u200c\u200d")
        for line in lines
    ]
    return [" ".join(line.split()) for line in kept if line.split()]


def _settings(
    paragraphs: Sequence[tuple[Face, str, _Look]], width: int, height: int
) -> tuple[list[Setting], list[tuple[float, float]]]:
    """Each paragraph set; and its lines' distance, and the room before it, in pixels.

    All are made smaller together until they fit between top and bottom.
    """
    side = min(width, height)
    least = max(_LEAST_EM, _LEAST_EM_SHARE * side)
    scale = 1.0
    while True:
        settings: list[Setting] = []
        leads: list[tuple[float, float]] = []
        for face, text, look in paragraphs:
            em = look.em * side * scale
            if look is _ARTIST:
                em = min(em, _ARTIST_TO_TITLE * settings[0].em)
            lines = 1 if look is _SUBTITLE and len(paragraphs) > 1 else look.lines
            bounds = Bounds(width * look.width, max(least, em), least, lines)
            tracking = max(min(look.tracking, _TRACKING_IN_ALL / len(text)), _LEAST_TRACKING)
            setting = fit(face, text, min(look.tracking, tracking), bounds)
            settings.append(setting)
            leads.append((look.leading * setting.em, look.room_before * setting.em))
        total = sum(
            lead * len(one.lines) + room for one, (lead, room) in zip(settings, leads, strict=True)
        )
        if total <= height * (1 - 2 * SAFE_SHARE) or scale * _TITLE.em * side < least:
            return settings, leads
        scale *= _SHRINK


def _placed(
    settings: Sequence[Setting],
    leads: Sequence[tuple[float, float]],
    style: Style,
    width: int,
    height: int,
) -> list[_Placed]:
    """The lines in the middle of the picture's width, one below the other."""
    placed: list[_Placed] = []
    y = 0.0
    for setting, (lead, room) in zip(settings, leads, strict=True):
        y += room
        for line in setting.lines:
            y += lead
            x = (width - line.width * setting.em) / 2
            placed.append(_Placed(setting.face, line, setting.em, x, y))
    highest = placed[0].baseline - _ascent(placed[0])
    lowest = placed[-1].baseline + _descent(placed[-1])
    if style == "title":
        by = height * _TITLE_MIDDLE - (highest + lowest) / 2
    else:
        by = height * (1 - SAFE_SHARE) - lowest
    by = min(max(by, height * SAFE_SHARE - highest), height * (1 - SAFE_SHARE) - lowest)
    return [_Placed(one.face, one.line, one.em, one.x, one.baseline + by) for one in placed]


def _ascent(one: _Placed) -> float:
    return -_extent(one)[0]


def _descent(one: _Placed) -> float:
    return _extent(one)[1]


def _extent(one: _Placed) -> tuple[float, float]:
    """Top and bottom of the line's ink against its baseline, in pixels."""
    box = one.face.at(256).getbbox("".join(one.line.pieces), anchor="ls")
    return box[1] / 256 * one.em, box[3] / 256 * one.em


def _drawn(placed: Sequence[_Placed], style: Style, width: int, height: int) -> Overlay:
    largest = max(one.em for one in placed)
    reach = largest * (3.0 if style == "title" else 1.6)
    top = _even(min(one.baseline - _ascent(one) for one in placed) - reach, height)
    bottom = _even(max(one.baseline + _descent(one) for one in placed) + reach + 2, height)
    left = _even(min(one.x for one in placed) - reach, width)
    right = _even(max(one.x + one.line.width * one.em for one in placed) + reach + 2, width)
    ink = np.zeros((bottom - top, right - left), np.float32)
    light = np.ones_like(ink)
    for one in placed:
        own = np.zeros_like(ink)
        _draw_line(own, one, left, top)
        np.maximum(ink, own, out=ink)
        light *= 1 - _halo(own, one.em)
    veil = _block(placed, ink.shape, left, top)
    light *= 1 - _VEIL * soft(veil, (1.1 if style == "title" else 0.6) * largest)
    shade = 1 - light
    shade *= _faded_to_the_edge(shade.shape, (top, left, bottom, right), reach, width, height)
    return make_overlay(width, height, (top, left), [(shade, _BLACK), (ink, _WHITE)])


def _draw_line(ink: F32, one: _Placed, left: int, top: int) -> None:
    """Draws a line's letters into the box whose corner lies at `left`, `top`."""
    times = _OVERSAMPLING
    font = one.face.at(one.em * times)
    first = max(0, int(one.baseline - _ascent(one)) - top - 3)
    last = min(ink.shape[0], int(one.baseline + _descent(one)) - top + 4)
    columns = ink.shape[1]
    canvas = Image.new("L", (columns * times, (last - first) * times))
    pen = ImageDraw.Draw(canvas)
    baseline = (one.baseline - top - first) * times
    for piece, start in zip(one.line.pieces, one.line.starts, strict=True):
        x = (one.x - left + start * one.em) * times
        pen.text((x, baseline), piece, fill=255, font=font, anchor="ls")
    drawn = np.asarray(canvas, np.float32) / 255
    ink[first:last] = drawn.reshape(last - first, times, columns, times).mean(axis=(1, 3))
    # Strokes thinner than a pixel would look grey.
    np.minimum(ink * (1 + _THIN_STROKES_EM / one.em), 1.0, out=ink)


def _block(placed: Sequence[_Placed], shape: tuple[int, ...], left: int, top: int) -> F32:
    """1 where all the lines stand, with some room above and below, and between them."""
    block = np.zeros(shape, np.float32)
    room = _BLOCK_ROOM * max(one.em for one in placed)
    above = min(one.baseline - _ascent(one) for one in placed) - room - top
    below = max(one.baseline for one in placed) + room - top
    begin = min(one.x for one in placed) - left
    end = max(one.x + one.line.width * one.em for one in placed) - left
    block[max(0, int(above)) : max(0, int(below)), max(0, int(begin)) : max(0, int(end))] = 1.0
    return block


def _halo(ink: F32, em: float) -> F32:
    """How much is darkened close around letters: enough to see their edges on any picture."""
    close = np.minimum(1.0, 1.7 * soft(ink, 0.07 * em))
    near = np.minimum(1.0, 2.0 * soft(ink, 0.3 * em))
    halo: F32 = 1 - (1 - 0.4 * close) * (1 - 0.5 * near)
    return halo


def soft(plane: F32, radius: float) -> F32:
    """The plane blurred, nearly as by a Gaussian of this standard deviation, without rounding."""
    times = int(radius / _COARSE_RADIUS)
    if times > 1:
        # What is blurred this much can be blurred small: it has no detail to lose.
        size = (plane.shape[1], plane.shape[0])
        small = tuple(max(1, round(side / times)) for side in size)
        few = np.asarray(Image.fromarray(plane).resize(small, Image.Resampling.BOX))
        blurred = Image.fromarray(soft(few, radius * small[0] / size[0]))
        return np.asarray(blurred.resize(size, Image.Resampling.BILINEAR))
    reach = max(1, round(radius))
    for axis in (0, 1):
        for _ in range(3):
            plane = _box_mean(plane, reach, axis)
    return plane


def _box_mean(plane: F32, reach: int, axis: int) -> F32:
    """Means over `reach` neighbours on both sides; beyond the edge there is nothing."""
    padding = [(0, 0), (0, 0)]
    padding[axis] = (reach + 1, reach)
    sums = np.cumsum(np.pad(plane, padding), axis=axis, dtype=np.float64)
    length, window = plane.shape[axis], 2 * reach + 1
    upper = np.take(sums, range(window, window + length), axis=axis)
    lower = np.take(sums, range(length), axis=axis)
    return ((upper - lower) / window).astype(np.float32)


def _faded_to_the_edge(
    shape: tuple[int, ...], box: tuple[int, int, int, int], reach: float, width: int, height: int
) -> F32:
    """1 inside, falling to 0 at those edges of the box that lie inside the picture."""
    top, left, bottom, right = box
    ramps = []
    for count, begins, ends in (
        (shape[0], top > 0, bottom < height),
        (shape[1], left > 0, right < width),
    ):
        at = np.arange(count, dtype=np.float32)
        ramp = np.ones(count, np.float32)
        if begins:
            ramp = np.minimum(ramp, at / (0.5 * reach))
        if ends:
            ramp = np.minimum(ramp, (count - 1 - at) / (0.5 * reach))
        ramps.append(ramp)
    return np.outer(ramps[0], ramps[1]).astype(np.float32)


def _even(at: float, most: int) -> int:
    """The even number below, within the picture."""
    return min(max(0, int(at) // 2 * 2), most)
