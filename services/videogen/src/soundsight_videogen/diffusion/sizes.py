"""Picture sizes: from the one asked for to one that a model can make. Pure."""

from __future__ import annotations

import math

Size = tuple[int, int]
"""Width and height, in pixels."""


def fit_size(wanted: Size, *, multiple: int, most_pixels: int) -> Size:
    """The size nearest to `wanted`, in shape before area, that is whole multiples and not larger
    than `most_pixels` (0: no bound)."""
    width, height = wanted
    scale = 1.0
    if most_pixels and width * height > most_pixels:
        scale = math.sqrt(most_pixels / (width * height))

    def side(pixels: int) -> int:
        return max(1, round(pixels * scale / multiple)) * multiple

    fitted = side(width), side(height)
    while most_pixels and fitted[0] * fitted[1] > most_pixels and max(fitted) > multiple:
        # Rounding up went beyond the bound: the longer side gives way.
        longer = 0 if fitted[0] >= fitted[1] else 1
        sides = list(fitted)
        sides[longer] -= multiple
        fitted = sides[0], sides[1]
    return fitted


def cover_crop(picture: Size, target: Size) -> tuple[int, int, int, int]:
    """Left, top, width and height of the largest middle part of `picture` in the target's shape."""
    width, height = picture
    shape = target[0] / target[1]
    if width / height > shape:
        inner = max(1, round(height * shape)), height
    else:
        inner = width, max(1, round(width / shape))
    return (width - inner[0]) // 2, (height - inner[1]) // 2, inner[0], inner[1]
