"""Where the time went is told truly: of new renders, of resumed ones, of finished ones."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1.resources_pb2 import Render, RenderState, SceneStatus, StageTiming
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight_cli.timings import (
    FETCHING,
    RENDERING,
    SENDING,
    STARTING,
    Stopwatch,
    frames_filmed,
    stages,
    table,
)

FILMING = RenderState.RENDER_STATE_FILMING
LAPS = {STARTING: 5.0, SENDING: 1.0, RENDERING: 34.0, FETCHING: 0.5}

STORYBOARD = Storyboard(
    scenes=[
        Scene(id="s001", frames=100, handle_out_frames=20),
        Scene(id="s002", frames=180),
        Scene(id="s003", frames=60),
    ]
)


def moment(seconds: float) -> Timestamp:
    """A moment so many seconds after 1970."""
    when = Timestamp()
    when.FromMicroseconds(round(seconds * 1e6))
    return when


def ended_render() -> Render:
    """A render that listened for 3 s and filmed for 30 s; the third scene's clip was found."""
    timings = [
        StageTiming(
            state=RenderState.RENDER_STATE_ANALYZING, start_time=moment(10), end_time=moment(13)
        ),
        StageTiming(state=FILMING, start_time=moment(13), end_time=moment(43)),
    ]
    scenes = [
        SceneStatus(scene_id="s001"),
        SceneStatus(scene_id="s002"),
        SceneStatus(scene_id="s003", reused=True),
    ]
    return Render(state=RenderState.RENDER_STATE_SUCCEEDED, timings=timings, scenes=scenes)


def test_a_new_render_shows_all_its_stages_in_order() -> None:
    """The command's own steps stand before and after the recorded ones; the rest was waiting."""
    rows = stages(LAPS, Render(sequence=1), ended_render(), STORYBOARD)
    assert [(row.name, round(row.taken_s, 3)) for row in rows] == [
        (STARTING, 5.0),
        (SENDING, 1.0),
        ("waiting", 1.0),
        ("listening", 3.0),
        ("filming", 30.0),
        (FETCHING, 0.5),
    ]


def test_only_new_pictures_count_for_the_speed() -> None:
    """Frames per second of filming leave out scenes whose clips were found, and count handles."""
    [speed] = [
        row.frames_per_s
        for row in stages(LAPS, Render(sequence=1), ended_render(), STORYBOARD)
        if row.frames_per_s
    ]
    assert speed == pytest.approx((120 + 180) / 30)


def test_a_resumed_render_counts_from_when_it_was_found() -> None:
    """After Ctrl-C neither the pause nor what was done before it is this command's time."""
    found = Render(
        state=FILMING,
        sequence=7,
        update_time=moment(33),
        scenes=[SceneStatus(scene_id="s001", clip=ArtifactRef(uri="file:///clip"))],
    )
    rows = stages({RENDERING: 10.0}, found, ended_render(), STORYBOARD)
    assert [(row.name, row.taken_s) for row in rows] == [("filming", 10.0)]
    assert rows[0].frames_per_s == pytest.approx(180 / 10)


def test_a_finished_render_shows_what_it_took_then() -> None:
    """A render that was found finished has the stages and the frames that were recorded."""
    over = ended_render()
    over.sequence = 12
    over.scenes[0].clip.uri = over.scenes[1].clip.uri = "file:///clip"
    rows = stages({STARTING: 5.0, RENDERING: 0.1}, over, over, STORYBOARD)
    assert [row.name for row in rows] == [STARTING, "listening", "filming"]
    assert frames_filmed(over, over, STORYBOARD) == 300


def test_the_table_is_aligned_and_sums_up() -> None:
    """All lines have their numbers in the same columns; shares are of the sum."""
    lines = table(stages(LAPS, Render(sequence=1), ended_render(), STORYBOARD))
    assert lines[0].split() == ["stage", "time", "share"]
    ends = {line.rindex(" s ") if " s " in line else len(line) - 2 for line in lines[1:]}
    assert len(ends) == 1
    assert lines[-1].split() == ["in", "all", "40.5", "s"]
    filming = next(line for line in lines if line.startswith("filming"))
    assert filming.split()[3:] == ["74%", "10.0", "frames/s"]


def test_laps_share_out_all_the_time() -> None:
    """Every second between two laps belongs to the later one; the same name adds up."""
    ticks = iter([0.0, 2.0, 5.0, 6.0, 6.5])
    watch = Stopwatch(lambda: next(ticks))
    for name in ("one", "two", "one"):
        watch.lap(name)
    assert watch.laps == {"one": 3.0, "two": 3.0}
    assert watch.elapsed_s == 6.5
