"""Picture sizes: from the one asked for to one that a model can make. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

Size = tuple[int, int]
"""Width and height, in pixels."""


def fit_size(wanted: Size, *, multiple: int, most_pixels: int, parts: int = 1) -> Size:
    """The size nearest to `wanted`, in shape before area, that is whole multiples and not larger
    than `most_pixels` (0: no bound), and whose width can be cut into so many such parts."""
    width, height = wanted
    multiples = multiple * parts, multiple
    scale = 1.0
    if most_pixels and width * height > most_pixels:
        scale = math.sqrt(most_pixels / (width * height))

    sides = [max(1, round(side * scale / m)) * m for side, m in zip(wanted, multiples, strict=True)]
    while most_pixels and sides[0] * sides[1] > most_pixels and sides != list(multiples):
        # Rounding up went beyond the bound: the longer side that can gives way.
        longer = max((0, 1), key=lambda i: (sides[i] > multiples[i], sides[i]))
        sides[longer] -= multiples[longer]
    return sides[0], sides[1]


def nearest_size(wanted: Size, sizes: Sequence[Size]) -> Size:
    """The one of some sizes whose shape is nearest to that of `wanted`, the first of equals."""

    def distance(size: Size) -> float:
        ratio = size[0] * wanted[1] / (size[1] * wanted[0])
        return max(ratio, 1 / ratio)

    return min(sizes, key=distance)


def cover_crop(picture: Size, target: Size) -> tuple[int, int, int, int]:
    """Left, top, width and height of the largest middle part of `picture` in the target's shape."""
    width, height = picture
    shape = target[0] / target[1]
    if width / height > shape:
        inner = max(1, round(height * shape)), height
    else:
        inner = width, max(1, round(width / shape))
    return (width - inner[0]) // 2, (height - inner[1]) // 2, inner[0], inner[1]
