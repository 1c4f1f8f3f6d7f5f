"""The whole picture: what stands where, and how it becomes a file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight_cli import naming
from soundsight_cli.plotting.course import curve_lanes, emotion_lane
from soundsight_cli.plotting.facts import Fact, facts
from soundsight_cli.plotting.lane import Lane, Stage
from soundsight_cli.plotting.lettering import Lettering, boxes_for_the_unknown, plain
from soundsight_cli.plotting.look import (
    DPI,
    FACT_PT,
    FAINT,
    GROUND,
    HEIGHT_IN,
    PANEL,
    RULE,
    SMALL_PT,
    SOFT,
    TEXT,
    TEXT_PT,
    TITLE_PT,
    VALENCE,
    WIDTH_IN,
    section_colours,
)
from soundsight_cli.plotting.outline import MOST_EDGES, sections_lane, waveform_lane
from soundsight_cli.plotting.panel import Box, draw_panel, has_panel
from soundsight_cli.plotting.pulse import beats_lane, chords_lane, keys_lane, tempo_lane
from soundsight_cli.plotting.waveform import Waveform
from soundsight_cli.plotting.words import instruments_lane, lyrics_lane, voice_lane

MARGIN_IN, NAMES_IN, PANEL_IN, NOTES_IN = 0.35, 0.92, 2.75, 0.55
"""Widths: at the sides, of the lanes' names, of the panel, and between lanes and panel for what
stands to the right of a lane."""
HEADER_IN, FOOTER_IN, TIME_IN, LANE_GAP_IN = 1.42, 0.30, 0.32, 0.06
LEAST_FACT_IN, FACT_GAP_IN, SURE_IN = 0.75, 0.32, 0.55
MOST_TICKS = 14
SHORTEST_S = 1e-3
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


def draw(song: a.SongAnalysis, waveform: Waveform, title: str) -> Figure:
    """Draws an analysis.

    Args:
        song: what was heard; parts may be missing.
        waveform: the song's outline.
        title: what to call a song that does not say its title.
    """
    heading = " – ".join(filter(None, (song.metadata.title, song.metadata.artist))) or title
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, facecolor=GROUND)
    with boxes_for_the_unknown():
        _lay_out(figure, song, waveform, heading)
    return figure


def _lay_out(figure: Figure, song: a.SongAnalysis, waveform: Waveform, heading: str) -> None:
    lettering = Lettering(_texts(song, heading))
    colours = section_colours(section.label for section in song.sections)
    duration_s = max(song.audio.duration_s or waveform.duration_s, SHORTEST_S)
    beside = has_panel(song)
    left = MARGIN_IN + NAMES_IN
    right = MARGIN_IN + (PANEL_IN + NOTES_IN if beside else NOTES_IN)
    stage = Stage(lettering, duration_s, WIDTH_IN - left - right, colours)
    sheet = _Sheet(figure, lettering)
    sheet.header(heading, song, list(facts(song)))
    bottom = FOOTER_IN + TIME_IN
    room = Box(left, bottom, stage.width_in, HEIGHT_IN - HEADER_IN - bottom)
    sheet.lanes(room, list(lanes(song, waveform, stage)), stage, song.sections)
    if beside:
        box = Box(
            WIDTH_IN - MARGIN_IN - PANEL_IN, FOOTER_IN, PANEL_IN, HEIGHT_IN - HEADER_IN - FOOTER_IN
        )
        draw_panel(figure, box, song, lettering, colours)
    sheet.footer(song)


def lanes(song: a.SongAnalysis, waveform: Waveform, stage: Stage) -> Iterator[Lane]:
    """Yields the lanes from top to bottom: of what was heard, and the waveform always."""
    if song.sections:
        yield sections_lane(song.sections)
    yield waveform_lane(waveform, song.sections, song.dynamics.events)
    if song.rhythm.beats:
        yield beats_lane(song.rhythm, stage)
    if len(naming.tempo_changes(song.rhythm.tempo_curve)) > 1:
        yield tempo_lane(song.rhythm.tempo_curve)
    if len(song.harmony.keys) > 1:
        yield keys_lane(song.harmony.keys)
    if song.harmony.chords:
        yield chords_lane(song.harmony.chords)
    yield from curve_lanes(song.dynamics.curves)
    if song.emotion.valence:
        yield emotion_lane(song.emotion)
    if song.voice.spans:
        yield voice_lane(song.voice.spans)
    if song.instruments:
        yield instruments_lane(song.instruments)
    if any(plain(line.text) for line in song.lyrics.lines):
        yield lyrics_lane(song.lyrics, stage)


def encoded(figure: Figure, ending: str) -> bytes:
    """Returns the picture as a file's bytes, the same ones for the same picture.

    Args:
        figure: the picture.
        ending: `.png` or `.svg`.
    """
    file = io.BytesIO()
    with boxes_for_the_unknown(), mpl.rc_context({"svg.hashsalt": "soundsight"}):
        if ending == ".svg":
            vector = FigureCanvasSVG(figure)
            notes = {"Date": None, "Creator": "Soundsight"}
            vector.print_svg(file, metadata=notes)  # type: ignore[no-untyped-call]
        else:
            raster = FigureCanvasAgg(figure)
            raster.print_png(file, metadata={"Software": "Soundsight"})  # type: ignore[no-untyped-call]
    return file.getvalue()


def time_step_s(duration_s: float) -> float:
    """Returns the distance of the marks on the time axis."""
    fitting = (step for step in _STEPS_S if duration_s / step <= MOST_TICKS)
    return next(fitting, _STEPS_S[-1])


class _Sheet:
    """Places things on a figure, in inches from its lower left corner."""

    def __init__(self, figure: Figure, lettering: Lettering) -> None:
        self._figure = figure
        self._lettering = lettering

    def header(self, heading: str, song: a.SongAnalysis, shown: Sequence[Fact]) -> None:
        """The title, and below it the facts from left to right, as many as there is room for."""
        whole_in = WIDTH_IN - 2 * MARGIN_IN
        length = naming.clock(song.audio.duration_s) if song.audio.duration_s else ""
        length_in = self._lettering.width_in(length, FACT_PT) + 0.3
        title = self._lettering.fitted(heading, whole_in - length_in, TITLE_PT, bold=True)
        base = HEIGHT_IN - 0.53
        self._write(MARGIN_IN, base, title, TITLE_PT, TEXT, bold=True)
        self._write(WIDTH_IN - MARGIN_IN, base, length, FACT_PT, SOFT, right=True)
        left = MARGIN_IN
        for fact in shown:
            width_in = self._fact_in(fact)
            if left + width_in > WIDTH_IN - MARGIN_IN:
                break
            self._fact(left, HEIGHT_IN - 0.80, fact)
            left += width_in + FACT_GAP_IN

    def lanes(
        self, box: Box, shown: Sequence[Lane], stage: Stage, sections: Sequence[a.Section]
    ) -> None:
        """The lanes in a box, below each other over one time axis."""
        fixed_in = sum(lane.height for lane in shown if not lane.grows)
        room_in = box.height - LANE_GAP_IN * (len(shown) - 1) - fixed_in
        unit_in = room_in / sum(lane.height for lane in shown if lane.grows)
        top = box.top
        for number, lane in enumerate(shown):
            height_in = lane.height * (unit_in if lane.grows else 1.0)
            axes = self._axes(box.left, top - height_in, box.width, height_in)
            axes.set_xlim(0, stage.duration_s)
            lane.draw(axes, stage)
            if len(sections) <= MOST_EDGES:
                _rule(axes, [section.start_s for section in sections[1:]])
            for name in lane.names:
                fitted = self._lettering.fitted(plain(name.text), NAMES_IN - 0.1, name.size_pt)
                y = top - height_in + name.y * height_in
                self._write(
                    box.left - 0.12, y, fitted, name.size_pt, name.colour, right=True, middle=True
                )
            if number == len(shown) - 1:
                self._time(axes, stage)
            top -= height_in + LANE_GAP_IN

    def footer(self, song: a.SongAnalysis) -> None:
        """What a user should know to the left, who says all this to the right."""
        origin = f"{song.origin.implementation} {song.origin.version}".strip()
        room_in = WIDTH_IN - 2 * MARGIN_IN - self._lettering.width_in(origin, SMALL_PT) - 0.3
        notes = "; ".join(song.warnings)
        warning = self._lettering.fitted(f"note: {notes}" if notes else "", room_in, SMALL_PT)
        self._write(MARGIN_IN, 0.12, warning, SMALL_PT, VALENCE)
        self._write(WIDTH_IN - MARGIN_IN, 0.12, origin, SMALL_PT, FAINT, right=True)

    def _axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        axes = self._figure.add_axes(
            (left / WIDTH_IN, bottom / HEIGHT_IN, width / WIDTH_IN, height / HEIGHT_IN)
        )
        axes.set_facecolor(PANEL)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def _time(self, axes: Axes, stage: Stage) -> None:
        """Marks along the lowest lane."""
        step_s = time_step_s(stage.duration_s)
        marks = [number * step_s for number in range(int(stage.duration_s / step_s) + 1)]
        decimals = 1 if step_s < 1 else 0
        axes.set_xticks(marks, [naming.clock(mark, decimals=decimals) for mark in marks])
        axes.tick_params(axis="x", color=RULE, labelcolor=SOFT, length=4, pad=3)
        for label in axes.get_xticklabels():
            label.set_fontproperties(self._lettering.font(TEXT_PT))

    def _fact_in(self, fact: Fact) -> float:
        letters = self._lettering
        return max(
            LEAST_FACT_IN,
            letters.width_in(plain(fact.value), FACT_PT, bold=True),
            letters.width_in(self._small(fact), SMALL_PT)
            + (SURE_IN + 0.08 if fact.confidence is not None else 0.0),
        )

    def _small(self, fact: Fact) -> str:
        sure = f"{fact.confidence:.2f}" if fact.confidence is not None else ""
        return " · ".join(filter(None, (sure, plain(fact.note))))

    def _fact(self, left: float, top: float, fact: Fact) -> None:
        self._write(left, top, fact.name.upper(), SMALL_PT - 0.5, FAINT, bold=True)
        self._write(left, top - 0.24, plain(fact.value), FACT_PT, TEXT, bold=True)
        small = top - 0.43
        if fact.confidence is None:
            self._write(left, small, self._small(fact), SMALL_PT, FAINT)
            return
        sure = min(1.0, max(0.0, fact.confidence))
        for width_in, colour in ((SURE_IN, RULE), (SURE_IN * sure, SOFT)):
            self._figure.add_artist(
                Rectangle(
                    (left / WIDTH_IN, (small + 0.02) / HEIGHT_IN),
                    width_in / WIDTH_IN,
                    0.055 / HEIGHT_IN,
                    facecolor=colour,
                    edgecolor="none",
                    transform=self._figure.transFigure,
                )
            )
        self._write(left + SURE_IN + 0.08, small, self._small(fact), SMALL_PT, FAINT)

    def _write(
        self,
        x_in: float,
        y_in: float,
        text: str,
        size_pt: float,
        colour: str,
        *,
        bold: bool = False,
        right: bool = False,
        middle: bool = False,
    ) -> None:
        self._figure.text(
            x_in / WIDTH_IN,
            y_in / HEIGHT_IN,
            plain(text),
            fontproperties=self._lettering.font(size_pt, bold=bold),
            color=colour,
            ha="right" if right else "left",
            va="center" if middle else "baseline",
            parse_math=False,
        )


def _rule(axes: Axes, times_s: Sequence[float]) -> None:
    """Thin lines through the height of a lane."""
    lines = LineCollection(
        [[(time_s, 0.0), (time_s, 1.0)] for time_s in times_s],
        colors=[to_rgba(TEXT, 0.16)],
        linewidths=0.7,
        zorder=0.5,
        transform=axes.get_xaxis_transform(),
    )
    axes.add_collection(lines, autolim=False)


def _texts(song: a.SongAnalysis, heading: str) -> Iterator[str]:
    """All that is written in words of the song's or of a model's."""
    yield heading
    yield song.concept.summary
    yield from (line.text for line in song.lyrics.lines)
    yield from (tag.label for tag in song.tags)
    yield from (tag.label for section in song.sections for tag in section.tags)
    yield from (span.instrument for span in song.instruments)
    yield from song.warnings
