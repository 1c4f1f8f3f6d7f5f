"""The song cut into windows that a model can hear at once; together they cover every second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_SHORTEST_S = 1e-3


@dataclass(frozen=True)
class Part:
    """A section of the song, in seconds; ``name`` is what it does there, such as `chorus`."""

    start_s: float
    end_s: float
    name: str = ""


@dataclass(frozen=True)
class Window:
    """A stretch of one part, in seconds; ``part`` is its index."""

    part: int
    start_s: float
    end_s: float


def parts_of(sections: Sequence[Part], duration_s: float) -> tuple[Part, ...]:
    """The sections, or the whole song as one part where it has none."""
    return tuple(sections) or (Part(0.0, duration_s),)


def cut(parts: Sequence[Part], limit_s: float) -> tuple[Window, ...]:
    """Equal windows of at most ``limit_s`` within each part, in order, without gap or overlap."""
    windows: list[Window] = []
    for index, part in enumerate(parts):
        length = part.end_s - part.start_s
        if length < _SHORTEST_S:
            continue
        count = max(1, math.ceil(length / limit_s - 1e-9))
        edges = [part.start_s + length * step / count for step in range(count)] + [part.end_s]
        windows += [Window(index, edges[step], edges[step + 1]) for step in range(count)]
    return tuple(windows)
