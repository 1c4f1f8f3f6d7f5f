"""Colour arithmetic in OKLCH (Björn Ottosson, 2020), where equal steps look equal.

Lightness is 0 to 1, chroma 0 to about 0.33 in sRGB, hue in degrees (red 30, yellow 100, green 145,
cyan 200, blue 260, magenta 330).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Lch:
    """A colour in OKLCH."""

    lightness: float
    chroma: float
    hue: float

    def turned(self, degrees: float) -> Lch:
        """The colour with another hue."""
        return replace(self, hue=(self.hue + degrees) % 360.0)

    def tinted(self, hue: float, amount: float) -> Lch:
        """The colour moved in OKLab by `amount` of chroma towards a hue, or away from it."""
        a, b = _ab(self)
        towards_a, towards_b = _ab(Lch(self.lightness, 1.0, hue))
        a, b = a + amount * towards_a, b + amount * towards_b
        return Lch(self.lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360.0)


@dataclass(frozen=True, slots=True)
class Rgb:
    """A colour in sRGB, 0 to 255 each, with what a person would call it."""

    red: int
    green: int
    blue: int
    name: str = ""

    @property
    def hex(self) -> str:
        """Such as `#0a1f44`."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


def _linear(lch: Lch) -> tuple[float, float, float]:
    a = lch.chroma * math.cos(math.radians(lch.hue))
    b = lch.chroma * math.sin(math.radians(lch.hue))
    long = (lch.lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lch.lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lch.lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _fits(lch: Lch) -> bool:
    # Near black a small negative channel is a visible error, near white rounding is not.
    return all(-1e-6 <= channel <= 1.0 + 1e-4 for channel in _linear(lch))


def _encode(channel: float) -> int:
    value = min(1.0, max(0.0, channel))
    coded = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255.0 * coded)


def _decode(value: int) -> float:
    coded = value / 255.0
    return coded / 12.92 if coded <= 0.04045 else ((coded + 0.055) / 1.055) ** 2.4


def to_rgb(lch: Lch) -> Rgb:
    """The nearest sRGB colour of the same lightness and hue: chroma gives way."""
    lch = replace(lch, lightness=min(1.0, max(0.0, lch.lightness)), chroma=max(0.0, lch.chroma))
    if not _fits(lch):
        low, high = 0.0, lch.chroma
        for _ in range(20):
            middle = (low + high) / 2.0
            low, high = (middle, high) if _fits(replace(lch, chroma=middle)) else (low, middle)
        lch = replace(lch, chroma=low)
    red, green, blue = _linear(lch)
    return Rgb(_encode(red), _encode(green), _encode(blue))


def to_lch(rgb: Rgb) -> Lch:
    """An sRGB colour in OKLCH."""
    red, green, blue = _decode(rgb.red), _decode(rgb.green), _decode(rgb.blue)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Lch(
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        math.hypot(a, b),
        math.degrees(math.atan2(b, a)) % 360.0,
    )


def from_hex(code: str) -> Rgb:
    """`#0a1f44` or `0a1f44` as a colour."""
    digits = code.removeprefix("#")
    return Rgb(int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16))


def difference(one: Lch, other: Lch) -> float:
    """Euclidean distance in OKLab: about 0.02 is just noticeable."""
    one_a, one_b = _ab(one)
    other_a, other_b = _ab(other)
    return math.dist((one.lightness, one_a, one_b), (other.lightness, other_a, other_b))


def _ab(lch: Lch) -> tuple[float, float]:
    angle = math.radians(lch.hue)
    return lch.chroma * math.cos(angle), lch.chroma * math.sin(angle)


def is_muddy(lch: Lch) -> bool:
    """Whether a colour is the brown or olive that comes of mixing without intent."""
    in_middle = 0.3 < lch.lightness < 0.72
    return in_middle and 50.0 <= lch.hue <= 130.0 and 0.02 < lch.chroma < 0.085
