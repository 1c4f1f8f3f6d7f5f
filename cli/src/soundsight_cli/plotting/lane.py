"""What the parts of the picture share: the time that runs along it, and how a lane is described."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray

from soundsight_cli.plotting.lettering import Lettering, plain
from soundsight_cli.plotting.look import TEXT, TEXT_PT

Values = NDArray[np.float64]

COLUMNS = 1400
"""Points along the picture: about its pixels."""

PAD_IN = 0.05
"""Least distance of words from what is beside them."""


class Span(Protocol):
    """What lasts from one moment to another, in seconds."""

    @property
    def start_s(self) -> float: ...

    @property
    def end_s(self) -> float: ...


S = TypeVar("S", bound=Span)


@dataclass(frozen=True)
class Stage:
    """What all lanes of a picture stand on."""

    lettering: Lettering
    duration_s: float
    width_in: float
    """Of the lanes."""
    colours: Mapping[str, str]
    """Of the sections, by label."""

    def room_in(self, start_s: float, end_s: float) -> float:
        """How many inches of the picture show a stretch of time."""
        start_s, end_s = max(0.0, start_s), min(self.duration_s, end_s)
        return max(0.0, end_s - start_s) / self.duration_s * self.width_in

    def inside(self, spans: Sequence[S]) -> Iterator[S]:
        """The spans of which something is to be seen."""
        return (one for one in spans if one.end_s > 0 and one.start_s < self.duration_s)

    def middle_s(self, start_s: float, end_s: float) -> float:
        """The middle of what is to be seen of a stretch of time."""
        return (max(0.0, start_s) + min(self.duration_s, end_s)) / 2

    def label(
        self,
        axes: Axes,
        start_s: float,
        end_s: float,
        y: float,
        text: str,
        size_pt: float,
        *,
        bold: bool = False,
        colour: str = TEXT,
        whole: bool = False,
    ) -> bool:
        """Writes a text into the middle of a stretch of time, as much of it as there is room for.

        Args:
            axes: the lane.
            start_s: where the stretch begins.
            end_s: where it ends.
            y: the height, in the lane's values.
            text: what to write.
            size_pt: the size of the font.
            bold: whether it is bold.
            colour: its colour.
            whole: whether it is left out rather than cut.

        Returns:
            Whether anything was written.
        """
        room_in = self.room_in(start_s, end_s) - PAD_IN
        fitted = self.lettering.fitted(text, room_in, size_pt, bold=bold)
        if not fitted or (whole and fitted != plain(text)):
            return False
        axes.text(
            self.middle_s(start_s, end_s),
            y,
            fitted,
            fontproperties=self.lettering.font(size_pt, bold=bold),
            color=colour,
            ha="center",
            va="center_baseline",
            clip_on=True,
            parse_math=False,
        )
        return True


@dataclass(frozen=True)
class Name:
    """What stands to the left of a lane."""

    text: str
    colour: str
    y: float = 0.5
    """Its height, from 0 (the lane's foot) to 1."""
    size_pt: float = TEXT_PT


@dataclass(frozen=True)
class Lane:
    """One strip of the picture along the time."""

    names: tuple[Name, ...]
    height: float
    """In inches; or, for one that grows, its share of the height that the others leave."""
    draw: Callable[[Axes, Stage], None]
    grows: bool = False


def blocks(
    axes: Axes,
    spans: Sequence[tuple[float, float]],
    low: float,
    high: float,
    colours: Sequence[tuple[float, ...]],
    *,
    edges: bool = True,
) -> None:
    """Draws a rectangle for each stretch of time, all of them as one thing.

    Args:
        axes: the lane.
        spans: start and end of each, in seconds.
        low: the foot of all.
        high: the top of all.
        colours: of each, as red, green, blue and opacity.
        edges: whether they are set apart from each other.
    """
    corners = [[(a, low), (a, high), (b, high), (b, low)] for a, b in spans]
    axes.add_collection(
        PolyCollection(
            corners,
            facecolors=list(colours),
            edgecolors=axes.get_facecolor() if edges else "none",
            linewidths=0.8 if edges else 0.0,
        ),
        autolim=False,
    )


def in_columns(values: Values, hop_s: float, duration_s: float) -> tuple[Values, Values]:
    """Returns moments (n,) and means (n,) of a curve, no more of them than the picture shows."""
    if not len(values) or hop_s <= 0:
        return np.zeros(0), np.zeros(0)
    values = values[: max(1, int(np.ceil(duration_s / hop_s)) + 1)]
    bounds = np.linspace(0, len(values), min(COLUMNS, len(values)) + 1).astype(np.int64)
    means = np.add.reduceat(values, bounds[:-1]) / np.diff(bounds)
    moments = (bounds[:-1] + bounds[1:] - 1) / 2 * hop_s
    return moments, means


def smoothed(values: Values, points: int) -> Values:
    """Returns a curve averaged over so many points, as long as it was."""
    if points < 2 or len(values) < 2:
        return values
    points = min(points, len(values))
    padded = np.pad(values, (points // 2, points - 1 - points // 2), mode="edge")
    return np.convolve(padded, np.full(points, 1 / points), mode="valid")
