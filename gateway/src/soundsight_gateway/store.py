"""Renders and their numbered state changes.

Every change is one transaction: the row, the number and the change itself are written together or
not at all, so that a watcher that reads the numbers sees every change there ever was. A final state
is final: who comes too late gets `RenderEnded`. All changes can be made twice: the second time
nothing happens, which is what lets an interrupted step of a workflow simply run again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from google.rpc import status_pb2

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import metrics, notices, queries, rows, states
from soundsight_gateway import tables as t
from soundsight_gateway.database import Database
from soundsight_gateway.listing import Cursor, Filter
from soundsight_gateway.names import RenderRef
from soundsight_gateway.queries import RENDER, Standing
from soundsight_kit.errors import Aborted, AlreadyExists, FailedPrecondition

PAGE_BYTES = 3 << 20
"""A page of renders is cut short here: a message may have 4 MiB."""


class RenderEnded(Aborted):
    """The render is in a final state already; nothing about it changes any more."""

    default_reason = "RENDER_ENDED"

    def __init__(self, ref: RenderRef, state: states.State) -> None:
        super().__init__(
            f"{ref.name} has ended: {states.label(state)}", resource=(RENDER, ref.name)
        )
        self.state = state


@dataclass(frozen=True, slots=True)
class NewRender:
    """A render to be written down."""

    ref: RenderRef
    spec: r.RenderSpec
    spec_digest: str
    labels: dict[str, str]
    request_id: str = ""


class RenderStore:
    """The renders of all projects.

    `on_change` is called on the event loop after every change that was written.
    """

    def __init__(self, database: Database, on_change: Callable[[RenderRef], None]) -> None:
        self._db = database
        self._on_change = on_change

    async def create(self, new: NewRender) -> tuple[r.Render, bool]:
        """Writes a render down, QUEUED, as its change number 1.

        With the request id of an earlier call, that call's render is returned instead.

        Returns the render and whether it is new. Raises AlreadyExists when the id is taken, or
        when the request id was used for another spec.
        """
        try:
            ref, created = await self._db.write(lambda c: _create(c, new))
        except sa.exc.IntegrityError:
            # Another call came between the look and the write (Postgres): now it can be seen.
            ref, created = await self._db.write(lambda c: _create(c, new))
        if created:
            self._on_change(ref)
        return await self.get(ref), created

    async def get(self, ref: RenderRef) -> r.Render:
        """Returns a render. Raises NotFound."""

        def work(c: sa.Connection) -> r.Render:
            return queries.messages(c, [queries.row(c, ref)])[0]

        return await self._db.read(work)

    async def standing(self, ref: RenderRef) -> Standing:
        """Returns where a render stands. Raises NotFound."""
        return await self._db.read(lambda c: queries.standing(queries.row(c, ref)))

    async def page(
        self, project: str, wanted: Filter, size: int, after: Cursor | None
    ) -> tuple[list[r.Render], Cursor | None]:
        """Returns a page of a project's renders, newest first, and where the next one begins."""

        def work(c: sa.Connection) -> tuple[list[r.Render], Cursor | None]:
            query = queries.listing(project, wanted, after).limit(size + 1)
            found = c.execute(query).all()
            page = queries.messages(c, found[:size])
            kept, weight = 0, 0
            for message in page:
                weight += message.ByteSize()
                if kept and weight > PAGE_BYTES:
                    break
                kept += 1
            if kept == len(found):
                return page, None
            last = found[kept - 1]
            return page[:kept], Cursor(last.create_us, last.render)

        return await self._db.read(work)

    async def unfinished(self) -> list[Standing]:
        """Returns every render that has not ended, oldest first."""

        def work(c: sa.Connection) -> list[Standing]:
            query = (
                sa.select(t.renders)
                .where(t.renders.c.state.not_in(states.FINAL))
                .order_by(t.renders.c.create_us, t.renders.c.render)
            )
            return [queries.standing(row) for row in c.execute(query)]

        return await self._db.read(work)

    async def recent_successes(self, most: int) -> list[tuple[int, list[rows.Span]]]:
        """Returns frames and stages of the latest renders that went the whole way."""

        def work(c: sa.Connection) -> list[tuple[int, list[rows.Span]]]:
            query = (
                sa.select(t.renders.c.song, t.renders.c.timings)
                .where(t.renders.c.state == states.SUCCEEDED, t.renders.c.song.is_not(None))
                .order_by(t.renders.c.end_us.desc())
                .limit(most)
            )
            return [
                (rows.load(row.song, r.CanonicalSong()).frames, rows.load_spans(row.timings))
                for row in c.execute(query)
            ]

        return await self._db.read(work)

    async def changes(self, ref: RenderRef, after: int, most: int = 500) -> list[r.StateChange]:
        """Returns the state changes numbered above `after`, in order."""

        def work(c: sa.Connection) -> list[r.StateChange]:
            query = (
                sa.select(t.state_changes.c.change)
                .where(*queries.of(t.state_changes, ref), t.state_changes.c.sequence > after)
                .order_by(t.state_changes.c.sequence)
                .limit(most)
            )
            return [rows.load(text, r.StateChange()) for text in c.execute(query).scalars()]

        return await self._db.read(work)

    async def enter(
        self,
        ref: RenderRef,
        state: states.State,
        *,
        error: status_pb2.Status | None = None,
        outputs: r.RenderOutputs | None = None,
        video: r.VideoSettings | None = None,
        scene_ids: Sequence[str] = (),
    ) -> None:
        """Brings a render into a state, with what becomes known at that moment.

        Entering the present state changes nothing. Raises RenderEnded after a final state, Aborted
        when the render has moved past `state`, NotFound.
        """

        def work(c: sa.Connection) -> bool:
            row = queries.locked(c, ref)
            if row.state == state:
                return False
            if row.state in states.FINAL:
                raise RenderEnded(ref, row.state)
            if not states.may_follow(row.state, state):
                raise Aborted(
                    f"{ref.name} is {states.label(row.state)}: it cannot be "
                    f"{states.label(state)} any more",
                    reason="RENDER_MOVED_ON",
                )
            now_us = _now_us()
            for position, scene_id in enumerate(scene_ids):
                status = r.SceneStatus(scene_id=scene_id, state=r.SCENE_STATE_PENDING)
                c.execute(
                    sa.insert(t.scenes).values(
                        **queries.key(ref),
                        position=position,
                        scene_id=scene_id,
                        status=rows.dump(status),
                    )
                )
            spans = rows.next_spans(rows.load_spans(row.timings), state, now_us)
            values: dict[str, Any] = {"state": state, "timings": rows.dump_spans(spans)}
            if state in states.FINAL:
                values |= {"end_us": now_us, "paused": False}
            for name, message in (("error", error), ("outputs", outputs), ("video", video)):
                if message is not None:
                    values[name] = rows.dump(message)
            _change(c, row, r.StateChange(state=state, error=error), now_us, values)
            return True

        if await self._write(ref, work) and state in states.FINAL:
            metrics.render_ended(state)

    async def put_scene(self, ref: RenderRef, status: r.SceneStatus) -> None:
        """Writes down where a scene stands; as a numbered change, unless it stands there already.

        A scene that is done stays done. Raises RenderEnded, NotFound.
        """

        def work(c: sa.Connection) -> bool:
            row = queries.locked(c, ref)
            before = queries.scene(c, ref, status.scene_id)
            if before == status or before.state == r.SCENE_STATE_DONE:
                return False
            if row.state in states.FINAL:
                raise RenderEnded(ref, row.state)
            c.execute(
                sa.update(t.scenes)
                .where(*queries.of(t.scenes, ref), t.scenes.c.scene_id == status.scene_id)
                .values(status=rows.dump(status))
            )
            change = r.StateChange(state=row.state, scene=status)
            if status.HasField("error"):
                change.error.CopyFrom(status.error)
            _change(c, row, change, _now_us(), {})
            return True

        await self._write(ref, work)

    async def scene(self, ref: RenderRef, scene_id: str) -> r.SceneStatus:
        """Returns where a scene stands. Raises NotFound."""
        return await self._db.read(lambda c: queries.scene(c, ref, scene_id))

    async def note(
        self,
        ref: RenderRef,
        *,
        song: r.CanonicalSong | None = None,
        video: r.VideoSettings | None = None,
        outputs: r.RenderOutputs | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Writes down what became known, without a state change. Notes are added, each once.

        Raises RenderEnded, NotFound.
        """

        def work(c: sa.Connection) -> bool:
            row = queries.locked(c, ref)
            if row.state in states.FINAL:
                raise RenderEnded(ref, row.state)
            values: dict[str, Any] = {}
            for name, message in (("song", song), ("video", video), ("outputs", outputs)):
                if message is not None:
                    values[name] = rows.dump(message)
            known = json.loads(row.notes)
            values["notes"] = json.dumps([*known, *(n for n in notes if n not in known)])
            if all(getattr(row, name) == value for name, value in values.items()):
                return False
            _touch(c, row, _now_us(), values)
            return True

        await self._write(ref, work)

    async def tried(
        self, ref: RenderRef, step: str, times: int, error: status_pb2.Status, note: str
    ) -> None:
        """Writes down that the present stage is tried again, as a numbered change; once.

        Args:
            ref: the render.
            step: what failed of the stage.
            times: how often that has failed, this time included.
            error: why.
            note: the same in words.

        Raises RenderEnded, NotFound.
        """

        def work(c: sa.Connection) -> bool:
            row = queries.locked(c, ref)
            if row.state in states.FINAL:
                raise RenderEnded(ref, row.state)
            now_us = _now_us()
            spans = rows.spans_with_failure(
                rows.load_spans(row.timings), step, times, error, now_us
            )
            known = json.loads(row.notes)
            if spans is None or (not spans and note in known):
                return False
            values = {
                "timings": rows.dump_spans(spans),
                "notes": json.dumps(known if note in known else [*known, note]),
            }
            _change(c, row, r.StateChange(state=row.state, error=error), now_us, values)
            return True

        await self._write(ref, work)

    async def set_paused(self, ref: RenderRef, paused: bool) -> None:
        """Marks a render as left alone, or as going on; one that has ended stays as it is."""

        def work(c: sa.Connection) -> bool:
            row = queries.locked(c, ref)
            if row.paused == paused or row.state in states.FINAL:
                return False
            _touch(c, row, _now_us(), {"paused": paused})
            return True

        await self._write(ref, work)

    async def delete(self, ref: RenderRef, etag: str = "") -> r.Render:
        """Forgets a render that has ended and returns what it was.

        Raises NotFound, Aborted when `etag` is given and not its present one, FailedPrecondition
        when it has not ended.
        """

        def work(c: sa.Connection) -> r.Render:
            row = queries.locked(c, ref)
            if etag and etag != rows.etag(row):
                raise Aborted(
                    f"{ref.name} has changed since; read it again", reason="ETAG_MISMATCH"
                )
            if row.state not in states.FINAL:
                raise FailedPrecondition(
                    f"{ref.name} has not ended; cancel it first", reason="RENDER_NOT_ENDED"
                )
            message = queries.messages(c, [row])[0]
            for table in (
                t.render_labels,
                t.scenes,
                t.state_changes,
                t.request_ids,
                t.renders,
            ):
                c.execute(sa.delete(table).where(*queries.of(table, ref)))
            return message

        return await self._db.write(work)

    async def uses(self, project: str, uri: str) -> bool:
        """Whether any render of a project has `uri` among its outputs."""
        quoted = json.dumps(uri)

        def work(c: sa.Connection) -> bool:
            query = sa.select(t.renders.c.render).where(
                t.renders.c.project == project,
                t.renders.c.outputs.contains(quoted, autoescape=True),
            )
            return c.execute(query.limit(1)).first() is not None

        return await self._db.read(work)

    async def _write(self, ref: RenderRef, work: Callable[[sa.Connection], bool]) -> bool:
        def told(c: sa.Connection) -> bool:
            if not work(c):
                return False
            notices.announce(c, ref)
            return True

        changed = await self._db.write(told)
        if changed:
            self._on_change(ref)
        return changed


def _create(c: sa.Connection, new: NewRender) -> tuple[RenderRef, bool]:
    if new.request_id:
        earlier = c.execute(
            sa.select(t.request_ids).where(
                t.request_ids.c.project == new.ref.project,
                t.request_ids.c.request_id == new.request_id,
            )
        ).first()
        if earlier is not None:
            ref = RenderRef(new.ref.project, earlier.render)
            if earlier.spec_digest != new.spec_digest:
                raise AlreadyExists(
                    RENDER,
                    ref.name,
                    message=f"request_id was used before, for {ref.name} with another spec; "
                    "choose a new one",
                    reason="REQUEST_ID_REUSED",
                )
            return ref, False
    if c.execute(sa.select(t.renders.c.state).where(*queries.of(t.renders, new.ref))).first():
        raise AlreadyExists(RENDER, new.ref.name)
    now_us = _now_us()
    c.execute(
        sa.insert(t.renders).values(
            **queries.key(new.ref),
            state=states.QUEUED,
            paused=False,
            sequence=1,
            revision=1,
            create_us=now_us,
            update_us=now_us,
            spec=rows.dump(new.spec),
            spec_digest=new.spec_digest,
            timings="[]",
            notes="[]",
        )
    )
    for key, value in new.labels.items():
        c.execute(sa.insert(t.render_labels).values(**queries.key(new.ref), key=key, value=value))
    _insert_change(c, new.ref, r.StateChange(state=states.QUEUED), 1, now_us)
    if new.request_id:
        c.execute(
            sa.insert(t.request_ids).values(
                **queries.key(new.ref), request_id=new.request_id, spec_digest=new.spec_digest
            )
        )
    return new.ref, True


def _change(
    c: sa.Connection, row: sa.Row[Any], change: r.StateChange, now_us: int, values: dict[str, Any]
) -> None:
    """Numbers a change and writes it with what it changes."""
    number = row.sequence + 1
    ref = RenderRef(row.project, row.render)
    _insert_change(c, ref, change, number, now_us)
    _touch(c, row, now_us, {**values, "sequence": number})


def _insert_change(
    c: sa.Connection, ref: RenderRef, change: r.StateChange, number: int, now_us: int
) -> None:
    change.sequence = number
    change.time.CopyFrom(rows.timestamp(now_us))
    c.execute(
        sa.insert(t.state_changes).values(
            **queries.key(ref), sequence=number, change=rows.dump(change)
        )
    )


def _touch(c: sa.Connection, row: sa.Row[Any], now_us: int, values: dict[str, Any]) -> None:
    c.execute(
        sa.update(t.renders)
        .where(*queries.of(t.renders, RenderRef(row.project, row.render)))
        .values(revision=row.revision + 1, update_us=now_us, **values)
    )


def _now_us() -> int:
    return time.time_ns() // 1000
