"""Palettes: from the colours of a film's grade to the roles that a world paints with.

Colours inside the renderer are linear RGB (BT.709 primaries), so that light adds up as light does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RGB = tuple[float, float, float]

MIN_COLOURS = 3
MAX_COLOURS = 5


def linear_from_srgb(red: int, green: int, blue: int) -> RGB:
    """8-bit sRGB to linear RGB, each 0 to 1 (IEC 61966-2-1)."""

    def decode(value: int) -> float:
        v = value / 255.0
        return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4

    return decode(red), decode(green), decode(blue)


def luminance(colour: RGB) -> float:
    """Relative luminance of a linear colour (BT.709 weights)."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def mix(a: RGB, b: RGB, amount: float) -> RGB:
    """`a` at amount 0, `b` at amount 1."""
    return (
        a[0] + (b[0] - a[0]) * amount,
        a[1] + (b[1] - a[1]) * amount,
        a[2] + (b[2] - a[2]) * amount,
    )


def scale(colour: RGB, factor: float) -> RGB:
    """The colour, `factor` times as bright."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def at_luminance(colour: RGB, target: float) -> RGB:
    """The hue of `colour` at another luminance.

    A little grey is mixed in first: a pure blue raised to the luminance of daylight would
    otherwise leave every display's range.
    """
    grey = luminance(colour)
    soft = mix(colour, (grey, grey, grey), 0.12)
    return scale(soft, target / max(luminance(soft), 1e-4))


def recolour(natural: RGB, tint: RGB, amount: float) -> RGB:
    """Moves a natural colour towards the hue of `tint`, keeping its luminance."""
    return mix(natural, at_luminance(tint, luminance(natural)), amount)


def saturation(colour: RGB) -> float:
    """0 for grey, 1 for a colour with one channel at zero."""
    top = max(colour)
    return 0.0 if top <= 0.0 else (top - min(colour)) / top


def warmth(colour: RGB) -> float:
    """-1 (blue) to 1 (red)."""
    return (colour[0] - colour[2]) / max(max(colour), 1e-6)


@dataclass(frozen=True, slots=True)
class Palette:
    """A palette by roles. All colours are linear RGB.

    `shadow` is what the dark is made of, `light` the brightest tone; the accents are signs, lamps
    and glows, most colourful first. `colours` keeps all of them, darkest first, for the grade.
    """

    shadow: RGB
    accents: tuple[RGB, RGB, RGB]
    light: RGB
    colours: tuple[RGB, ...]

    @property
    def warmest(self) -> RGB:
        """The colour nearest to firelight."""
        return max(self.colours[1:], key=warmth)


def palette_from_srgb(colours: Sequence[tuple[int, int, int]]) -> Palette:
    """Gives roles to 3 to 5 sRGB colours, darkest first."""
    if not MIN_COLOURS <= len(colours) <= MAX_COLOURS:
        raise ValueError(f"a palette has {MIN_COLOURS} to {MAX_COLOURS} colours")
    linear = tuple(linear_from_srgb(*colour) for colour in colours)
    vivid = sorted(linear[1:], key=lambda c: saturation(c) * max(c) ** 0.25, reverse=True)
    accents = (vivid[0], vivid[1], vivid[2 % len(vivid)])
    return Palette(shadow=linear[0], accents=accents, light=linear[-1], colours=linear)
