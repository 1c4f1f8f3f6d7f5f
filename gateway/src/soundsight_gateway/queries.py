"""Reads of the renders' tables that take part in a transaction of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import rows, states
from soundsight_gateway import tables as t
from soundsight_gateway.listing import Cursor, Filter
from soundsight_gateway.names import RenderRef
from soundsight_kit.errors import NotFound

RENDER: Final = "soundsight.dev/Render"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a render stands, in short."""

    ref: RenderRef
    state: states.State
    sequence: int
    paused: bool


def listing(project: str, wanted: Filter, after: Cursor | None) -> sa.Select[Any]:
    """A project's renders that a filter lets through, newest first, those after a cursor."""
    columns = t.renders.c
    query = sa.select(t.renders).where(columns.project == project)
    if wanted.states is not None:
        query = query.where(columns.state.in_(wanted.states))
    for key, value in wanted.labels.items():
        label = sa.select(t.render_labels.c.render).where(
            t.render_labels.c.project == project,
            t.render_labels.c.key == key,
            t.render_labels.c.value == value,
        )
        query = query.where(columns.render.in_(label))
    if after is not None:
        older = columns.create_us < after.create_time_us
        same = sa.and_(columns.create_us == after.create_time_us, columns.render < after.render)
        query = query.where(sa.or_(older, same))
    return query.order_by(columns.create_us.desc(), columns.render.desc())


def messages(c: sa.Connection, found: Sequence[sa.Row[Any]]) -> list[r.Render]:
    """Rows of one project's renders as callers see them."""
    if not found:
        return []
    project = found[0].project
    ids = [row.render for row in found]
    labels: dict[str, dict[str, str]] = {one: {} for one in ids}
    scenes: dict[str, list[str]] = {one: [] for one in ids}
    for table in (t.render_labels, t.scenes):
        query = sa.select(table).where(table.c.project == project, table.c.render.in_(ids))
        if table is t.scenes:
            for row in c.execute(query.order_by(table.c.position)):
                scenes[row.render].append(row.status)
        else:
            for row in c.execute(query):
                labels[row.render][row.key] = row.value
    return [rows.render_message(row, labels[row.render], scenes[row.render]) for row in found]


def scene(c: sa.Connection, ref: RenderRef, scene_id: str) -> r.SceneStatus:
    """Where a scene stands. Raises NotFound."""
    text = c.execute(
        sa.select(t.scenes.c.status).where(*of(t.scenes, ref), t.scenes.c.scene_id == scene_id)
    ).scalar()
    if text is None:
        raise NotFound("scene", f"{ref.name}/scenes/{scene_id}")
    return rows.load(text, r.SceneStatus())


def row(c: sa.Connection, ref: RenderRef, *, lock: bool = False) -> sa.Row[Any]:
    """A render's row. Raises NotFound."""
    query = sa.select(t.renders).where(*of(t.renders, ref))
    found = c.execute(query.with_for_update() if lock else query).first()
    if found is None:
        raise NotFound(RENDER, ref.name)
    return found


def locked(c: sa.Connection, ref: RenderRef) -> sa.Row[Any]:
    """A render's row, held until the transaction ends (SQLite holds the whole database)."""
    return row(c, ref, lock=True)


def standing(row: sa.Row[Any]) -> Standing:
    """Where a row's render stands."""
    return Standing(RenderRef(row.project, row.render), row.state, row.sequence, row.paused)


def of(table: sa.Table, ref: RenderRef) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that a row of `table` belongs to a render."""
    return table.c.project == ref.project, table.c.render == ref.render


def key(ref: RenderRef) -> dict[str, str]:
    """The columns that name a render."""
    return {"project": ref.project, "render": ref.render}
