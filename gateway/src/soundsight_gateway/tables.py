"""The gateway's own tables. Listing and filtering never hang on the workflow engine's.

Times are microseconds since 1970 (UTC). Messages are stored as protobuf JSON, so that a table can
be read with any database client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _optional_count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=True)


renders = sa.Table(
    "renders",
    metadata,
    _id("project"),
    _id("render"),
    sa.Column("state", sa.Integer, nullable=False),
    # Left alone at a start that recovers nothing; goes on when it is asked for again.
    sa.Column("paused", sa.Boolean, nullable=False),
    _count("sequence"),  # number of the latest state change
    _count("revision"),  # counts every change; the etag is made of it
    _count("create_us"),
    _count("update_us"),
    _optional_count("end_us"),
    _text("spec"),
    _id("spec_digest"),
    _text("error", nullable=True),
    _text("song", nullable=True),
    _text("video", nullable=True),
    _text("outputs", nullable=True),
    _text("timings"),
    _text("notes"),
    sa.PrimaryKeyConstraint("project", "render"),
    sa.Index("renders_newest", "project", "create_us", "render"),
    sa.Index("renders_by_state", "state"),
)

render_labels = sa.Table(
    "render_labels",
    metadata,
    _id("project"),
    _id("render"),
    _id("key"),
    _text("value"),
    sa.PrimaryKeyConstraint("project", "render", "key"),
    sa.Index("render_labels_by_value", "project", "key", "value"),
)

scenes = sa.Table(
    "scenes",
    metadata,
    _id("project"),
    _id("render"),
    _count("position"),
    _text("scene_id"),
    _text("status"),
    sa.PrimaryKeyConstraint("project", "render", "position"),
    sa.UniqueConstraint("project", "render", "scene_id"),
)

state_changes = sa.Table(
    "state_changes",
    metadata,
    _id("project"),
    _id("render"),
    _count("sequence"),  # from 1 without gaps
    _text("change"),
    sa.PrimaryKeyConstraint("project", "render", "sequence"),
)

request_ids = sa.Table(
    "request_ids",
    metadata,
    _id("project"),
    _id("request_id"),
    _id("render"),
    _id("spec_digest"),
    sa.PrimaryKeyConstraint("project", "request_id"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    _id("project"),
    _id("upload_id"),
    _count("size_bytes"),
    _text("sha256"),
    _text("media_type"),
    _count("committed_bytes"),
    _text("artifact", nullable=True),
    _count("update_us"),
    sa.PrimaryKeyConstraint("project", "upload_id"),
)

upload_parts = sa.Table(
    "upload_parts",
    metadata,
    _id("project"),
    _id("upload_id"),
    _count("offset_bytes"),
    _text("artifact"),
    sa.PrimaryKeyConstraint("project", "upload_id", "offset_bytes"),
)

pools = sa.Table(
    "pools",
    metadata,
    _id("name"),
    _text("info"),  # the last GetInfoResponse, so that planning needs no running endpoint
    _count("update_us"),
    sa.PrimaryKeyConstraint("name"),
)

placements = sa.Table(
    "placements",
    metadata,
    # Which endpoint was last asked to film a clip: after a restart, its work is found there again.
    _text("output_key"),
    _text("target"),
    _count("update_us"),
    sa.PrimaryKeyConstraint("output_key"),
)

executors = sa.Table(
    "executors",
    metadata,
    # Gateways that share this database, by what they call themselves; see `executors.py`.
    sa.Column("executor", sa.String(255), nullable=False),
    _count("lock_key"),  # of the Postgres advisory lock that it holds while it lives
    _id("version"),  # of its workflows
    _count("life"),  # grows when it starts, and when another one takes its work over
    sa.Column("at_work", sa.Boolean, nullable=False),  # not taken over since it started
    _count("update_us"),
    sa.PrimaryKeyConstraint("executor"),
)

schema_version = sa.Table(
    "soundsight_schema",
    metadata,
    sa.Column("version", sa.Integer, nullable=False),
    sa.PrimaryKeyConstraint("version"),
)

Migration = Callable[[sa.Connection], None]


def _create_all(connection: sa.Connection) -> None:
    metadata.create_all(connection)


def _create_executors(connection: sa.Connection) -> None:
    executors.create(connection, checkfirst=True)


MIGRATIONS: tuple[Migration, ...] = (_create_all, _create_executors)
"""Step n brings version n - 1 to n. Add to the end; never change one that was released."""


def member(column: sa.Column[Any], name: str, on_sqlite: bool) -> sa.ColumnElement[str]:
    """A member of a column of JSON text, as text; NULL where there is none."""
    document = sa.type_coerce(column, sa.JSON) if on_sqlite else sa.cast(column, sa.JSON)
    found: sa.ColumnElement[str] = document[name].as_string()
    return found
