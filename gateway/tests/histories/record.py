"""Records workflow histories beside this file, for `test_histories.py` to replay: `make histories`.

Do that after every change of the workflows that came with a new `settings.APPLICATION_VERSION`; a
change that keeps the version must replay the histories that are there.

A history is what a gateway leaves behind: its database as SQL and, where the render has not ended,
its artifacts; their place is written as ARTIFACTS. The services are the scripted ones.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight.videogen.v1 import profile_pb2
from soundsight_gateway import states
from soundsight_gateway.settings import APPLICATION_VERSION
from soundsight_kit.errors import Unavailable
from soundsight_kit.testing import assert_eventually

Bench = Any  # conftest's
Caller = Any

HERE = Path(__file__).parent
ARTIFACTS = "file:///ARTIFACTS"


async def begin(caller: Caller, song: bytes, **spec: Any) -> r.Render:
    """Uploads a song and asks for a render of it."""
    uploaded = await caller.upload(song)
    created: r.Render = await caller.create(r.RenderSpec(song=uploaded, **spec))
    return created


def keep(bench: Bench, name: str, render: r.Render) -> None:
    """Writes down what a gateway that is gone has left."""
    url: str = bench.services.artifacts_url
    with closing(sqlite3.connect(bench.database_url.removeprefix("sqlite:///"))) as database:
        lines = [line.replace(url, ARTIFACTS) for line in database.iterdump()]
    ended = render.state in states.FINAL
    folder = Path(url.removeprefix("file://"))
    artifacts = {
        str(path.relative_to(folder)): path.read_bytes().replace(url.encode(), ARTIFACTS.encode())
        for path in sorted(folder.glob("projects/**/*"))
        # What has ended reads nothing any more.
        if path.is_file() and not ended
    }
    history = {
        "application_version": APPLICATION_VERSION,
        "render": render.name,
        "ended": ended,
        "database": lines,
        "artifacts": {key: base64.b64encode(data).decode() for key, data in artifacts.items()},
    }
    (HERE / f"{name}.json").write_text(json.dumps(history, indent=1) + "\n")


async def keep_ended(bench: Bench, song: bytes, name: str, **spec: Any) -> None:
    """Records a render that goes through."""
    async with bench.gateway() as caller:
        ended = await caller.ended((await begin(caller, song, **spec)).name)
    assert ended.state == states.SUCCEEDED, ended.error
    keep(bench, name, ended)


async def test_whole(bench: Bench, song: bytes) -> None:
    """A render from song to video."""
    await keep_ended(bench, song, "whole")


async def test_storyboard(bench: Bench, song: bytes) -> None:
    """A render that ends with its storyboard."""
    await keep_ended(bench, song, "storyboard", goal=r.RENDER_GOAL_STORYBOARD)


async def test_retried(bench: Bench, song: bytes) -> None:
    """A scene and a stage that fail once each."""

    def film(request: Any, begun: int) -> Exception | None:
        return Unavailable("flaky") if request.seed == 2 and begun == 1 else None

    def analyse(calls: int) -> Exception | None:
        return Unavailable("away") if calls == 1 else None

    bench.services.videogen.script = film
    bench.services.analyzer.script = analyse
    await keep_ended(bench, song, "retried")


async def test_upgraded(bench: Bench, song: bytes) -> None:
    """A pool that becomes another one in the middle of a chain of takes."""
    videogen = bench.services.videogen

    def script(request: Any, begun: int) -> Exception | None:
        if request.seed == 1 and videogen.fingerprint == "f00d":
            videogen.become("beef")
            return Unavailable("going down for an upgrade")
        return None

    def edit(storyboard: storyboard_pb2.Storyboard) -> None:
        for scene in storyboard.scenes[1:]:
            scene.continues_previous = True

    bench.services.writer.edit = edit
    videogen.profile.capabilities.append(profile_pb2.VIDEO_CAPABILITY_START_IMAGE)
    videogen.become("f00d")
    videogen.script = script
    await keep_ended(bench, song, "upgraded")


async def test_interrupted(bench: Bench, song: bytes) -> None:
    """A render whose gateway is killed while it films."""
    log = bench.services.videogen.log
    bench.services.videogen.takes_s = 0.4
    bench.services.writer.scene_frames = 6
    async with bench.child() as child:
        created = await begin(child.caller, song)
        await assert_eventually(lambda: sum(log.filmed.values()) >= 3)
        under_way = await child.caller.get(created.name)
        await child.kill()
    assert under_way.state == states.FILMING
    keep(bench, "interrupted", under_way)
