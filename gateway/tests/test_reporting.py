"""What Prometheus is told is what stands in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import keys, states
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.names import RenderRef
from soundsight_gateway.reporting import Reporting
from soundsight_gateway.store import NewRender, RenderStore


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(create_engine(database_url))
    await database.migrate()
    yield database
    database.close()


def told(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_renders_and_scenes_are_counted(database: Database) -> None:
    """Renders by their state; scenes by pool, those that are done or of paused renders left out."""
    store = RenderStore(database, lambda _: None)
    scenes = ["s1", "s2", "s3", "s4"]
    for name in ("queued", "filming", "paused", "ended"):
        spec = r.RenderSpec()
        ref = RenderRef("demo", name)
        await store.create(NewRender(ref, spec, keys.spec_digest(spec), {}))
        if name != "queued":
            video = r.VideoSettings(pool="big")
            await store.enter(ref, states.FILMING, video=video, scene_ids=scenes)
            done = r.SceneStatus(scene_id="s1", state=r.SCENE_STATE_DONE)
            running = r.SceneStatus(scene_id="s2", state=r.SCENE_STATE_FILMING)
            for status in (done, running):
                await store.put_scene(ref, status)
    await store.set_paused(RenderRef("demo", "paused"), True)
    before = told("soundsight_renders_ended_total", state="failed") or 0
    for _ in range(2):
        await store.enter(RenderRef("demo", "ended"), states.FAILED)
    await Reporting(database, ["default"]).look()
    assert told("soundsight_renders", state="queued") == 1
    assert told("soundsight_renders", state="filming") == 2
    assert told("soundsight_renders", state="composing") == 0
    assert told("soundsight_scenes", pool="big", what="waiting") == 2
    assert told("soundsight_scenes", pool="big", what="running") == 1
    assert told("soundsight_scenes", pool="default", what="waiting") == 0
    assert told("soundsight_renders_ended_total", state="failed") == before + 1
