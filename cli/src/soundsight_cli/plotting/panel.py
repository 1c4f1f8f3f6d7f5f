"""What stands beside the lanes: the song on the circumplex, its tags, its concept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight_cli import naming
from soundsight_cli.plotting.lettering import LINE_HEIGHT, Lettering, plain
from soundsight_cli.plotting.look import (
    AROUSAL,
    ENERGY,
    FAINT,
    GROUND,
    HEIGHT_IN,
    PANEL,
    RULE,
    SMALL_PT,
    SOFT,
    TEXT,
    TEXT_PT,
    VALENCE,
    WIDTH_IN,
    chord_colour,
)

ROW_IN = 0.185
HEAD_IN = 0.24
GAP_IN = 0.14
CIRCLE_IN = 1.85
MOST_OF_GROUP = 5
MOST_CHORDS = 5
MOST_LINES = 11
LONGEST_S = 40.0
"""A section of this length gets the largest dot of the circumplex."""


@dataclass(frozen=True)
class Box:
    """A part of the sheet, in inches from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def top(self) -> float:
        """Its upper edge."""
        return self.bottom + self.height


def has_panel(song: a.SongAnalysis) -> bool:
    """Whether there is anything to stand beside the lanes."""
    return bool(
        song.tags
        or song.HasField("emotion")
        or song.concept.summary
        or naming.chord_shares(song.harmony.chords)
    )


def draw_panel(
    figure: Figure,
    box: Box,
    song: a.SongAnalysis,
    lettering: Lettering,
    colours: Mapping[str, str],
) -> None:
    """Draws what there is, from top to bottom, as far as there is room."""
    pen = _Pen(figure, box, lettering)
    if song.HasField("emotion"):
        pen.head("feeling of the sections" if song.sections else "feeling")
        _circumplex(pen.square(CIRCLE_IN), song, colours, lettering)
    lines = []
    if song.concept.summary:
        room_in = box.width
        lines = lettering.wrapped(plain(song.concept.summary, 900), room_in, TEXT_PT, MOST_LINES)
    concept_in = GAP_IN + HEAD_IN + len(lines) * _line_in() if lines else 0.0
    if shares := naming.chord_shares(song.harmony.chords)[:MOST_CHORDS]:
        pen.gap()
        pen.head("chords")
        for label, share in shares:
            pen.bar(plain(naming.chord(label)), share, chord_colour(label))
    if song.tags:
        pen.gap()
        _tags(pen, naming.by_group(song.tags), pen.left_in - concept_in)
    if lines:
        pen.gap()
        pen.head("concept")
        for line in lines:
            pen.line(line)


class _Pen:
    """Writes from the top of a box to its bottom."""

    def __init__(self, figure: Figure, box: Box, lettering: Lettering) -> None:
        self._figure = figure
        self._box = box
        self._lettering = lettering
        self._y = box.top

    @property
    def left_in(self) -> float:
        """The height that is left, in inches."""
        return self._y - self._box.bottom

    def gap(self) -> None:
        """Leaves a little room, but at the top."""
        if self._y < self._box.top:
            self._y -= GAP_IN

    def head(self, text: str) -> None:
        """Writes a heading."""
        self._y -= HEAD_IN
        fitted = self._lettering.fitted(text.upper(), self._box.width, SMALL_PT, bold=True)
        self._write(self._box.left, self._y + 0.09, fitted, SMALL_PT, FAINT, bold=True)

    def line(self, text: str) -> None:
        """Writes a line of running text."""
        self._y -= _line_in()
        self._write(self._box.left, self._y + 0.03, text, TEXT_PT, SOFT)

    def words(self, name: str, text: str) -> None:
        """Writes a row of a name and what belongs to it."""
        self._y -= ROW_IN
        middle, name_in = self._y + ROW_IN / 2, self._box.width * 0.29
        fitted = self._lettering.fitted(name, name_in - 0.05, SMALL_PT)
        self._write(self._box.left, middle, fitted, SMALL_PT, FAINT, middle=True)
        fitted = self._lettering.fitted(text, self._box.width - name_in, TEXT_PT)
        self._write(self._box.left + name_in, middle, fitted, TEXT_PT, TEXT, middle=True)

    def square(self, side_in: float) -> Axes:
        """Takes a square in the middle and returns axes in it."""
        side_in = min(side_in, self._box.width)
        self._y -= side_in
        left = self._box.left + (self._box.width - side_in) / 2
        return self._figure.add_axes(
            (left / WIDTH_IN, self._y / HEIGHT_IN, side_in / WIDTH_IN, side_in / HEIGHT_IN)
        )

    def bar(self, text: str, share: float, colour: str) -> None:
        """Writes a row with a bar of a share of the room, and the share as a number."""
        self._y -= ROW_IN
        middle = self._y + ROW_IN / 2
        left, width = self._box.left, self._box.width
        words_in, number_in = width * 0.44, 0.34
        fitted = self._lettering.fitted(text, words_in - 0.08, TEXT_PT)
        self._write(left, middle, fitted, TEXT_PT, TEXT, middle=True)
        room_in = width - words_in - number_in
        for length_in, fill in ((room_in, PANEL), (room_in * min(1.0, max(0.0, share)), colour)):
            self._figure.add_artist(
                Rectangle(
                    ((left + words_in) / WIDTH_IN, (middle - 0.045) / HEIGHT_IN),
                    length_in / WIDTH_IN,
                    0.09 / HEIGHT_IN,
                    facecolor=fill,
                    edgecolor="none",
                    transform=self._figure.transFigure,
                )
            )
        number = f"{share:.2f}"
        self._write(left + width, middle, number, SMALL_PT, FAINT, middle=True, right=True)

    def _write(
        self,
        x_in: float,
        y_in: float,
        text: str,
        size_pt: float,
        colour: str,
        *,
        bold: bool = False,
        middle: bool = False,
        right: bool = False,
    ) -> None:
        self._figure.text(
            x_in / WIDTH_IN,
            y_in / HEIGHT_IN,
            plain(text),
            fontproperties=self._lettering.font(size_pt, bold=bold),
            color=colour,
            ha="right" if right else "left",
            va="center_baseline" if middle else "baseline",
            parse_math=False,
        )


def _line_in() -> float:
    return TEXT_PT / 72 * LINE_HEIGHT


def _tags(pen: _Pen, groups: Mapping[str, Sequence[a.Tag]], room_in: float) -> None:
    """The best tags with bars: one of each group, then a second of each, and so on while there is
    room. Where there is none for two of each they stand in a line per group."""
    few_in = sum(HEAD_IN + ROW_IN * min(2, len(tags)) for tags in groups.values())
    if few_in > room_in:
        pen.head("tags")
        for group, tags in list(groups.items())[: max(0, int((room_in - HEAD_IN) / ROW_IN))]:
            pen.words(group, ", ".join(plain(tag.label) for tag in tags[:MOST_OF_GROUP]))
        return
    shown: dict[str, int] = {}
    for rank in range(MOST_OF_GROUP):
        for group, tags in groups.items():
            needed_in = ROW_IN if group in shown else HEAD_IN + ROW_IN
            if rank < len(tags) and needed_in <= room_in:
                shown[group] = rank + 1
                room_in -= needed_in
    for group, many in shown.items():
        pen.head(group)
        for tag in groups[group][:many]:
            pen.bar(plain(tag.label), tag.score, ENERGY)


def _circumplex(
    axes: Axes, song: a.SongAnalysis, colours: Mapping[str, str], lettering: Lettering
) -> None:
    """Valence to the right, arousal upwards: sections as dots, the whole song as a ring."""
    axes.set_xlim(-1.08, 1.08)
    axes.set_ylim(-1.02, 1.14)
    axes.set_axis_off()
    axes.add_patch(Circle((0, 0), 1.0, facecolor=PANEL, edgecolor=RULE, linewidth=1.2))
    axes.plot([-1, 1], [0, 0], color=RULE, linewidth=1)
    axes.plot([0, 0], [-1, 1], color=RULE, linewidth=1)
    for x, y, word in (
        (-0.47, 0.62, "tense"),
        (0.47, 0.62, "excited"),
        (-0.47, -0.62, "sad"),
        (0.47, -0.62, "calm"),
    ):
        _word(axes, x, y, word, FAINT, lettering)
    _word(axes, 1.06, 0.0, "valence", VALENCE, lettering, size_pt=SMALL_PT - 1, left=True)
    _word(axes, 0.0, 1.08, "arousal", AROUSAL, lettering, size_pt=SMALL_PT - 1)
    felt = [section for section in song.sections if section.HasField("emotion")]
    path = [_place(section.emotion) for section in felt]
    axes.plot([x for x, _ in path], [y for _, y in path], color=FAINT, linewidth=0.8, alpha=0.7)
    for section, (x, y) in zip(felt, path, strict=True):
        length = min(1.0, max(0.0, section.end_s - section.start_s) / LONGEST_S)
        axes.scatter(
            [x],
            [y],
            s=18 + 90 * math.sqrt(length),
            color=colours[section.label],
            edgecolors=GROUND,
            linewidths=0.8,
            zorder=3,
        )
    x, y = _place(song.emotion.overall)
    axes.scatter([x], [y], s=130, facecolors="none", edgecolors=TEXT, linewidths=1.8, zorder=4)


def _place(emotion: a.Emotion) -> tuple[float, float]:
    """Valence and arousal, within the square."""
    return max(-1.0, min(1.0, emotion.valence)), max(-1.0, min(1.0, emotion.arousal))


def _word(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    colour: str,
    lettering: Lettering,
    *,
    size_pt: float = SMALL_PT,
    left: bool = False,
) -> None:
    axes.text(
        x,
        y,
        text,
        fontproperties=lettering.font(size_pt),
        color=colour,
        ha="left" if left else "center",
        va="center",
        zorder=2,
    )
