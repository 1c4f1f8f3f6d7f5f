"""A render that failed is gone on with; what was tried again, and why, is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc import status_pb2

from soundsight.render.v1 import resources_pb2 as r
from soundsight_cli import orders
from soundsight_cli.orders import Order
from soundsight_cli.resuming import latest_unfinished
from soundsight_cli.state import StateFolder
from soundsight_cli.summaries import failure, tried_again
from soundsight_cli.supervisor import SuiteError
from soundsight_client import Client
from soundsight_kit.errors import Unavailable

Suite = Any  # conftest's

FILMING = r.RENDER_STATE_FILMING
FLAKY = status_pb2.Status(code=14, message="flaky\n wire")


@pytest.fixture
async def suite(tmp_path: Path, scripted: Any) -> AsyncIterator[Suite]:
    async with scripted(StateFolder(tmp_path / "state")) as running:
        yield running


async def test_a_failed_render_is_gone_on_with(suite: Suite, tone: Path, tmp_path: Path) -> None:
    """Retries and the reason of the end are told; `resume` finishes what was left, keeps every
    finished scene, and puts the video where the render was asked to."""
    song, video = Path(shutil.copy(tone, tmp_path / "song.wav")), tmp_path / "here" / "film.mp4"
    video.parent.mkdir()
    videogen = suite.services.videogen
    broken = Unavailable("the lamp is broken")
    videogen.script = lambda request, _: broken if request.seed == 2 else None
    failed = await suite("render", song, "-o", video)
    assert failed.code == 1
    assert "] scene s002 is tried again (attempt 1 failed): the lamp is broken\n" in failed.err
    assert failed.err.splitlines()[-1] == (
        "soundsight: scene s002 failed in 2 attempts: the lamp is broken; `soundsight resume` "
        "tries again and keeps what is finished"
    )
    assert not video.exists()
    song.unlink()  # It was sent before.
    videogen.script = lambda *_: None
    resumed = await suite("resume", "--timings")
    assert resumed.code == 0, resumed.err
    assert "going on with projects/default/renders/" in resumed.err
    assert video.is_file()
    assert f"video    {video}, " in resumed.out
    assert "filming" in resumed.out
    assert sorted(videogen.log.filmed.values()) == [1, 1, 1, 1]
    assert list(suite.state.orders.iterdir()) == []
    async with Client(suite.gateway, project="projects/default") as client:
        # The failed one is still listed; that it was finished since counts.
        with pytest.raises(SuiteError, match="no interrupted or failed render"):
            await latest_unfinished(client, suite.state, own=True)
    over = await suite("resume")
    assert (over.code, over.out) == (1, "")
    assert over.err.splitlines()[-1] == (
        "soundsight: there is no interrupted or failed render to go on with"
    )


async def test_a_stage_that_is_tried_again_is_told(suite: Suite, tone: Path) -> None:
    """A service that is away for a moment is told of, and so is one that stays away."""
    suite.services.writer.script = lambda calls: Unavailable("away") if calls < 2 else None
    told = await suite("storyboard", tone)
    assert told.code == 0, told.err
    assert "] writing the storyboard is tried again: away\n" in told.err
    suite.services.writer.script = lambda _: Unavailable("gone")
    told = await suite("storyboard", tone, "--seed", "1")
    assert told.err.splitlines()[-1] == (
        "soundsight: writing the storyboard failed in 2 attempts: gone; the same command tries "
        "again and keeps what is finished"
    )


async def test_a_render_can_be_named_and_sent_elsewhere(
    suite: Suite, tone: Path, tmp_path: Path
) -> None:
    """A name takes that render, also one whose place is not known here; -o says where it goes."""
    async with Client(suite.gateway, project="projects/default") as client:
        song = await client.upload(tone)
        made = await client.ensure_render(r.RenderSpec(song=song, seed=7))
        async for _ in client.watch_render(made.name):
            pass
        heard = await client.ensure_render(r.RenderSpec(song=song, goal=r.RENDER_GOAL_ANALYSIS))
    short = made.name.rpartition("/")[2]
    lost = await suite("resume", short)
    assert (lost.code, "name it with -o" in lost.err) == (1, True)
    video = tmp_path / "film.mp4"
    for name in (short, made.name):
        assert (await suite("resume", name, "-o", video, "-q")).code == 0
        assert video.is_file()
        video.unlink()
    for name, why in (
        ("nobody", "there is no render nobody here"),
        (heard.name, "makes no video"),
    ):
        refused = await suite("resume", name, "-o", video)
        assert refused.code == 1
        assert why in refused.err.splitlines()[-1]
    assert not video.exists()


async def test_renders_of_others_are_left_to_them(suite: Suite, tone: Path) -> None:
    """On a gateway that others use too, only what was asked for here is gone on with."""
    suite.services.videogen.script = lambda *_: Unavailable("broken")
    async with Client(suite.gateway, project="projects/default") as client:
        made = await client.ensure_render(r.RenderSpec(song=await client.upload(tone)))
        async for _ in client.watch_render(made.name):
            pass
    refused = await suite("resume")
    assert "there is no interrupted or failed render" in refused.err


def test_without_a_job_store_no_suite_is_started(tmp_path: Path) -> None:
    """Nothing was ever rendered here: told at once, and no folder is made."""
    state = tmp_path / "state"
    done = subprocess.run(
        [sys.executable, "-m", "soundsight_cli", "--state-dir", state, "resume"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "there is no interrupted or failed render" in done.stderr
    assert not state.exists()


def test_orders_are_kept_until_their_video_is_there(tmp_path: Path) -> None:
    """The latest word counts; a video that is there settles all renders that were to make it; a
    name that is no text keeps its bytes."""
    state = StateFolder(tmp_path / "state")
    odd = Path("/videos/\udcff\n.mp4")
    orders.note(state, "projects/p/renders/a", Order(Path("/song"), odd))
    orders.note(state, "projects/p/renders/a", Order(None, odd))
    orders.note(state, "projects/p/renders/b", Order(None, odd))
    orders.note(state, "projects/p/renders/c", Order(None, Path("/videos/other.mp4")))
    assert orders.find(state, "projects/p/renders/a") == Order(None, odd)
    (state.orders / "d.json").write_text("{half")
    assert orders.find(state, "projects/p/renders/d") is None
    orders.settle(state, odd)
    assert [path.name for path in state.orders.iterdir()] == ["c.json"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            r.StateChange(
                state=FILMING,
                error=FLAKY,
                scene=r.SceneStatus(
                    scene_id="s001", state=r.SCENE_STATE_PENDING, attempts=2, error=FLAKY
                ),
            ),
            "scene s001 is tried again (attempt 2 failed): flaky wire",
        ),
        (
            r.StateChange(state=r.RENDER_STATE_WRITING, error=FLAKY),
            "writing the storyboard is tried again: flaky wire",
        ),
        (r.StateChange(state=r.RENDER_STATE_FAILED, error=FLAKY), ""),
        (
            r.StateChange(
                state=FILMING,
                error=FLAKY,
                scene=r.SceneStatus(scene_id="s001", state=r.SCENE_STATE_FAILED, error=FLAKY),
            ),
            "",
        ),
        (r.StateChange(state=FILMING), ""),
    ],
)
def test_only_what_is_tried_again_is_told(change: r.StateChange, told: str) -> None:
    """One line with scene or stage and reason; nothing for what merely changes, or ends."""
    assert tried_again(change) == told


def test_a_failure_says_what_failed_how_often() -> None:
    """A scene is named; a stage that was tried once is not counted."""
    once = r.Render(error=FLAKY, timings=[r.StageTiming(state=FILMING, attempts=1)])
    assert failure(once) == "flaky wire"
    stage = r.StageTiming(state=r.RENDER_STATE_COMPOSING, attempts=3)
    assert failure(r.Render(error=FLAKY, timings=[stage])) == (
        "cutting the video failed in 3 attempts: flaky wire"
    )
    scene = r.SceneStatus(scene_id="s003", state=r.SCENE_STATE_FAILED, attempts=1)
    assert failure(r.Render(error=FLAKY, scenes=[scene])) == (
        "scene s003 failed in 1 attempt: flaky wire"
    )
