"""Flashes that could hurt: WCAG 2.3.1, over a whole film, cuts included.

A flash is a pair of opposing changes. A general one changes the relative luminance by a tenth of
the brightest or more, where the darker state is below 0.8; a red one goes to and from saturated
red. More than three within a second over a quarter of the picture fail the criterion.

The picture is seen as a grid of tiles. A tile's light is followed from turn to turn: a change
counts when it has gone far enough from the last turning point, however many frames it took. The
picture flashes as often within a second as a quarter of its tiles do at least. Frames come one by
one and only a second of them is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.measures.chance import Floats
from soundsight_kit.measures.pictures import LUMA, Rgb, linear_tiles

ROWS, COLUMNS = 18, 32
"""Tiles of a wide picture; an upright one has as many the other way round."""

AREA = 0.25
"""Share of the picture that must flash. WCAG means a quarter of any 10 degrees of the visual
field, which is about what a picture fills at the usual distance."""

ALLOWED = 3
"""Flashes in a second that pass."""

STEP = 0.1
"""Change of relative luminance that makes half a flash."""

DARK = 0.8
"""Relative luminance that the darker state stays below."""

RED_STEP = 20.0
"""Change of (R - G - B) x 320, in linear light, that makes half a red flash: the working definition
of WCAG 2.0 and 2.1."""

RED_SHARE = 0.8
"""Share of red in R + G + B from which a red is saturated."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Flashes:
    """What was found of one kind of flash."""

    most: int
    """The largest count within any second."""
    most_at_s: float
    """Start of the first such second; 0 when nothing flashes."""
    too_many: tuple[tuple[float, float], ...]
    """Stretches of seconds with more flashes than are allowed, as start and end in seconds."""


@dataclass(frozen=True)
class FlashReport:
    """What was found in a film."""

    general: Flashes
    red: Flashes

    @property
    def safe(self) -> bool:
        """Whether no second has more flashes than are allowed."""
        return not self.general.too_many and not self.red.too_many


class FlashMeter:
    """Watches the frames of a film, one after the other."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._general = _Counter(fps, STEP)
        self._red = _Counter(fps, RED_STEP)

    def add(self, picture: Rgb) -> None:
        """Looks at the next frame: sRGB, shape (height, width, 3), the same size each time."""
        height, width, _ = picture.shape
        grid = (ROWS, COLUMNS) if width >= height else (COLUMNS, ROWS)
        tiles = linear_tiles(picture, min(grid[0], height), min(grid[1], width))
        luminance = tiles @ LUMA
        self._general.add(luminance, high=np.ones_like(luminance, dtype=bool), low=luminance < DARK)
        red, total = tiles[..., 0], tiles.sum(axis=-1)
        excess = np.maximum(0.0, 2 * red - total) * 320.0
        saturated = (red >= RED_SHARE * total) & (red > 0)
        self._red.add(excess, high=saturated, low=np.ones_like(saturated))

    def report(self) -> FlashReport:
        """Returns what was found so far."""
        return FlashReport(self._general.found(), self._red.found())


@dataclass
class _Counter:
    """Counts the flashes of the last second, whatever it is that flashes."""

    fps: float
    step: float
    _turns: _Turns | None = None
    _last_second: list[Bools] = field(default_factory=list)
    _changes: NDArray[np.int64] | None = None
    _frame: int = 0
    _most: int = 0
    _most_from: int = 0
    _over: list[tuple[int, int]] = field(default_factory=list)

    def add(self, level: Floats, *, high: Bools, low: Bools) -> None:
        """Follows the next frame's levels; `high` and `low` say which tiles are in a state that
        may be the upper or the lower end of a change."""
        if self._turns is None or self._changes is None:
            self._turns = _Turns(level, high, low)
            self._changes = np.zeros(level.shape, dtype=np.int64)
        changed = self._turns.follow(level, high, low, self.step)
        self._last_second.append(changed)
        self._changes += changed
        if len(self._last_second) > max(1, round(self.fps)):
            self._changes -= self._last_second.pop(0)
        self._judge(self._changes // 2)
        self._frame += 1

    def found(self) -> Flashes:
        """Returns what was found so far."""
        spans = tuple((first / self.fps, (last + 1) / self.fps) for first, last in self._over)
        return Flashes(self._most, self._most_from / self.fps, spans)

    def _judge(self, flashes: NDArray[np.int64]) -> None:
        """Takes in the second that ends with this frame."""
        levels = np.sort(flashes, axis=None)[::-1]
        # As often as each of the tiles that make up a quarter.
        count = int(levels[max(1, int(np.ceil(AREA * levels.size))) - 1])
        first = self._frame - len(self._last_second) + 1
        if count > self._most:
            self._most, self._most_from = count, first
        if count > ALLOWED:
            if self._over and first <= self._over[-1][1] + 1:
                first = self._over.pop()[0]
            self._over.append((first, self._frame))


class _Turns:
    """Where each tile's level turned last, and which way it has gone since."""

    def __init__(self, level: Floats, high: Bools, low: Bools) -> None:
        self._peak, self._peak_counts = level.copy(), high.copy()
        self._trough, self._trough_counts = level.copy(), low.copy()
        # 1: the last change went up, -1: down, 0: there was none yet.
        self._way = np.zeros(level.shape, dtype=np.int8)

    def follow(self, level: Floats, high: Bools, low: Bools, step: float) -> Bools:
        """Returns which tiles have, with this frame, changed far enough against the last way."""
        # A hair of tolerance: what is meant to be exactly a step is one.
        step -= 1e-6
        fell = (self._way >= 0) & (self._peak - level >= step) & self._peak_counts & low
        rose = (self._way <= 0) & (level - self._trough >= step) & high & self._trough_counts
        rose &= ~fell
        above, below = rose | (level > self._peak), fell | (level < self._trough)
        self._peak = np.where(above, level, self._peak)
        self._peak_counts = np.where(above, high, self._peak_counts)
        self._trough = np.where(below, level, self._trough)
        self._trough_counts = np.where(below, low, self._trough_counts)
        self._way = np.where(fell, -1, np.where(rose, 1, self._way)).astype(np.int8)
        return fell | rose
