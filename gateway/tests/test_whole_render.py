"""A render goes the whole way, and finished work is never done twice."""

from __future__ import annotations

from typing import Any

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states

Bench = Any  # conftest's


async def test_a_song_becomes_a_video(bench: Bench, song: bytes) -> None:
    """Every stage is gone through, each scene is filmed once, and what came out is there."""
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
        created = await caller.create(r.RenderSpec(song=ref, seed=5))
        assert created.state == states.QUEUED
        events = await caller.watch(created.name)
        render = await caller.get(created.name)
    changes = [event.state_change for event in events if event.HasField("state_change")]
    assert [change.sequence for change in changes] == list(range(1, render.sequence + 1))
    stages = [change.state for change in changes if not change.HasField("scene")]
    assert stages == [
        states.QUEUED,
        states.INGESTING,
        states.ANALYZING,
        states.WRITING,
        states.FILMING,
        states.COMPOSING,
        states.PUBLISHING,
        states.SUCCEEDED,
    ]
    assert render.song.frames == 48
    assert [scene.state for scene in render.scenes] == [r.SCENE_STATE_DONE] * 4
    log = bench.services.videogen.log
    assert sorted(log.filmed.values()) == [1, 1, 1, 1]
    assert render.outputs.frames == 48
    assert await bench.services.artifacts.head(
        bench.services.artifacts.key_of(render.outputs.video.uri)
    )
