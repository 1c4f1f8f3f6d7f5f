"""Estimates go forward, end at one, and learn from what renders took."""

from __future__ import annotations

import asyncio

import pytest

from soundsight.common.v1 import common_pb2 as c
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import progress, states
from soundsight_gateway.hub import Hub
from soundsight_gateway.names import RenderRef
from soundsight_gateway.rows import Span

REF = RenderRef("demo", "song-1")
GOALS = (r.RENDER_GOAL_VIDEO, r.RENDER_GOAL_ANALYSIS, r.RENDER_GOAL_STORYBOARD)


@pytest.mark.parametrize("goal", GOALS)
def test_the_fraction_grows_from_zero_to_one_through_all_stages(
    goal: r.RenderGoal.ValueType,
) -> None:
    """Whatever the goal, each step forward counts, and the end is one."""
    fractions = [
        progress.estimate(
            progress.DEFAULT_RATES, goal, stage, share=share, elapsed_s=1.0, frames=1000
        ).fraction
        for stage in progress.stages_of(goal)
        for share in (0.0, 0.5, 1.0)
    ]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == pytest.approx(1.0)


def test_the_parts_of_a_stage_follow_each_other() -> None:
    """Decoding all of a song is not hearing all of it; an unknown part counts for nothing."""

    def share(stage: str, done: int) -> float:
        return progress.share_of(states.ANALYZING, c.Progress(stage=stage, done=done, total=10))

    parts = ("fetch", "decode", "rhythm", "harmony", "dynamics", "tags", "structure", "emotion")
    shares = [share(part, done) for part in parts for done in (0, 5, 10)]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert share("decode", 10) < 0.2
    assert share("concept", 10) == pytest.approx(1.0)
    assert share("divination", 10) == 0.0


def test_time_left_follows_the_pace_of_the_present_stage() -> None:
    """Half of the filming in 50 s leaves 50 s and what the later stages take."""
    guess = progress.estimate(
        progress.DEFAULT_RATES,
        r.RENDER_GOAL_VIDEO,
        states.FILMING,
        share=0.5,
        elapsed_s=50.0,
        frames=1000,
    )
    assert guess.remaining_s == pytest.approx(50 + 1000 * (0.01 + 0.0005))


def test_rates_are_medians_of_what_was_seen() -> None:
    """One render that found its clips in the store does not make filming free."""

    def film(seconds: float) -> tuple[int, list[Span]]:
        return 100, [Span(states.FILMING, 0, round(seconds * 1e6))]

    rates = progress.learn([film(50), film(0), film(60)])
    assert rates[states.FILMING] == pytest.approx(0.5)
    assert rates[states.ANALYZING] == progress.DEFAULT_RATES[states.ANALYZING]
    assert progress.learn([film(0)])[states.FILMING] > 0


def report(hub: Hub, done: int, state: states.State = states.FILMING) -> None:
    hub.report(REF, state, r.RENDER_GOAL_VIDEO, 100, c.Progress(done=done, total=100))


def test_the_fraction_never_goes_back() -> None:
    """A scene that is tried again does not turn the whole back."""
    hub = Hub()
    with hub.watch(REF) as watch:
        seen = []
        for done in (10, 60, 20, 61):
            report(hub, done)
            latest = watch.progress()
            assert latest is not None
            assert latest.progress.done == done
            seen.append(latest.fraction)
    assert seen == sorted(seen)


async def test_a_slow_watcher_gets_only_the_latest() -> None:
    """Progress that was overtaken is gone, and nothing comes twice."""
    hub = Hub()
    with hub.watch(REF) as watch:
        for done in range(50):
            report(hub, done)
            hub.preview(REF, r.ScenePreview(scene_id="s001", image=bytes([done])))
        await watch.wait(10)
        latest = watch.progress()
        assert latest is not None
        assert latest.progress.done == 49
        assert [preview.image for preview in watch.previews()] == [bytes([49])]
        assert watch.progress() is None
        assert watch.previews() == []


async def test_a_late_watcher_gets_the_latest_at_once() -> None:
    """Whoever comes in the middle sees where it stands."""
    hub = Hub()
    report(hub, 40)
    with hub.watch(REF) as watch:
        latest = watch.progress()
        assert latest is not None
        assert latest.progress.done == 40


async def test_a_change_wakes_every_watcher() -> None:
    """All who wait look into the store."""
    hub = Hub()
    with hub.watch(REF) as one, hub.watch(REF) as other:
        waits = [asyncio.create_task(watch.wait(60)) for watch in (one, other)]
        await asyncio.sleep(0)
        hub.changed(REF)
        await asyncio.wait_for(asyncio.gather(*waits), 10)


def test_nothing_is_left_of_an_ended_render() -> None:
    """Rooms go when the render has ended and nobody watches."""
    hub = Hub()
    with hub.watch(REF):
        report(hub, 1)
        hub.end(REF)
        report(hub, 2)
    assert hub._rooms == {}
