"""Colours and sizes of the picture."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence

WIDTH_IN, HEIGHT_IN, DPI = 16.0, 9.0, 120
"""1920 x 1080 pixels; a vector picture has the same shape."""

GROUND = "#10131a"
PANEL = "#181d27"
RULE = "#2b3241"
TEXT = "#eef1f6"
SOFT = "#b3bbca"
FAINT = "#7c869a"

ENERGY = "#f6b26b"
BASS = "#8f8cf2"
ONSET = "#6fd0c5"
PERCUSSIVE = "#ef7d8f"
VALENCE = "#f4d35e"
AROUSAL = "#f26d6d"
VOICE = "#ff9ec7"
INSTRUMENT = "#86b6f6"
TEMPO = "#9fd8a4"

EVENT_COLOURS = {
    "drop": "#ff6b6b",
    "build-up": "#ffb35c",
    "break": "#6fc3ff",
    "climax": "#ffe066",
}

PRIMES = "'′"
"""What ends the label of a section that varies another one."""

_SECTIONS = (
    "#5b9df5",
    "#f28f5c",
    "#62c98d",
    "#c184ea",
    "#e6c34f",
    "#4fc4d6",
    "#ec6f8b",
    "#9aa8bd",
    "#a5cf5e",
    "#d39a6a",
)
_NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
_FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#", "Cb": "B", "Fb": "E"}

TITLE_PT, FACT_PT, TEXT_PT, SMALL_PT = 20.0, 14.0, 9.5, 8.5


def section_colours(labels: Iterable[str]) -> dict[str, str]:
    """Returns a colour for each label, in order of first appearance. A variant, such as A' of A,
    has the same one, paler."""
    found = list(dict.fromkeys(labels))
    kinds = list(dict.fromkeys(label.rstrip(PRIMES) for label in found))
    colours = {}
    for label in found:
        colour = _SECTIONS[kinds.index(label.rstrip(PRIMES)) % len(_SECTIONS)]
        colours[label] = colour if label == label.rstrip(PRIMES) else _paler(colour)
    return colours


def _paler(colour: str) -> str:
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * 0.4):02x}" for part in parts)


def lettering_colour(ground: Sequence[float]) -> str:
    """Returns the colour of words that can be read on a ground of red, green, blue and opacity:
    light or dark, whichever has more contrast by WCAG 2's relative luminance."""
    opacity = ground[3]
    under = [int(PANEL[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    seen = [opacity * one + (1 - opacity) * two for one, two in zip(ground[:3], under, strict=True)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in seen]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Where both have the same contrast: (1.05)(0.05) = (l + 0.05)^2.
    return GROUND if luminance > 0.18 else TEXT


def chord_colour(label: str) -> str:
    """Returns the colour of a chord in Harte's notation: neighbours on the circle of fifths have
    neighbouring hues, minor chords are darker; no chord has the ground's."""
    root, _, quality = label.partition(":")
    root = _FLATS.get(root, root)
    if root not in _NAMES:
        return PANEL
    hue = (_NAMES.index(root) * 7 % 12) / 12
    minor = quality.startswith(("min", "dim", "hdim"))
    red, green, blue = colorsys.hls_to_rgb(hue, 0.38 if minor else 0.55, 0.42)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
