"""How a storyboard is cut: lengths of shots, and cuts against the beat beside chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf import json_format
from rich.console import Console
from rich.table import Table

from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_kit.measures.chance import AgainstChance
from soundsight_kit.measures.cuts import cut_alignment, lengths_by_section, shot_lengths
from soundsight_kit.measures.documents import planned_shots, song_facts

NOTHING = "-"
"""Stands where there is nothing to measure."""


@dataclass(frozen=True)
class Grid:
    """A table; its first column is words, the others are numbers."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grids(analysis: bytes, storyboard: bytes) -> tuple[Grid, ...]:
    """Measures a storyboard.

    Args:
        analysis: the song's analysis document (protobuf JSON).
        storyboard: the storyboard document (protobuf JSON).

    Returns:
        The shots of the whole film and of each section, and the cuts.
    """
    song = song_facts(json_format.Parse(analysis, SongAnalysis()))
    shots = planned_shots(json_format.Parse(storyboard, Storyboard()))
    lengths_s = shots.bounds_s[1:] - shots.bounds_s[:-1]
    sections = lengths_by_section(shots.bounds_s, song.sections_s)
    lengths = [
        (name, _number(float(energy)), found)
        for name, energy, found in zip(song.names, song.energy, sections, strict=True)
    ]
    lengths.append(("whole film", "", shot_lengths(lengths_s)))
    cuts = cut_alignment(
        shots.cuts_s,
        song.beats_s,
        song.downbeats_s,
        duration_s=song.duration_s,
        frame_s=shots.frame_s,
        anticipation_s=shots.anticipation_s,
    )
    return (
        Grid(
            ("section", "energy", "shots", "mean s", "median s", "shortest s", "longest s"),
            tuple(
                (
                    name,
                    energy,
                    str(found.shots),
                    _number(found.mean_s),
                    _number(found.median_s),
                    _number(found.shortest_s),
                    _number(found.longest_s),
                )
                for name, energy, found in lengths
            ),
        ),
        Grid(
            (f"{cuts.cuts} cuts", "measured", "by chance", "z"),
            (
                _share("on beats", cuts.on_beat),
                _share("on downbeats", cuts.on_downbeat),
                (
                    "alignment score",
                    _number(cuts.score.value),
                    _number(cuts.score.chance),
                    _number(cuts.score.z, 1),
                ),
            ),
        ),
    )


def show(tables: Sequence[Grid], console: Console) -> None:
    """Prints tables: ruled on a terminal, aligned plain text elsewhere."""
    for grid in tables:
        if console.is_terminal:
            console.print(_ruled(grid))
        else:
            text = "\n".join(plain(grid))
            console.print(text + "\n", markup=False, highlight=False, soft_wrap=True)


def plain(grid: Grid) -> list[str]:
    """Returns a table's lines: words to the left, numbers to the right."""
    lines = (grid.heads, *grid.rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _ruled(grid: Grid) -> Table:
    table = Table()
    for number, head in enumerate(grid.heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    for row in grid.rows:
        table.add_row(*row)
    return table


def _share(name: str, share: AgainstChance) -> tuple[str, ...]:
    return name, _percent(share.value), _percent(share.chance), _number(share.z, 1)


def _percent(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.0%}"


def _number(value: float, digits: int = 2) -> str:
    return NOTHING if math.isnan(value) else f"{value:.{digits}f}"
