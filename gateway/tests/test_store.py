"""Every change is written whole, numbered without gaps, and at most once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from google.rpc import status_pb2

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import keys, listing, rows, states
from soundsight_gateway import tables as t
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.names import RenderRef
from soundsight_gateway.store import NewRender, RenderEnded, RenderStore
from soundsight_kit.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound


class Bench:
    """A store, its database, and the renders it said had changed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[RenderRef] = []
        self.store = RenderStore(database, self.told.append)

    async def create(
        self, render: str = "song-1", *, project: str = "demo", seed: int = 1, **more: object
    ) -> RenderRef:
        spec = r.RenderSpec(seed=seed)
        new = NewRender(
            RenderRef(project, render),
            spec,
            keys.spec_digest(spec),
            **{"labels": {}, **more},  # type: ignore[arg-type]
        )
        made, _ = await self.store.create(new)
        _, project, _, name = made.name.split("/")
        return RenderRef(project, name)

    async def numbers(self, ref: RenderRef) -> list[int]:
        return [change.sequence for change in await self.store.changes(ref, 0)]

    async def rows(self, table: sa.Table) -> int:
        count = sa.select(sa.func.count()).select_from(table)
        return await self.database.read(lambda c: c.execute(count).scalar_one())


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    database = Database(create_engine(database_url))
    await database.migrate()
    yield Bench(database)
    database.close()


def scene(scene_id: str, state: r.SceneState.ValueType, **more: object) -> r.SceneStatus:
    return r.SceneStatus(scene_id=scene_id, state=state, **more)  # type: ignore[arg-type]


async def test_a_render_is_born_queued_with_its_first_change(bench: Bench) -> None:
    """Creation is change number 1."""
    ref = await bench.create(labels={"team": "blue"})
    render = await bench.store.get(ref)
    (change,) = await bench.store.changes(ref, 0)
    assert (render.state, render.sequence, dict(render.labels)) == (
        states.QUEUED,
        1,
        {"team": "blue"},
    )
    assert (change.sequence, change.state, change.time) == (1, states.QUEUED, render.create_time)
    assert bench.told == [ref]


async def test_entering_a_state_twice_is_one_change(bench: Bench) -> None:
    """An interrupted step may run again."""
    ref = await bench.create()
    for _ in range(3):
        await bench.store.enter(ref, states.INGESTING)
    assert await bench.numbers(ref) == [1, 2]
    assert len(bench.told) == 2


@pytest.mark.parametrize("final", sorted(states.FINAL))
async def test_a_final_state_is_final(bench: Bench, final: states.State) -> None:
    """Nothing follows it: neither states nor scenes nor notes."""
    ref = await bench.create()
    await bench.store.enter(ref, states.FILMING, scene_ids=["s001"])
    await bench.store.enter(ref, final)
    before = await bench.store.get(ref)
    for attempt in (
        bench.store.enter(ref, states.COMPOSING),
        bench.store.put_scene(ref, scene("s001", r.SCENE_STATE_DONE)),
        bench.store.note(ref, notes=["late"]),
        *(bench.store.enter(ref, other) for other in states.FINAL - {final}),
    ):
        with pytest.raises(RenderEnded):
            await attempt
    await bench.store.enter(ref, final)
    assert await bench.store.get(ref) == before
    assert before.HasField("end_time")


async def test_states_do_not_go_back(bench: Bench) -> None:
    """A step that lost its turn cannot turn a render back."""
    ref = await bench.create()
    await bench.store.enter(ref, states.FILMING)
    with pytest.raises(Aborted):
        await bench.store.enter(ref, states.ANALYZING)


async def test_changes_at_once_are_numbered_without_gaps(bench: Bench) -> None:
    """Forty scenes that finish at the same moment give forty numbers in a row."""
    ref = await bench.create()
    ids = [f"s{i:03}" for i in range(40)]
    await bench.store.enter(ref, states.FILMING, scene_ids=ids)
    await asyncio.gather(
        *(bench.store.put_scene(ref, scene(one, r.SCENE_STATE_DONE)) for one in ids)
    )
    changes = await bench.store.changes(ref, 0)
    assert [change.sequence for change in changes] == list(range(1, 43))
    assert {change.scene.scene_id for change in changes[2:]} == set(ids)
    render = await bench.store.get(ref)
    assert render.sequence == 42
    assert [status.scene_id for status in render.scenes] == ids


async def test_only_one_of_two_endings_wins(bench: Bench) -> None:
    """Success and cancellation at once: one is written, the other is told."""
    for i in range(10):
        ref = await bench.create(f"race-{i}")
        await bench.store.enter(ref, states.PUBLISHING)
        outcomes = await asyncio.gather(
            bench.store.enter(ref, states.SUCCEEDED),
            bench.store.enter(ref, states.CANCELLED),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in outcomes) == ["NoneType", "RenderEnded"]
        assert await bench.numbers(ref) == [1, 2, 3]


async def test_a_change_that_fails_half_way_leaves_nothing(bench: Bench) -> None:
    """The number, the row and the change are written together or not at all."""
    ref = await bench.create()
    with pytest.raises(sa.exc.IntegrityError):
        await bench.store.enter(ref, states.FILMING, scene_ids=["same", "same"])
    render = await bench.store.get(ref)
    assert (render.state, render.sequence, len(render.scenes)) == (states.QUEUED, 1, 0)
    await bench.store.enter(ref, states.INGESTING)
    assert await bench.numbers(ref) == [1, 2]


async def test_a_scene_that_is_done_stays_done(bench: Bench) -> None:
    """A late report of an earlier attempt changes nothing."""
    ref = await bench.create()
    await bench.store.enter(ref, states.FILMING, scene_ids=["s001"])
    await bench.store.put_scene(ref, scene("s001", r.SCENE_STATE_DONE, clip_key="k"))
    await bench.store.put_scene(ref, scene("s001", r.SCENE_STATE_FILMING, attempts=2))
    assert (await bench.store.scene(ref, "s001")).state == r.SCENE_STATE_DONE
    assert await bench.numbers(ref) == [1, 2, 3]


async def test_an_error_travels_with_its_change(bench: Bench) -> None:
    """The change that failed a render holds the reason, and so does the render."""
    ref = await bench.create()
    error = status_pb2.Status(code=3, message="no song")
    await bench.store.enter(ref, states.FAILED, error=error)
    assert (await bench.store.changes(ref, 1))[0].error == error
    assert (await bench.store.get(ref)).error == error


async def test_timings_close_as_stages_follow(bench: Bench) -> None:
    """Each stage ends when the next begins, the last one with the render."""
    ref = await bench.create()
    for state in (states.INGESTING, states.ANALYZING, states.SUCCEEDED):
        await bench.store.enter(ref, state)
    timings = (await bench.store.get(ref)).timings
    assert [timing.state for timing in timings] == [states.INGESTING, states.ANALYZING]
    assert timings[0].end_time == timings[1].start_time
    assert timings[1].HasField("end_time")


async def test_the_etag_changes_with_every_change_and_only_then(bench: Bench) -> None:
    """What was read twice without a change in between has the same etag."""
    ref = await bench.create()
    seen = [(await bench.store.get(ref)).etag]
    await bench.store.note(ref, notes=["a"])
    seen.append((await bench.store.get(ref)).etag)
    await bench.store.note(ref, notes=["a"])
    assert (await bench.store.get(ref)).etag == seen[-1]
    await bench.store.enter(ref, states.INGESTING)
    seen.append((await bench.store.get(ref)).etag)
    assert len(set(seen)) == 3
    assert (await bench.store.get(ref)).notes == ["a"]


async def test_a_request_id_gives_the_same_render(bench: Bench) -> None:
    """Ten calls at once with one request id make one render."""
    request_id = str(uuid.uuid4())
    refs = await asyncio.gather(
        *(bench.create(f"try-{i}", request_id=request_id) for i in range(10))
    )
    assert len(set(refs)) == 1
    elsewhere = await bench.create("other", project="other", request_id=request_id)
    assert elsewhere.project == "other"
    with pytest.raises(AlreadyExists) as caught:
        await bench.create("new-one", seed=2, request_id=request_id)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_a_taken_id_is_refused(bench: Bench) -> None:
    """An id names one render of a project; other projects may use it too."""
    await bench.create("mine")
    await bench.create("mine", project="other")
    with pytest.raises(AlreadyExists):
        await bench.create("mine")


async def test_pages_hold_every_render_once_newest_first(bench: Bench) -> None:
    """Walking pages of any size gives the same list, also while renders are added."""
    made = [await bench.create(f"song-{i}") for i in range(7)]
    await bench.create("foreign", project="other")
    for size in (1, 3, 7, 100):
        seen: list[str] = []
        cursor: listing.Cursor | None = None
        while True:
            page, cursor = await bench.store.page("demo", listing.Filter(), size, cursor)
            seen += [render.name for render in page]
            if cursor is None:
                break
            assert len(page) == size
        assert seen == [ref.name for ref in reversed(made)]


async def test_filters_choose_by_state_and_labels(bench: Bench) -> None:
    """All terms must hold."""
    blue = await bench.create("blue", labels={"team": "blue", "tier": "1"})
    await bench.create("red-1", labels={"team": "red", "tier": "1"})
    await bench.store.enter(blue, states.FAILED)

    async def names(text: str) -> list[str]:
        page, _ = await bench.store.page("demo", listing.parse_filter(text), 10, None)
        return [render.name.rpartition("/")[2] for render in page]

    assert await names('labels.team = "blue"') == ["blue"]
    assert await names('labels.tier = "1"') == ["red-1", "blue"]
    assert await names('labels.tier = "1" AND state = FAILED') == ["blue"]
    assert await names('labels.tier = "1" AND labels.team = "green"') == []
    assert await names("state = FAILED AND state = QUEUED") == []


async def test_a_render_is_forgotten_whole_and_only_once_ended(bench: Bench) -> None:
    """Deletion needs an end and, when given, the present etag; it leaves no row behind."""
    ref = await bench.create("gone", labels={"a": "b"}, request_id=str(uuid.uuid4()))
    with pytest.raises(FailedPrecondition):
        await bench.store.delete(ref)
    await bench.store.enter(ref, states.FILMING, scene_ids=["s001"])
    await bench.store.enter(ref, states.CANCELLED)
    with pytest.raises(Aborted):
        await bench.store.delete(ref, "1-1")
    await bench.store.delete(ref, (await bench.store.get(ref)).etag)
    with pytest.raises(NotFound):
        await bench.store.get(ref)
    for table in (t.renders, t.render_labels, t.scenes, t.state_changes, t.request_ids):
        assert await bench.rows(table) == 0


async def test_pausing_shows_and_ends_with_the_render(bench: Bench) -> None:
    """A paused render says so in its notes; an ended one is never paused."""
    ref = await bench.create()
    await bench.store.set_paused(ref, True)
    (standing,) = await bench.store.unfinished()
    assert standing.paused
    assert any("paused" in note for note in (await bench.store.get(ref)).notes)
    await bench.store.enter(ref, states.CANCELLED)
    assert await bench.store.unfinished() == []
    await bench.store.set_paused(ref, True)
    assert (await bench.store.get(ref)).notes == []


async def test_outputs_in_use_are_known(bench: Bench) -> None:
    """A URI counts as used while any render of the project has it among its outputs."""
    ref = await bench.create()
    outputs = r.RenderOutputs()
    outputs.video.uri = "file:///store/projects/demo/compositions/k_1/video.mp4"
    await bench.store.enter(ref, states.SUCCEEDED, outputs=outputs)
    assert await bench.store.uses("demo", outputs.video.uri)
    assert not await bench.store.uses("demo", outputs.video.uri.replace("k_1", "kx1"))
    assert not await bench.store.uses("other", outputs.video.uri)


async def test_a_database_of_a_later_version_is_refused(database_url: str) -> None:
    """An older gateway does not touch what it does not understand."""
    database = Database(create_engine(database_url))
    await database.migrate()
    await database.write(lambda c: c.execute(sa.insert(t.schema_version).values(version=99)))
    with pytest.raises(FailedPrecondition) as caught:
        await database.migrate()
    assert caught.value.reason == "DATABASE_TOO_NEW"
    database.close()


async def test_a_failed_attempt_is_written_once(bench: Bench) -> None:
    """An interrupted step that runs again adds no second failure; each has a number, and the
    latest ten stay."""
    ref = await bench.create()
    error = status_pb2.Status(code=14, message="away")
    await bench.store.tried(ref, "take_in", 1, error, "tried again")  # before any stage began
    await bench.store.tried(ref, "take_in", 1, error, "tried again")
    await bench.store.enter(ref, states.INGESTING)
    for times in (1, 1, *range(2, 13)):
        await bench.store.tried(ref, "take_in", times, error, "tried again")
    await bench.store.tried(ref, "other_step", 1, error, "tried again")
    render = await bench.store.get(ref)
    (ingesting,) = render.timings
    assert ingesting.attempts == 14
    assert [one.number for one in ingesting.failures] == list(range(4, 14))
    assert {one.error.message for one in ingesting.failures} == {"away"}
    assert list(render.notes) == ["tried again"]
    assert await bench.numbers(ref) == list(range(1, render.sequence + 1))
    assert render.sequence == 1 + 1 + 1 + 13


def test_a_scenes_failure_is_added_once() -> None:
    """As with stages: an interrupted step adds none twice, and the latest ten stay."""
    status = scene("s001", r.SCENE_STATE_PENDING)
    for times in (1, 1, 2, 2):
        rows.add_failure(status, times, status_pb2.Status(message=f"reason {times}"))
    assert [one.number for one in status.failures] == [1, 2]
    for times in range(3, 13):
        rows.add_failure(status, times, status_pb2.Status(message=f"reason {times}"))
    assert [one.number for one in status.failures] == list(range(3, 13))
    assert status.failures[0].error.message == "reason 3"
    assert all(one.time.seconds for one in status.failures)


def test_stages_of_before_failures_were_kept_are_read() -> None:
    """A row that an earlier version wrote is read, and a stage without failures is written so."""
    before = "[[2, 10, 20], [3, 20, null]]"
    spans = rows.load_spans(before)
    assert [span.failures for span in spans] == [(), ()]
    assert rows.dump_spans(spans) == before
