"""Who sounds and what is sung: voice, leading instruments, lyrics."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight_cli import naming
from soundsight_cli.plotting.lane import Lane, Name, Stage, blocks
from soundsight_cli.plotting.lettering import plain
from soundsight_cli.plotting.look import INSTRUMENT, SMALL_PT, SOFT, TEXT, VOICE

MOST_INSTRUMENTS = 4
MOST_ROWS = 5
ROW_IN = 0.18
ENOUGH_WHOLE = 0.8
"""Share of the lines that should be readable in full before no more rows are taken."""


def voice_lane(spans: Sequence[a.VoiceSpan]) -> Lane:
    """Where somebody sings or speaks; the surer the brighter."""

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(0, 1)
        seen = list(stage.inside(spans))
        blocks(
            axes,
            [(one.start_s, one.end_s) for one in seen],
            0.2,
            0.8,
            [to_rgba(VOICE, 0.25 + 0.75 * min(1.0, max(0.0, one.probability))) for one in seen],
            edges=False,
        )

    return Lane((Name("voice", VOICE),), 0.20, draw)


def instruments_lane(spans: Sequence[a.InstrumentSpan]) -> Lane:
    """Which instruments lead: a row for each of those that do so longest."""
    rows = list(naming.instruments(spans))[:MOST_INSTRUMENTS]

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(0, len(rows))
        for number, instrument in enumerate(reversed(rows)):
            seen = [one for one in stage.inside(spans) if one.instrument == instrument]
            blocks(
                axes,
                [(one.start_s, one.end_s) for one in seen],
                number + 0.18,
                number + 0.82,
                [
                    to_rgba(INSTRUMENT, 0.3 + 0.7 * min(1.0, max(0.0, one.evidence.confidence)))
                    for one in seen
                ],
                edges=False,
            )

    names = tuple(
        Name(instrument, INSTRUMENT, 1 - (number + 0.5) / len(rows), SMALL_PT)
        for number, instrument in enumerate(rows)
    )
    return Lane(names, ROW_IN * len(rows), draw)


def lyrics_lane(lyrics: a.Lyrics, stage: Stage) -> Lane:
    """The lines where they are sung, in so many rows that most can be read."""
    lines = [line for line in lyrics.lines if plain(line.text)]
    rows = _rows(lines, stage)

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(rows, 0)
        for number, line in enumerate(lines):
            row = number % rows
            blocks(
                axes,
                [(line.start_s, max(line.end_s, line.start_s))],
                row + 0.1,
                row + 0.9,
                [to_rgba(VOICE, 0.22)],
                edges=False,
            )
            room_in = _room_in(lines, number, rows, stage)
            fitted = stage.lettering.fitted(plain(line.text), room_in, SMALL_PT)
            axes.plot([line.start_s] * 2, [row + 0.1, row + 0.9], color=VOICE, linewidth=1.2)
            axes.annotate(
                fitted,
                (line.start_s, row + 0.5),
                xytext=(3, 0),
                textcoords="offset points",
                fontproperties=stage.lettering.font(SMALL_PT),
                color=TEXT,
                va="center",
                annotation_clip=True,
                parse_math=False,
            )

    return Lane((Name("lyrics", SOFT),), ROW_IN * rows, draw)


def _rows(lines: Sequence[a.LyricLine], stage: Stage) -> int:
    for rows in range(1, MOST_ROWS):
        whole = sum(
            stage.lettering.width_in(plain(line.text), SMALL_PT)
            <= _room_in(lines, number, rows, stage)
            for number, line in enumerate(lines)
        )
        if whole >= ENOUGH_WHOLE * len(lines):
            return rows
    return MOST_ROWS


def _room_in(lines: Sequence[a.LyricLine], number: int, rows: int, stage: Stage) -> float:
    """The room of a line: to the next one in its row, or to the picture's edge."""
    after = number + rows
    end_s = lines[after].start_s if after < len(lines) else stage.duration_s
    return stage.room_in(lines[number].start_s, end_s) - 0.1
