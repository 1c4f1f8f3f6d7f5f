"""The song's form: its waveform in the colours of its sections, and the moments that stand out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight_cli import naming
from soundsight_cli.plotting.lane import Lane, Name, Stage, blocks
from soundsight_cli.plotting.lettering import plain
from soundsight_cli.plotting.look import (
    EVENT_COLOURS,
    FAINT,
    GROUND,
    PANEL,
    SMALL_PT,
    SOFT,
    TEXT,
    TEXT_PT,
)
from soundsight_cli.plotting.waveform import Waveform

MOST_EDGES = 120
"""Where there are more blocks than this, lines between them would hide them."""

TAGS_OF_SECTION = 6
_ROW = 0.34
"""Height of a row of events above the waveform, in full scales."""


def sections_lane(sections: Sequence[a.Section]) -> Lane:
    """Sections with label, function and best tags."""
    tagged = any(section.tags for section in sections)

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(0, 1)
        seen = list(stage.inside(sections))
        blocks(
            axes,
            [(section.start_s, section.end_s) for section in seen],
            0,
            1,
            [to_rgba(stage.colours[section.label], 0.9) for section in seen],
            edges=len(seen) <= MOST_EDGES,
        )
        for section in seen:
            _name_section(axes, stage, section, tagged)

    names = [Name("sections", SOFT, 0.72 if tagged else 0.5)]
    if tagged:
        names.append(Name("their tags", FAINT, 0.25))
    return Lane(tuple(names), 0.52 if tagged else 0.30, draw)


def _name_section(axes: Axes, stage: Stage, section: a.Section, tagged: bool) -> None:
    span = section.start_s, section.end_s
    y = 0.70 if tagged else 0.48
    label, function = plain(section.label), naming.function(section)
    whole = " · ".join(filter(None, (label, function)))
    for text, size_pt in ((whole, TEXT_PT), (whole, SMALL_PT - 1), (label, TEXT_PT)):
        if stage.label(axes, *span, y, text, size_pt, bold=True, colour=GROUND, whole=True):
            break
    best = [plain(tag.label) for tags in naming.by_group(section.tags).values() for tag in tags[:2]]
    ranked = sorted(section.tags, key=lambda tag: -tag.score)
    words = [plain(tag.label) for tag in ranked if plain(tag.label) in best]
    words = list(dict.fromkeys(words))[:TAGS_OF_SECTION]
    for many in range(len(words), 0, -1):
        if stage.label(
            axes, *span, 0.25, ", ".join(words[:many]), SMALL_PT, colour=GROUND, whole=True
        ):
            break


def waveform_lane(
    waveform: Waveform, sections: Sequence[a.Section], events: Sequence[a.MusicEvent]
) -> Lane:
    """The waveform, its loud core brighter than its peaks; above it the events."""

    def draw(axes: Axes, stage: Stage) -> None:
        rows = _placed(stage, events)
        top = 1.08 + _ROW * max((row + 1 for row, _ in rows), default=0)
        axes.set_ylim(-1.05, top)
        edges = np.linspace(0, waveform.duration_s, len(waveform.low) + 1)
        moments = (edges[:-1] + edges[1:]) / 2
        peak = max(0.02, float(np.max(np.abs([waveform.low, waveform.high]))))
        shapes = (
            (waveform.low / peak, waveform.high / peak, 0.42),
            (
                np.maximum(-waveform.rms, waveform.low) / peak,
                np.minimum(waveform.rms, waveform.high) / peak,
                1.0,
            ),
        )
        for start_s, end_s, colour in _stretches(stage, sections):
            first = max(0, int(np.searchsorted(moments, start_s)) - 1)
            last = int(np.searchsorted(moments, end_s)) + 1
            part = slice(first, last)
            inside = np.clip(moments[part], start_s, end_s)
            for low, high, opacity in shapes:
                axes.fill_between(
                    inside, low[part], high[part], color=colour, alpha=opacity, linewidth=0
                )
        for (row, shown), event in zip(rows, events, strict=True):
            _mark(axes, stage, event, 1.08 + _ROW * (row + 0.5), named=shown)

    return Lane((Name("waveform", SOFT, 0.5),), 2.3 + (0.3 if events else 0.0), draw, grows=True)


def _stretches(stage: Stage, sections: Sequence[a.Section]) -> list[tuple[float, float, str]]:
    """Start, end and colour of what is drawn in one colour; without sections, all of it."""
    if not sections:
        return [(0.0, stage.duration_s, FAINT)]
    return [(one.start_s, one.end_s, stage.colours[one.label]) for one in stage.inside(sections)]


def _event_name(event: a.MusicEvent) -> str:
    return naming.EVENTS.get(event.kind, "event")


def _placed(stage: Stage, events: Sequence[a.MusicEvent]) -> list[tuple[int, bool]]:
    """The row of each event's name, and whether there is room for it: none overlap."""
    ends_in = [-1.0, -1.0]
    placed = []
    for event in events:
        at_in = stage.room_in(0, event.time_s)
        width_in = stage.lettering.width_in(_event_name(event), SMALL_PT, bold=True) + 0.18
        # A name at the right edge stands to the left of its line.
        start_in = at_in if at_in + width_in <= stage.width_in else at_in - width_in
        row = next((row for row, end in enumerate(ends_in) if start_in >= end), None)
        if row is not None:
            ends_in[row] = start_in + width_in
        placed.append((row or 0, row is not None))
    return placed


def _mark(axes: Axes, stage: Stage, event: a.MusicEvent, y: float, *, named: bool) -> None:
    name = _event_name(event)
    colour = EVENT_COLOURS.get(name, TEXT)
    opacity = 0.45 + 0.55 * min(1.0, max(0.0, event.evidence.confidence))
    if event.duration_s > 0:
        end_s = event.time_s + event.duration_s
        axes.axvspan(event.time_s, end_s, color=colour, alpha=0.15, linewidth=0, zorder=0.4)
    axes.plot([event.time_s] * 2, [-1.05, y], color=colour, linewidth=1.4, alpha=opacity)
    if not named:
        return
    width_in = stage.lettering.width_in(name, SMALL_PT, bold=True) + 0.18
    left = stage.room_in(0, event.time_s) + width_in > stage.width_in
    axes.annotate(
        name,
        (event.time_s, y),
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
        fontproperties=stage.lettering.font(SMALL_PT, bold=True),
        color=colour,
        ha="right" if left else "left",
        va="center",
        parse_math=False,
        # Lines of other events go behind it.
        bbox={"facecolor": PANEL, "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
        zorder=5,
    )
