"""Words on the picture: fonts that have their characters, and as much of a text as has room."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache

from matplotlib import font_manager
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

from soundsight_cli.display import printable
from soundsight_cli.plotting.look import DPI

OWN = "DejaVu Sans"
"""Comes with matplotlib, so that it is there on every machine."""

LAST_RESORT = "Last Resort"
"""matplotlib's own font of boxes, which it takes by itself for what no other font has."""

ELLIPSIS = "…"
LINE_HEIGHT = 1.35
"""Distance between lines, in sizes of the font."""


class Lettering:
    """The fonts of one picture, and how wide they set a text.

    Where the own font lacks a character of the texts, fonts of this machine that have it are
    added; where none has, a box stands for it.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        missing = {one for text in texts for one in text if one.isprintable()}
        missing -= _characters(_path(OWN))
        self.families = [OWN, *_families_with(missing)]
        # Per picture: the renderer is the matter of one thread.
        self._width = lru_cache(maxsize=65_536)(self._measured)

    @cached_property
    def _renderer(self) -> RendererAgg:
        return RendererAgg(8, 8, DPI)  # type: ignore[no-untyped-call]

    def font(self, size_pt: float, *, bold: bool = False) -> FontProperties:
        """Returns the font of a size."""
        return FontProperties(
            family=self.families, size=size_pt, weight="bold" if bold else "normal"
        )

    def width_in(self, text: str, size_pt: float, *, bold: bool = False) -> float:
        """Returns how wide a line is set, in inches."""
        return self._width(text, size_pt, bold)

    def fitted(self, text: str, room_in: float, size_pt: float, *, bold: bool = False) -> str:
        """Returns the text, or as much of its beginning as there is room for, or nothing when not
        even three characters would be left of it."""
        text = plain(text)
        if not text or self.width_in(text, size_pt, bold=bold) <= room_in:
            return text if room_in > 0 else ""
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width_in(_cut(text, middle), size_pt, bold=bold) <= room_in:
                low = middle
            else:
                high = middle - 1
        return _cut(text, low) if low >= 3 else ""

    def wrapped(self, text: str, room_in: float, size_pt: float, most: int) -> list[str]:
        """Returns a text in at most so many lines; the last one is cut when there is more."""
        lines: list[str] = []
        words = plain(text).split()
        while words and len(lines) < most:
            line = words.pop(0)
            while words and self.width_in(f"{line} {words[0]}", size_pt) <= room_in:
                line += f" {words.pop(0)}"
            if words and len(lines) == most - 1:
                line = f"{line} {' '.join(words)}"
            lines.append(self.fitted(line, room_in, size_pt))
        return lines

    def _measured(self, text: str, size_pt: float, bold: bool) -> float:
        width, _, _ = self._renderer.get_text_width_height_descent(  # type: ignore[no-untyped-call]
            text, self.font(size_pt, bold=bold), ismath=False
        )
        return float(width) / DPI


@contextmanager
def boxes_for_the_unknown() -> Iterator[None]:
    """Draws a box for a character that no font of this machine has, without a word about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def plain(text: str, most: int = 400) -> str:
    """Returns a text in one line, without anything that is not to be seen, and of no more than it
    takes to fill a line."""
    return printable(" ".join(text[: 4 * most].split()))[:most]


def _cut(text: str, length: int) -> str:
    return text if length >= len(text) else text[:length].rstrip(" ,.;:–-(") + ELLIPSIS


def _path(family: str) -> str:
    return font_manager.findfont(FontProperties(family=[family]))


@lru_cache(maxsize=512)
def _characters(path: str) -> frozenset[str]:
    """The characters that a font file has; none when it cannot be used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            font = FT2Font(path)
            found = font.get_charmap()
            font.set_size(10, DPI)
            font.load_char(next(iter(found)))  # Fonts of coloured bitmaps cannot be drawn.
            return frozenset(map(chr, found))
    except (RuntimeError, OSError, StopIteration, ValueError):
        return frozenset()


def _families_with(missing: set[str]) -> list[str]:
    """Families of this machine that have the characters, those with most of them first."""
    left, found = set(missing), list[str]()
    entries = [
        entry
        for entry in font_manager.fontManager.ttflist
        if entry.style == "normal" and not entry.name.startswith(LAST_RESORT)
    ]
    while left:
        best = max(
            entries,
            key=lambda entry: (len(left & _characters(entry.fname)), -abs(_weight(entry) - 400)),
            default=None,
        )
        covered = left & _characters(best.fname) if best is not None else set()
        if best is None or not covered:
            break
        found.append(best.name)
        left -= covered
    return found


def _weight(entry: font_manager.FontEntry) -> int:
    return entry.weight if isinstance(entry.weight, int) else 400
