"""A render goes the whole way, and finished work is never done twice."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from soundsight.analyzer.v1 import analyzer_pb2 as a
from soundsight.render.v1 import render_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import scenewriter_pb2 as w
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight.videogen.v1 import profile_pb2
from soundsight_gateway import states
from soundsight_kit.errors import InvalidArgument, Unavailable, error_from_status
from soundsight_kit.testing import assert_eventually

Bench = Any  # conftest's
Caller = Any

ALL_STATES = [
    states.QUEUED,
    states.INGESTING,
    states.ANALYZING,
    states.WRITING,
    states.FILMING,
    states.COMPOSING,
    states.PUBLISHING,
    states.SUCCEEDED,
]


async def render(caller: Caller, song: bytes, **spec: Any) -> r.Render:
    """Uploads, renders, waits for the end."""
    ref = await caller.upload(song)
    created = await caller.create(r.RenderSpec(song=ref, **spec))
    ended: r.Render = await caller.ended(created.name)
    return ended


async def test_a_song_becomes_a_video(bench: Bench, song: bytes) -> None:
    """Every stage is gone through, each scene is filmed once, and what came out is there."""
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
        created = await caller.create(r.RenderSpec(song=ref, seed=5))
        assert created.state == states.QUEUED
        events = await caller.watch(created.name)
        done = await caller.get(created.name)
    changes = [event.state_change for event in events if event.HasField("state_change")]
    assert [change.sequence for change in changes] == list(range(1, done.sequence + 1))
    assert [change.state for change in changes if not change.HasField("scene")] == ALL_STATES
    assert done.song.frames == 48
    assert [scene.state for scene in done.scenes] == [r.SCENE_STATE_DONE] * 4
    assert sorted(bench.services.videogen.log.filmed.values()) == [1, 1, 1, 1]
    assert done.outputs.frames == 48
    assert (done.outputs.resolution.width, done.outputs.frame_rate.num) == (1280, 24)
    for output in (done.outputs.video, done.outputs.analysis, done.outputs.storyboard):
        key = bench.services.artifacts.key_of(output.uri)
        there = await bench.services.artifacts.head(key)
        assert there.sha256 == output.sha256
    assert list(done.notes) == ["heard by a script", "composed by a script"]


async def test_the_whole_way_on_a_new_database(bench: Bench, song: bytes, sqlite_url: str) -> None:
    """A first start makes everything it needs, the folder included."""
    bench.database_url = sqlite_url
    async with bench.gateway() as caller:
        assert (await render(caller, song)).state == states.SUCCEEDED


async def test_the_whole_way_on_postgres(bench: Bench, song: bytes, postgres_url: str) -> None:
    """The same code runs on Postgres."""
    bench.database_url = postgres_url
    async with bench.gateway() as caller:
        done = await render(caller, song)
    assert done.state == states.SUCCEEDED
    assert sorted(bench.services.videogen.log.filmed.values()) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("goal", "last"),
    [
        (r.RENDER_GOAL_ANALYSIS, states.ANALYZING),
        (r.RENDER_GOAL_STORYBOARD, states.WRITING),
    ],
)
async def test_a_goal_ends_the_render_early(
    bench: Bench, song: bytes, goal: r.RenderGoal.ValueType, last: states.State
) -> None:
    """A render stops with success after the stage it was to reach, and nothing is filmed."""
    async with bench.gateway() as caller:
        done = await render(caller, song, goal=goal)
        changes = [event.state_change.state for event in await caller.watch(done.name)]
    assert changes == [*ALL_STATES[: ALL_STATES.index(last) + 1], states.SUCCEEDED]
    assert done.outputs.HasField("analysis")
    assert done.outputs.HasField("storyboard") == (goal == r.RENDER_GOAL_STORYBOARD)
    assert not bench.services.videogen.log.begun


async def test_a_second_render_of_the_same_finds_everything(bench: Bench, song: bytes) -> None:
    """Analysis, storyboard, clips and composition are found under their keys."""
    async with bench.gateway() as caller:
        first = await render(caller, song)
        second = await render(caller, song)
        third = await render(caller, song, seed=1)
    assert first.name != second.name
    assert second.outputs == first.outputs
    assert all(scene.reused for scene in second.scenes)
    assert not any(scene.reused for scene in (*first.scenes, *third.scenes))
    services = bench.services
    assert (services.analyzer.calls, services.writer.calls) == (1, 2)
    assert sorted(services.videogen.log.filmed.values()) == [1] * 8
    assert sorted(services.composer.composed.values()) == [1, 1]


async def test_only_changed_scenes_are_filmed_again(bench: Bench, song: bytes) -> None:
    """A storyboard that differs in one scene costs one clip."""
    async with bench.gateway() as caller:
        await render(caller, song)

        def edit(storyboard: storyboard_pb2.Storyboard) -> None:
            for index, scene in enumerate(storyboard.scenes):
                scene.seed = index  # as in the first storyboard, whose seed was 0
            storyboard.scenes[2].shot.setting = "ocean"

        bench.services.writer.edit = edit
        done = await render(caller, song, seed=7)
    assert [scene.reused for scene in done.scenes] == [True, True, False, True]


async def test_two_renders_at_once_film_a_shared_scene_once(bench: Bench, song: bytes) -> None:
    """Renders of the same at the same time attach to each other's work."""
    bench.services.videogen.takes_s = 0.5
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
        made = [await caller.create(r.RenderSpec(song=ref)) for _ in range(2)]
        ended = [await caller.ended(one.name) for one in made]
    assert [one.state for one in ended] == [states.SUCCEEDED] * 2
    assert sorted(bench.services.videogen.log.filmed.values()) == [1, 1, 1, 1]


async def test_a_scene_that_fails_is_tried_again(bench: Bench, song: bytes) -> None:
    """Attempts and the last reason are visible while it is tried; then it is done, and why it had
    failed is still told."""

    def script(request: Any, begun: int) -> Exception | None:
        return Unavailable("flaky") if request.seed == 2 and begun < 3 else None

    bench.services.videogen.script = script
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
        created = await caller.create(r.RenderSpec(song=ref))
        changes = [event.state_change for event in await caller.watch(created.name)]
        done = await caller.get(created.name)
    assert done.state == states.SUCCEEDED
    assert [scene.attempts for scene in done.scenes] == [1, 1, 3, 1]
    assert not done.scenes[2].HasField("error")
    kept = done.scenes[2].failures
    assert [(one.number, one.error.message) for one in kept] == [(1, "flaky"), (2, "flaky")]
    assert done.create_time.ToNanoseconds() < kept[0].time.ToNanoseconds()
    assert not any(scene.failures for scene in done.scenes if scene.scene_id != "s002")
    failures = [one for one in changes if one.scene.HasField("error")]
    assert {one.scene.scene_id for one in failures} == {"s002"}
    assert {one.error.message for one in failures} == {"flaky"}
    assert max(bench.services.videogen.log.begun.values()) == 3


async def test_a_scene_that_keeps_failing_ends_the_render(bench: Bench, song: bytes) -> None:
    """The render fails with the scene's reason; what is finished is kept and used next time."""

    def script(request: Any, begun: int) -> Exception | None:
        return Unavailable("broken", reason="LAMP_BROKEN") if request.seed == 3 else None

    bench.services.videogen.script = script
    async with bench.gateway(retry_attempts=2) as caller:
        failed = await render(caller, song)
        assert failed.state == states.FAILED
        assert failed.error.message == "broken"
        assert failed.scenes[3].state == r.SCENE_STATE_FAILED
        assert failed.scenes[3].attempts == 2
        assert [one.error.message for one in failed.scenes[3].failures] == ["broken", "broken"]
        bench.services.videogen.script = lambda *_: None
        again = await render(caller, song)
    assert again.state == states.SUCCEEDED
    assert sum(bench.services.videogen.log.filmed.values()) == 4


async def test_what_cannot_succeed_is_not_tried_again(bench: Bench, song: bytes) -> None:
    """An invalid request fails at its first attempt."""
    bench.services.videogen.script = lambda request, _: InvalidArgument("no such world")
    async with bench.gateway() as caller:
        failed = await render(caller, song)
    assert failed.state == states.FAILED
    assert max(bench.services.videogen.log.begun.values()) == 1


@pytest.mark.parametrize(
    ("service", "stage"),
    [
        ("analyzer", states.ANALYZING),
        ("writer", states.WRITING),
        ("composer", states.COMPOSING),
    ],
)
async def test_a_stage_that_fails_is_tried_again(
    bench: Bench, song: bytes, service: str, stage: states.State
) -> None:
    """Each service may be away for a moment; the render says so, while it is tried and later."""

    def script(calls: int) -> Exception | None:
        return Unavailable("away") if calls < 3 else None

    getattr(bench.services, service).script = script
    async with bench.gateway() as caller:
        done = await render(caller, song)
        changes = [event.state_change for event in await caller.watch(done.name)]
    assert done.state == states.SUCCEEDED
    assert any("tried again after: away" in note for note in done.notes)
    assert {one.state: one.attempts for one in done.timings} == {
        one: 3 if one == stage else 1 for one in states.STAGES
    }
    [tried] = [one for one in done.timings if one.failures]
    assert [(one.number, one.error.message) for one in tried.failures] == [(1, "away"), (2, "away")]
    told = [one for one in changes if one.HasField("error")]
    assert [(one.state, one.error.message) for one in told] == [(stage, "away")] * 2


async def test_what_is_no_song_fails_with_its_reason(bench: Bench) -> None:
    """The decoder's words reach the caller."""
    async with bench.gateway() as caller:
        failed = await render(caller, b"this is no song")
    assert failed.state == states.FAILED
    assert failed.error.code == 3
    assert any("SONG_" in str(detail) for detail in failed.error.details)
    assert bench.services.analyzer.calls == 0


async def test_an_unsound_storyboard_is_refused(bench: Bench, song: bytes) -> None:
    """A storyboard that does not cover the song is the writer's fault, and is not filmed."""

    def edit(storyboard: storyboard_pb2.Storyboard) -> None:
        del storyboard.scenes[-1]

    bench.services.writer.edit = edit
    async with bench.gateway(retry_attempts=1) as caller:
        failed = await render(caller, song)
    assert failed.state == states.FAILED
    assert "unsound" in failed.error.message
    assert not bench.services.videogen.log.begun


async def test_chained_takes_are_filmed_in_order(bench: Bench, song: bytes) -> None:
    """Each take begins with the last picture of the one before, and has its key in its own."""

    def edit(storyboard: storyboard_pb2.Storyboard) -> None:
        for scene in storyboard.scenes[1:3]:
            scene.continues_previous = True

    bench.services.writer.edit = edit
    videogen = bench.services.videogen
    videogen.profile.capabilities.append(profile_pb2.VIDEO_CAPABILITY_START_IMAGE)
    videogen.profile.consumed_inputs.append("start_image")
    videogen.become("linked")
    async with bench.gateway() as caller:
        done = await render(caller, song)
        again = await render(caller, song)
    assert done.state == states.SUCCEEDED
    keys = [scene.clip_key for scene in done.scenes]
    by_key = {request.output_key.rpartition("/")[2]: request for request in videogen.log.requests}
    starts = [by_key[key].start_image.uri for key in keys]
    assert ["" if not uri else uri.split("/")[-2] for uri in starts] == ["", keys[0], keys[1], ""]
    assert [by_key[key].store_last_frame for key in keys] == [True, True, False, False]
    filmed_in_order = [request.output_key.rpartition("/")[2] for request in videogen.log.requests]
    chain = [key for key in filmed_in_order if key in keys[:3]]
    assert chain == keys[:3]
    assert all(scene.reused for scene in again.scenes)


async def test_a_pool_upgraded_in_mid_render_films_the_rest_under_its_new_keys(
    bench: Bench, song: bytes
) -> None:
    """Finished scenes stay, those that remain are keyed anew, and the render tells of both."""
    videogen = bench.services.videogen

    def script(request: Any, begun: int) -> Exception | None:
        if request.seed == 1 and videogen.fingerprint == "f00d":
            videogen.become("beef")
            return Unavailable("going down for an upgrade")
        return None

    def edit(storyboard: storyboard_pb2.Storyboard) -> None:
        for scene in storyboard.scenes[1:]:
            scene.continues_previous = True

    # One after the other, so that it is known which scenes remain.
    bench.services.writer.edit = edit
    videogen.profile.capabilities.append(profile_pb2.VIDEO_CAPABILITY_START_IMAGE)
    videogen.become("f00d")
    videogen.script = script
    async with bench.gateway() as caller:
        done = await render(caller, song)
    assert done.state == states.SUCCEEDED
    assert list(done.video.fingerprints) == ["f00d", "beef"]
    made_by = [
        json.loads(
            await bench.services.artifacts.get_bytes(
                scene.clip.uri.replace("clip.mp4", "clip.json"), 1 << 20
            )
        )["provenance"]["fingerprint"]
        for scene in done.scenes
    ]
    assert made_by == ["f00d", "beef", "beef", "beef"]
    assert sorted(videogen.log.filmed.values()) == [1, 1, 1, 1]
    assert any("backend changed" in note for note in done.notes)


async def test_progress_comes_between_changes_and_never_goes_back(
    bench: Bench, song: bytes
) -> None:
    """Fractions grow; previews come only to those who asked."""
    bench.services.videogen.takes_s = 1.0
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
        created = await caller.create(r.RenderSpec(song=ref))
        with_previews, without = await asyncio.gather(
            caller.watch(created.name, previews=True), caller.watch(created.name)
        )
    fractions = [e.progress.fraction for e in without if e.HasField("progress")]
    assert fractions == sorted(fractions)
    assert len(fractions) > 1
    assert fractions[-1] <= 1
    filming = [e.progress for e in without if e.progress.progress.stage == "film"]
    assert filming
    assert all(one.progress.total == 48 for one in filming)
    assert any(e.HasField("preview") for e in with_previews)
    assert not any(e.HasField("preview") for e in without)


async def test_a_watch_begun_anywhere_gets_all_that_follows(bench: Bench, song: bytes) -> None:
    """Whatever number a watcher has seen, it gets every later one, once, to the end."""
    async with bench.gateway() as caller:
        done = await render(caller, song)
        for after in range(done.sequence + 1):
            events = await caller.watch(done.name, after)
            numbers = [event.state_change.sequence for event in events]
            assert numbers == list(range(after + 1, done.sequence + 1))


async def test_many_scenes_at_once(bench: Bench, song: bytes) -> None:
    """Dozens of scenes are filmed, each once, with no more at a time than there is room for."""
    bench.services.writer.scene_frames = 1
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
        spec = r.RenderSpec(song=ref)
        spec.frame_rate.num, spec.frame_rate.den = 30, 1
        created = await caller.create(spec)
        done = await caller.ended(created.name)
    assert done.state == states.SUCCEEDED, done.error
    assert len(done.scenes) == 60
    assert set(bench.services.videogen.log.filmed.values()) == {1}


async def test_two_renders_take_turns(bench: Bench, song: bytes) -> None:
    """A short render that comes second does not wait for the last scene of a long one."""
    services = bench.services
    services.videogen.takes_s = 0.1
    services.writer.scene_frames = 2
    async with bench.gateway(
        video_pools=(
            {
                "name": "default",
                "endpoints": [services.targets["videogen"]],
                "max_in_flight": 1,
            },
        )
    ) as caller:
        ref = await caller.upload(song)
        long = await caller.create(r.RenderSpec(song=ref, brief=w.Brief(style="long")))
        await caller.reaches(long.name, states.FILMING)
        await assert_eventually(lambda: len(services.videogen.log.order) > 1)
        services.videogen.may_finish.clear()
        services.writer.scene_frames = 12
        short = await caller.create(r.RenderSpec(song=ref, brief=w.Brief(style="short")))
        await caller.reaches(short.name, states.FILMING)
        services.videogen.may_finish.set()
        await caller.ended(short.name)
        assert (await caller.get(long.name)).state == states.FILMING
        await caller.cancel(long.name)
    order = services.videogen.log.order
    assert order.count("short") == 4
    last_short = len(order) - 1 - order[::-1].index("short")
    assert order[:last_short].count("long") < 24


async def test_the_same_question_is_asked_once_and_another_one_anew(
    bench: Bench, song: bytes
) -> None:
    """Each wish about the analysis reaches the analyzer and makes another one, kept under its own
    key; the same wishes, however they are written, find what was heard."""
    analyzer = bench.services.analyzer
    analyzer.info.capabilities.extend(["feature:rhythm", "feature:tags", "feature:lyrics"])
    wishes = [
        r.AnalysisWishes(),
        r.AnalysisWishes(features=[a.FEATURE_RHYTHM]),
        r.AnalysisWishes(features=[a.FEATURE_TAGS, a.FEATURE_RHYTHM]),
        *(
            r.AnalysisWishes(options=one)
            for one in (
                a.AnalyzeOptions(transcribe=True),
                a.AnalyzeOptions(min_tempo_bpm=90),
                a.AnalyzeOptions(max_tempo_bpm=90),
                a.AnalyzeOptions(max_tags=3),
            )
        ),
    ]
    same = r.AnalysisWishes(features=[a.FEATURE_RHYTHM, a.FEATURE_TAGS])
    async with bench.gateway() as caller:
        goal = r.RENDER_GOAL_ANALYSIS
        made = [await render(caller, song, goal=goal, analysis=one) for one in wishes]
        assert analyzer.calls == len(wishes)
        again = [await render(caller, song, goal=goal, analysis=one) for one in [*wishes, same]]
        aligned = [
            await render(caller, song, goal=goal, lyrics=words) for words in ("la", "la la", "la")
        ]
    assert analyzer.calls == len(wishes) + 2
    uris = [one.outputs.analysis.uri for one in made]
    assert len(set(uris)) == len(wishes)
    assert [one.outputs.analysis.uri for one in again] == [*uris, uris[2]]
    assert aligned[0].outputs == aligned[2].outputs
    asked = [(list(one.features), one.options) for one in analyzer.requests]
    for (features, options), wish in zip(asked, wishes, strict=False):
        assert options == wish.options
        if not wish.options.transcribe:
            assert features == sorted(wish.features)
    assert analyzer.requests[-1].options.lyrics == "la la"


async def test_a_feature_that_is_not_offered_is_named(bench: Bench, song: bytes) -> None:
    """A render that asks for more than the analyzer has fails at once, with the wish and what
    there is; the analyzer is not called."""
    bench.services.analyzer.info.capabilities.append("feature:rhythm")
    async with bench.gateway() as caller:
        failed = await render(caller, song, analysis=r.AnalysisWishes(concept=True))
    assert failed.state == states.FAILED
    error = error_from_status(failed.error)
    assert error.field_violations == (
        (
            "render.spec.analysis.concept",
            "the analyzer here does not offer concept; it offers rhythm",
        ),
    )
    assert bench.services.analyzer.calls == 0


async def test_what_the_analyzer_refuses_is_named_as_it_was_asked(
    bench: Bench, song: bytes
) -> None:
    """The fields of the analyzer's answer are those of the render's spec."""
    refusal = InvalidArgument("too high", field="options.max_tempo_bpm")
    bench.services.analyzer.script = lambda calls: refusal
    wish = r.AnalysisWishes(options=a.AnalyzeOptions(max_tempo_bpm=500))
    async with bench.gateway() as caller:
        failed = await render(caller, song, analysis=wish)
    error = error_from_status(failed.error)
    assert error.field_violations == (("render.spec.analysis.options.max_tempo_bpm", "too high"),)


async def test_lyrics_that_nobody_aligns_are_told_of(bench: Bench, song: bytes) -> None:
    """A wish that the analyzer cannot grant shows in the notes."""
    async with bench.gateway() as caller:
        done = await render(caller, song, lyrics="la la")
    assert any("lyrics" in note for note in done.notes)


async def test_a_render_is_deleted_with_its_video_unless_another_has_it(
    bench: Bench, song: bytes
) -> None:
    """The video goes with the last render that has it; clips stay for later renders."""
    artifacts = bench.services.artifacts
    async with bench.gateway() as caller:
        first, second = [await render(caller, song) for _ in range(2)]
        video = artifacts.key_of(first.outputs.video.uri)
        for one, left in ((first, True), (second, False)):
            await caller.renders.DeleteRender(render_pb2.DeleteRenderRequest(name=one.name))
            assert (await artifacts.head(video) is not None) == left
        third = await render(caller, song)
        assert third.state == states.SUCCEEDED
        assert await artifacts.head(video) is not None
    assert sum(bench.services.videogen.log.filmed.values()) == 4


async def test_an_estimate_counts_the_songs_own_frames(bench: Bench, song: bytes) -> None:
    """The frames are those a render of it has, and asking starts no render."""
    async with bench.gateway() as caller:
        request = render_pb2.EstimateRenderRequest(parent=caller.parent)
        request.render.spec.song.CopyFrom(await caller.upload(song))
        estimate = await caller.renders.EstimateRender(request, timeout=120)
        listed = await caller.renders.ListRenders(
            render_pb2.ListRendersRequest(parent=caller.parent), timeout=120
        )
    assert estimate.frames == 48
    assert estimate.work_s >= estimate.wall_s > 0
    assert not listed.renders
