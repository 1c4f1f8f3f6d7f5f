"""What `storyboard --stats` prints."""

from __future__ import annotations

import io

from google.protobuf import json_format
from rich.console import Console

from soundsight.analyzer.v1.analysis_pb2 import Audio, Beat, Rhythm, Section, SongAnalysis
from soundsight.common.v1.common_pb2 import FrameRate
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight_cli.stats import grids, plain, show

SECTIONS = [
    Section(start_s=0.0, end_s=4.0, label="A", energy=0.25),
    Section(start_s=4.0, end_s=10.0, label="B", energy=0.8),
]
BEATS = [Beat(time_s=0.5 * i, position=1 + i % 4) for i in range(20)]
BOARD = Storyboard(
    frames=240,
    frame_rate=FrameRate(num=24, den=1),
    scenes=[
        Scene(start_frame=0, frames=96),
        Scene(start_frame=96, frames=48),
        Scene(start_frame=144, frames=96),
    ],
)


def documents(beats: list[Beat]) -> tuple[bytes, bytes]:
    song = SongAnalysis(audio=Audio(duration_s=10.0), rhythm=Rhythm(beats=beats), sections=SECTIONS)
    return json_format.MessageToJson(song).encode(), json_format.MessageToJson(BOARD).encode()


def test_shots_and_cuts_are_told() -> None:
    """Each section has its shots, the film all of them; both cuts are on downbeats."""
    shots, cuts = grids(*documents(BEATS))
    assert shots.rows[0] == ("A", "0.25", "1", "4.00", "4.00", "4.00", "4.00")
    assert shots.rows[1] == ("B", "0.80", "2", "3.00", "3.00", "2.00", "4.00")
    assert shots.rows[2] == ("whole film", "", "3", "3.33", "4.00", "2.00", "4.00")
    assert cuts.heads[0] == "2 cuts"
    assert [row[1] for row in cuts.rows] == ["100%", "100%", "1.00"]
    assert all(float(row[3]) > 1.0 for row in cuts.rows)


def test_without_a_pulse_there_is_no_figure() -> None:
    """A dash, not a number, stands where no beat was heard."""
    _, cuts = grids(*documents([]))
    assert {cell for row in cuts.rows for cell in row[1:]} == {"-"}


def test_piped_tables_are_plain_and_aligned() -> None:
    """Elsewhere than on a terminal there are no rules; on one there are, with the same cells."""
    tables = grids(*documents(BEATS))
    lines = plain(tables[0])
    assert len({len(line) for line in lines}) == 1
    piped, shown = io.StringIO(), io.StringIO()
    show(tables, Console(file=piped, width=40))
    show(tables, Console(file=shown, width=100, force_terminal=True))
    assert piped.getvalue().splitlines()[: len(lines)] == lines
    assert "│" not in piped.getvalue()
    assert "│" in shown.getvalue()
    assert all(cell in shown.getvalue() for table in tables for row in table.rows for cell in row)
