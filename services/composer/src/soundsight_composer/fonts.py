"""Which font has the characters of a text: the one that comes with Pillow, else one of the system.

Pillow's is Aileron Regular, cut down to the letters of English; it is always there. For everything
else fontconfig is asked, where it is installed.
"""

from __future__ import annotations

import subprocess
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageFont, features

# Families that suit a title come first; fontconfig puts having the characters before the family.
_FAMILIES = "Jost,Montserrat,Lato,URW Gothic,Noto Sans,DejaVu Sans,sans-serif"
_FC_MATCH_TIMEOUT_S = 20.0
_CHECK_SIZE = 32
# A code point that is never a character: what a font shows for it, it shows for all it lacks.
_NO_CHARACTER = "\uffff"
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class Face:
    """A font: Pillow's own, or a file. `shaped` when its text must be set as a whole.

    Scripts whose letters join, stack or run from right to left are shaped by libraqm; their
    letters cannot be spaced.
    """

    path: str = ""
    index: int = 0
    shaped: bool = False

    def at(self, size: float) -> ImageFont.FreeTypeFont:
        """The font at a size in pixels per em."""
        return _font(self.path, self.index, self.shaped, size)

    def has(self, text: str) -> bool:
        """Whether it has every character of the text."""
        font = _font(self.path, self.index, False, _CHECK_SIZE)
        lacking = _ink(font, _NO_CHARACTER)
        return all(
            one.isspace() or one in _JOINERS or (any(ink := _ink(font, one)) and ink != lacking)
            for one in set(text)
        )


def find_face(text: str) -> Face | None:
    """A font that can set the text, if there is one here."""
    shaped = needs_shaping(text)
    if shaped and not features.check("raqm"):
        return None
    own = Face(shaped=shaped)
    if own.has(text):
        return own
    found = _system_face(text, shaped)
    return found if found is not None and found.has(text) else None


def needs_shaping(text: str) -> bool:
    """Whether the letters of the text change with their neighbours or run from right to left."""
    return any(
        unicodedata.bidirectional(one) in ("R", "AL", "AN")
        or unicodedata.category(one) in ("Mn", "Mc", "Me")
        or one in _JOINERS
        for one in text
    )


def _system_face(text: str, shaped: bool) -> Face | None:
    wanted = " ".join(f"{ord(one):x}" for one in sorted(set(text)) if not one.isspace())
    pattern = f"{_FAMILIES}:charset={wanted}:scalable=true"
    try:
        done = subprocess.run(
            ["fc-match", "--format=%{file}\n%{index}", pattern],
            capture_output=True,
            text=True,
            timeout=_FC_MATCH_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    path, _, index = done.stdout.partition("\n")
    if done.returncode != 0 or not path:
        return None
    face = Face(path, int(index) & 0xFFFF if index.isdigit() else 0, shaped)
    try:
        face.at(_CHECK_SIZE)
    except OSError:
        return None
    return face


@lru_cache(maxsize=64)
def _font(path: str, index: int, shaped: bool, size: float) -> ImageFont.FreeTypeFont:
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    if path:
        return ImageFont.truetype(path, size, index=index, layout_engine=engine)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font.font_variant(layout_engine=engine)


def _ink(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    return bytes(font.getmask(character))
