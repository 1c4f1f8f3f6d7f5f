"""Sets text in lines: where lines break and how large they can be. Lengths are in ems until a size
is chosen, since everything about a line grows with its size. Pure but for what fonts measure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from soundsight_composer.fonts import Face

_MEASURED_AT = 256
# A further line must make the letters larger by more than this to be worth it.
_LINE_PENALTY = 0.8
_WIDE = ("W", "F")
_OPENING = ("Ps", "Pi")
_BREAK_BEHIND = "-–—/"
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: pieces to be drawn and where each starts, in ems from the line's start."""

    pieces: tuple[str, ...]
    starts: tuple[float, ...]
    width: float


@dataclass(frozen=True, slots=True)
class Setting:
    """Lines, and the size of their letters in pixels per em; `cut` when text was left out."""

    face: Face
    lines: tuple[Line, ...]
    em: float
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a setting must keep within: width in pixels, pixels per em, lines."""

    width: float
    em: float
    least_em: float
    lines: int


def fit(face: Face, text: str, tracking: float, bounds: Bounds) -> Setting:
    """Sets the text as large as its bounds allow, in as many lines as make it larger.

    Lines break between words and between ideographs; inside a word only when its letters would
    become smaller than `least_em`; and when even that is not enough, the text ends in an ellipsis.

    Args:
        face: a font that has the text's characters.
        text: one paragraph.
        tracking: room between letters, in ems, beyond what the font gives.
        bounds: what it must keep within.
    """
    whole = _set(face, _tokens(text), tracking, bounds)
    if whole.em < bounds.least_em and not face.shaped:
        whole = _set(face, list(text), tracking, bounds)
    if whole.em >= bounds.least_em:
        return whole
    fewest, most = 0, len(text)
    while fewest < most:
        middle = (fewest + most + 1) // 2
        if _shortened(face, text, middle, tracking, bounds).em >= bounds.least_em:
            fewest = middle
        else:
            most = middle - 1
    return _shortened(face, text, fewest, tracking, bounds)


def line(face: Face, text: str, tracking: float) -> Line:
    """A line's pieces with their places: letters one by one, or all at once where they join."""
    text = text.strip()
    if face.shaped:
        return Line((text,), (0.0,), _length(face, text))
    starts: list[float] = []
    at = 0.0
    for index, letter in enumerate(text):
        starts.append(at)
        after = text[index + 1 : index + 2]
        # With the next letter measured too, kerning counts.
        at += _length(face, letter + after) - (_length(face, after) if after else 0.0)
        at += tracking if after else 0.0
    return Line(tuple(text), tuple(starts), at)


def _shortened(face: Face, text: str, chars: int, tracking: float, bounds: Bounds) -> Setting:
    end = _ELLIPSIS if face.has(_ELLIPSIS) else "..."
    tokens = _tokens(text[:chars].rstrip(" ,;:.-") + end)
    words = _set(face, tokens, tracking, bounds)
    if words.em < bounds.least_em and not face.shaped:
        words = _set(face, list("".join(tokens)), tracking, bounds)
    return Setting(words.face, words.lines, words.em, cut=True)


def _set(face: Face, tokens: Sequence[str], tracking: float, bounds: Bounds) -> Setting:
    best: Setting | None = None
    worth = 0.0
    for count in range(1, min(bounds.lines, len(tokens)) + 1):
        lines = tuple(line(face, text, tracking) for text in _balanced(face, tokens, count))
        em = min(bounds.em, bounds.width / max(one.width for one in lines))
        # When a line count keeps letters readable and a smaller one does not, it is needed.
        value = em * (_LINE_PENALTY ** (count - 1)) if em >= bounds.least_em else em * 1e-3
        if best is None or value > worth:
            best, worth = Setting(face, lines, em), value
    assert best is not None, "a paragraph has at least one token"
    return best


def _balanced(face: Face, tokens: Sequence[str], count: int) -> list[str]:
    """The tokens in this many lines whose longest is as short as can be."""
    widths = [_length(face, token) for token in tokens]
    low, high = max(widths), sum(widths)
    for _ in range(24):
        middle = (low + high) / 2
        if len(_filled(widths, middle)) <= count:
            high = middle
        else:
            low = middle
    lines, at = [], 0
    for taken in _filled(widths, high):
        lines.append("".join(tokens[at : at + taken]))
        at += taken
    return [one for one in lines if one.strip()]


def _filled(widths: Sequence[float], limit: float) -> list[int]:
    """How many tokens each line takes when lines are filled up to a width."""
    counts: list[int] = []
    used = limit + 1.0
    for width in widths:
        if used + width > limit + 1e-9:
            counts.append(0)
            used = 0.0
        counts[-1] += 1
        used += width
    return counts


def _tokens(text: str) -> list[str]:
    """Pieces of the text between which a line may break; a space belongs to what it follows."""
    tokens = [text[:1]]
    for before, after in pairwise(text):
        if _may_break(before, after):
            tokens.append(after)
        else:
            tokens[-1] += after
    return tokens


def _may_break(before: str, after: str) -> bool:
    if after.isspace():
        return False
    if before.isspace() or before in _BREAK_BEHIND:
        return True
    kinds = unicodedata.category(before), unicodedata.category(after)
    if kinds[0] in _OPENING or (kinds[1][0] == "P" and kinds[1] not in _OPENING):
        return False
    return any(unicodedata.east_asian_width(one) in _WIDE for one in (before, after))


@lru_cache(maxsize=4096)
def _length(face: Face, text: str) -> float:
    """How far the text goes, in ems."""
    return face.at(_MEASURED_AT).getlength(text) / _MEASURED_AT
