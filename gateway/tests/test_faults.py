"""A render survives the death of its gateway, and ends when it is told to."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from soundsight.render.v1 import render_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.videogen.v1.videogen_pb2 import GetLoadRequest
from soundsight_gateway import keys, states
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.names import RenderRef
from soundsight_gateway.store import NewRender, RenderStore
from soundsight_gateway.testing import ScriptedVideogen, scripted_videogen
from soundsight_kit.errors import Unavailable, error_from_rpc
from soundsight_kit.testing import assert_eventually

Bench = Any  # conftest's
Caller = Any


async def begin(caller: Caller, song: bytes, **more: Any) -> r.Render:
    """Uploads a song and asks for a render of it."""
    ref = await caller.upload(song)
    created: r.Render = await caller.create(r.RenderSpec(song=ref), **more)
    return created


def scenes_done(render: r.Render) -> int:
    return sum(scene.state == r.SCENE_STATE_DONE for scene in render.scenes)


async def test_kill_9_in_mid_filming_films_no_finished_scene_again(
    bench: Bench, song: bytes
) -> None:
    """Started again under the same executor id, the render goes on; finished scenes were filmed
    once, and what ran on while nobody watched is found."""
    log = bench.services.videogen.log
    bench.services.videogen.takes_s = 0.4
    bench.services.writer.scene_frames = 4
    async with bench.child() as child:
        created = await begin(child.caller, song)
        await assert_eventually(lambda: sum(log.filmed.values()) >= 5)
        bench.services.videogen.may_finish.clear()

        async def some_done() -> bool:
            return scenes_done(await child.caller.get(created.name)) > 0

        await assert_eventually(some_done)
        before = await child.caller.get(created.name)
        await child.kill()
    bench.services.videogen.may_finish.set()
    assert 0 < scenes_done(before) < len(before.scenes) == 12
    async with bench.child() as child:
        done = await child.caller.ended(created.name)
        numbers = [
            event.state_change.sequence
            for event in await child.caller.watch(created.name)
            if event.HasField("state_change")
        ]
    assert done.state == states.SUCCEEDED, done.error
    assert numbers == list(range(1, done.sequence + 1))
    assert len(log.filmed) == 12
    assert set(log.filmed.values()) == {1}
    assert not any(scene.reused for scene in done.scenes)


STAGES: dict[str, Callable[[Bench], bool]] = {
    "analysing": lambda bench: bench.services.analyzer.running > 0,
    "first clip": lambda bench: sum(bench.services.videogen.log.begun.values()) > 0,
    "composing": lambda bench: len(bench.services.composer.requests) > 0,
}


async def test_sigterm_ends_a_gateway_at_once_and_cleanly(bench: Bench, song: bytes) -> None:
    """A gateway that is told to end does so with exit code 0 and without complaint; the next one
    finds the clips that went on meanwhile."""
    services = bench.services
    services.videogen.may_finish.clear()
    async with bench.child() as child:
        created = await begin(child.caller, song)
        await assert_eventually(lambda: STAGES["first clip"](bench))
        assert await child.terminate() == 0
        assert "Traceback" not in child.log.read_text()
    services.videogen.may_finish.set()
    async with bench.gateway() as caller:
        done = await caller.ended(created.name)
    assert done.state == states.SUCCEEDED
    assert set(services.videogen.log.begun.values()) == {1}
    assert not services.videogen.log.cancelled


@pytest.mark.parametrize("stage", ["analysing", "composing"])
async def test_a_gateway_that_leaves_lets_the_next_one_go_on(
    bench: Bench, song: bytes, stage: str
) -> None:
    """At whatever stage it leaves, the next gateway finishes the render, attached to what goes on
    meanwhile."""
    services = bench.services
    working = services.analyzer if stage == "analysing" else services.composer
    working.may_finish.clear()
    async with bench.gateway() as caller:
        created = await begin(caller, song)
        await assert_eventually(lambda: STAGES[stage](bench))
    working.may_finish.set()
    async with bench.gateway() as caller:
        done = await caller.ended(created.name)
    assert done.state == states.SUCCEEDED
    assert set(services.videogen.log.begun.values()) == {1}
    assert set(services.composer.composed.values()) == {1}


async def test_a_watcher_is_told_when_its_gateway_goes(bench: Bench, song: bytes) -> None:
    """The stream ends with UNAVAILABLE, and a new one from the last number misses nothing."""
    bench.services.videogen.may_finish.clear()
    seen: list[int] = []
    async with bench.gateway() as caller:
        created = await begin(caller, song)
        request = render_pb2.WatchRenderRequest(name=created.name)

        async def watch() -> None:
            async for event in caller.renders.WatchRender(request):
                if event.HasField("state_change"):
                    seen.append(event.state_change.sequence)

        watching = asyncio.create_task(watch())
        await assert_eventually(lambda: STAGES["first clip"](bench))
        await caller.gateway_leaves()
        with pytest.raises(grpc.RpcError) as caught:
            await watching
        assert error_from_rpc(caught.value).reason == "DRAINING"
    bench.services.videogen.may_finish.set()
    async with bench.gateway() as caller:
        for event in await caller.watch(created.name, seen[-1]):
            if event.HasField("state_change"):
                seen.append(event.state_change.sequence)
        done = await caller.get(created.name)
    assert seen == list(range(1, done.sequence + 1))


CANCELLED_AT: dict[str, tuple[states.State, Callable[[Bench], bool]]] = {
    "analysing": (states.ANALYZING, STAGES["analysing"]),
    "filming": (states.FILMING, STAGES["first clip"]),
    "composing": (states.COMPOSING, STAGES["composing"]),
}


@pytest.mark.parametrize("stage", CANCELLED_AT)
async def test_cancel_reaches_every_running_step(bench: Bench, song: bytes, stage: str) -> None:
    """Wherever a render stands, cancelling stops the services' work, for good; doing it again
    changes nothing."""
    services = bench.services
    state, there = CANCELLED_AT[stage]
    working = {
        "analysing": services.analyzer,
        "filming": services.videogen,
        "composing": services.composer,
    }[stage]
    working.may_finish.clear()
    async with bench.gateway() as caller:
        created = await begin(caller, song)
        await assert_eventually(lambda: there(bench))
        assert (await caller.get(created.name)).state == state
        cancelled = await caller.cancel(created.name)
        assert cancelled.state == states.CANCELLED

        async def idle() -> bool:
            load = await services.videogen.GetLoad(GetLoadRequest(), None)
            working: int = load.busy + load.queued + services.analyzer.running
            return working == 0

        await assert_eventually(idle)
        if stage == "composing":
            await assert_eventually(lambda: sum(services.composer.cancelled.values()) == 1)
        for _ in range(10):
            assert await caller.cancel(created.name) == cancelled
        events = await caller.watch(created.name)
    assert events[-1].state_change.state == states.CANCELLED
    assert sum(state_of(event) == states.CANCELLED for event in events) == 1


def state_of(event: r.RenderEvent) -> states.State:
    return event.state_change.state


async def test_cancelling_one_of_two_leaves_the_other_its_work(bench: Bench, song: bytes) -> None:
    """Clips that another render waits for are not stopped."""
    videogen = bench.services.videogen
    videogen.may_finish.clear()
    async with bench.gateway() as caller:
        first = await begin(caller, song)
        second = await begin(caller, song)
        for one in (first, second):
            await caller.reaches(one.name, states.FILMING)
        await assert_eventually(lambda: len(videogen.log.requests) == 8)
        await caller.cancel(first.name)
        videogen.may_finish.set()
        done = await caller.ended(second.name)
    assert done.state == states.SUCCEEDED
    assert set(videogen.log.begun.values()) == {1}


async def test_cancelled_work_is_reused(bench: Bench, song: bytes) -> None:
    """What was finished before the cancellation is not made again."""
    log = bench.services.videogen.log
    bench.services.writer.scene_frames = 4
    bench.services.videogen.takes_s = 0.3
    async with bench.gateway() as caller:
        created = await begin(caller, song)
        await assert_eventually(lambda: sum(log.filmed.values()) >= 4)
        bench.services.videogen.may_finish.clear()
        await caller.cancel(created.name)
        bench.services.videogen.may_finish.set()
        kept = {key for key, count in log.filmed.items() if count}
        again = await caller.create(r.RenderSpec(song=created.spec.song))
        done = await caller.ended(again.name)
    assert done.state == states.SUCCEEDED
    assert {scene.clip_key for scene in done.scenes if scene.reused} >= {
        key.rpartition("/")[2] for key in kept
    }
    assert set(log.filmed.values()) == {1}


async def test_unfinished_renders_stay_paused_until_asked_for_again(
    bench: Bench, song: bytes
) -> None:
    """With recover_on_start=none nothing runs by itself; the same request id lets it go on, and
    finished scenes are not filmed again."""
    log = bench.services.videogen.log
    bench.services.videogen.takes_s = 0.5
    bench.services.writer.scene_frames = 6
    request_id = str(uuid.uuid4())
    async with bench.gateway(recover_on_start="none") as caller:
        created = await begin(caller, song, request_id=request_id)
        other = await caller.create(r.RenderSpec(song=created.spec.song, seed=9))
        await assert_eventually(lambda: sum(log.filmed.values()) >= 3)
        bench.services.videogen.may_finish.clear()
    bench.services.videogen.may_finish.set()
    # Whatever was under way at the service ends first, so that what begins later is seen.
    await assert_eventually(lambda: sum(log.begun.values()) == sum(log.filmed.values()))
    begun = sum(log.begun.values())
    async with bench.gateway(recover_on_start="none") as caller:
        for one in (created, other):
            paused = await caller.get(one.name)
            assert paused.state not in states.FINAL
            assert any("paused" in note for note in paused.notes)
        again = await caller.create(created.spec, request_id=request_id)
        assert again.name == created.name
        done = await caller.ended(created.name)
        assert done.state == states.SUCCEEDED, done.error
        assert not any("paused" in note for note in done.notes)
        left = await caller.get(other.name)
        assert any("paused" in note for note in left.notes)
        finished = await caller.create(created.spec, request_id=request_id)
        assert finished == done
    assert set(log.filmed.values()) == {1}
    assert sum(log.begun.values()) < begun + 16
    # A gateway that recovers all lets the other one go on, too.
    async with bench.gateway(recover_on_start="all") as caller:
        assert (await caller.ended(other.name)).state == states.SUCCEEDED
    assert set(log.filmed.values()) == {1}
    assert len(log.filmed) == 16


async def test_what_ran_goes_on_and_what_was_paused_stays_so(bench: Bench, song: bytes) -> None:
    """With recover_on_start=unpaused a gateway that was killed goes on with what it was doing, and
    with nothing that nobody had asked it for."""
    videogen = bench.services.videogen
    videogen.may_finish.clear()
    async with bench.child() as child:
        old = await begin(child.caller, song)
        await assert_eventually(lambda: STAGES["first clip"](bench))
        await child.kill()
    videogen.may_finish.set()
    await assert_eventually(lambda: videogen.log.begun == videogen.log.filmed)
    videogen.may_finish.clear()
    films = len(videogen.log.begun)
    again = {"SOUNDSIGHT_GATEWAY_RECOVER_ON_START": "none"}
    async with bench.child(**again) as child:
        new = await child.caller.create(r.RenderSpec(song=old.spec.song, seed=9))
        await assert_eventually(lambda: len(videogen.log.begun) > films)
        await child.kill()
    videogen.may_finish.set()
    again = {"SOUNDSIGHT_GATEWAY_RECOVER_ON_START": "unpaused"}
    async with bench.child(**again) as child:
        assert (await child.caller.ended(new.name)).state == states.SUCCEEDED
        left = await child.caller.get(old.name)
    assert left.state not in states.FINAL
    assert any("paused" in note for note in left.notes)


@pytest.mark.parametrize("jump_s", [3600, -3600])
async def test_the_clock_may_jump(
    bench: Bench, song: bytes, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    """An hour forward or back in the middle of a pause before a further attempt changes nothing."""
    jumped = False

    class Jumping:
        """The time module, with another clock on the wall."""

        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

        def time(self) -> float:
            return time.time() + jumped * jump_s

        def time_ns(self) -> int:
            return time.time_ns() + jumped * jump_s * 1_000_000_000

    # Not `time.time` itself: gRPC tells its core the time of the day, which has not changed.
    for name, module in list(sys.modules.items()):
        if name.startswith(("dbos.", "soundsight_gateway.")) and vars(module).get("time") is time:
            monkeypatch.setattr(module, "time", Jumping())

    def script(request: Any, begun: int) -> Exception | None:
        nonlocal jumped
        if request.seed != 2 or begun > 2:
            return None
        jumped = jumped or begun == 2
        return Unavailable("flaky")

    bench.services.videogen.script = script
    async with bench.gateway() as caller:
        created = await begin(caller, song)
        done = await caller.ended(created.name)
    assert jumped
    assert done.state == states.SUCCEEDED, done.error
    assert max(scene.attempts for scene in done.scenes) == 3


async def test_an_endpoint_that_dies_is_replaced_by_the_others(bench: Bench, song: bytes) -> None:
    """Scenes that were under way at a dead endpoint are filmed elsewhere; the render succeeds."""
    services = bench.services
    services.writer.scene_frames = 4
    mortal = ScriptedVideogen(services.artifacts, services.videogen.log, slots=4)
    mortal.may_finish.clear()
    services.videogen.may_finish.clear()
    async with AsyncExitStack() as life:
        second = await life.enter_async_context(
            scripted_videogen(mortal, bench.sockets / "mortal.sock", dies=True)
        )
        targets = (services.targets["videogen"], second)
        async with bench.gateway(video_endpoints=targets) as caller:
            created = await begin(caller, song)

            async def under_way() -> int:
                return int((await mortal.GetLoad(GetLoadRequest(), None)).busy)

            async def has_work() -> bool:
                return await under_way() > 0

            await assert_eventually(has_work)
            services.videogen.may_finish.set()
            await assert_eventually(lambda: sum(services.videogen.log.filmed.values()) >= 4)
            lost = await under_way()
            await life.aclose()
            done = await caller.ended(created.name)
    assert done.state == states.SUCCEEDED, done.error
    again = [scene for scene in done.scenes if scene.attempts > 1]
    assert len(again) >= lost > 0
    assert set(services.videogen.log.filmed.values()) == {1}


async def test_a_failed_render_is_not_started_again_behind_the_callers_back(
    bench: Bench, song: bytes
) -> None:
    """The same request id gives the failed render; another one gives a new render."""
    request_id = str(uuid.uuid4())
    async with bench.gateway() as caller:
        created = await begin(caller, b"no song at all", request_id=request_id)
        failed = await caller.ended(created.name)
        assert await caller.create(created.spec, request_id=request_id) == failed
        fresh = await caller.create(created.spec, request_id=str(uuid.uuid4()))
        assert fresh.name != failed.name
        await caller.ended(fresh.name)


async def test_a_row_without_a_workflow_is_started(bench: Bench, song: bytes) -> None:
    """A crash between writing a render down and starting it loses nothing."""
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
    database = Database(create_engine(bench.database_url))
    store = RenderStore(database, lambda _: None)
    spec = r.RenderSpec(song=ref)
    new = NewRender(RenderRef("demo", "left-out"), spec, keys.spec_digest(spec), {})
    made, _ = await store.create(new)
    database.close()
    async with bench.gateway() as caller:
        assert (await caller.ended(made.name)).state == states.SUCCEEDED


async def test_what_the_engine_dropped_goes_on(bench: Bench, song: bytes) -> None:
    """Workflows that are this gateway's, and that it does not run, are found by the sweep; finished
    scenes are not filmed again."""
    log = bench.services.videogen.log
    bench.services.videogen.takes_s = 0.4
    bench.services.writer.scene_frames = 4
    async with bench.child(SOUNDSIGHT_GATEWAY_EXECUTOR_ID="another") as child:
        created = await begin(child.caller, song)
        await assert_eventually(lambda: sum(log.filmed.values()) >= 4)
        bench.services.videogen.may_finish.clear()
        await child.kill()
    bench.services.videogen.may_finish.set()
    async with bench.gateway(sweep_interval_s=0.3) as caller:
        await bench.run("UPDATE workflow_status SET executor_id = 'bench'")
        assert (await caller.ended(created.name)).state == states.SUCCEEDED
    assert len(log.filmed) == 12
    assert set(log.filmed.values()) == {1}


async def test_a_render_of_an_older_engine_is_ended_with_its_reason(
    bench: Bench, song: bytes
) -> None:
    """After an upgrade of the workflows a render of ours is not left hanging; asked for again, it
    reuses what was finished."""
    bench.services.composer.may_finish.clear()
    async with bench.gateway() as caller:
        created = await begin(caller, song)
        await caller.reaches(created.name, states.COMPOSING)
    bench.services.composer.may_finish.set()
    older = sa.text("UPDATE workflow_status SET application_version = '0'")
    database = Database(create_engine(bench.database_url))
    await database.write(lambda c: c.execute(older))
    database.close()
    async with bench.gateway() as caller:
        failed = await caller.ended(created.name)
        assert "upgraded" in failed.error.message
        again = await caller.create(created.spec)
        assert (await caller.ended(again.name)).state == states.SUCCEEDED
    assert set(bench.services.videogen.log.filmed.values()) == {1}


async def test_what_is_recorded_is_plain_json(bench: Bench, song: bytes) -> None:
    """No step or workflow leaves a pickle behind."""
    async with bench.gateway() as caller:
        created = await begin(caller, song)
        await caller.ended(created.name)
    database = Database(create_engine(bench.database_url))
    for table in ("workflow_status", "operation_outputs"):
        query = sa.text(f"SELECT DISTINCT serialization FROM {table}")
        how = await database.read(lambda c, q=query: c.execute(q).scalars().all())  # type: ignore[misc]
        assert set(how) - {None} == {"portable_json"}
    outputs = sa.text("SELECT output FROM operation_outputs WHERE output IS NOT NULL")
    recorded = await database.read(lambda c: c.execute(outputs).scalars().all())
    assert {"ok": None} in [json.loads(text) for text in recorded]
    database.close()


async def test_five_renders_at_once_all_finish(bench: Bench, song: bytes) -> None:
    """Different renders share the suite and all end well."""
    bench.services.videogen.takes_s = 0.1
    async with bench.gateway() as caller:
        ref = await caller.upload(song)
        made = await asyncio.gather(
            *(caller.create(r.RenderSpec(song=ref, seed=seed)) for seed in range(5))
        )
        ended = await asyncio.gather(*(caller.ended(one.name) for one in made))
    assert [one.state for one in ended] == [states.SUCCEEDED] * 5
    assert len({one.outputs.video.sha256 for one in ended}) == 5
