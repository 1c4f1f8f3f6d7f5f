"""How many clips of each pool could be filmed right now, by the durable queue.

Scenes of a chain are filmed one after the other: at any moment just one of them waits for its
turn, is being filmed, or pauses before it is tried again. The clips that could be filmed are
therefore the chains that have not ended. Counting these, and not what stands in the queue, keeps
the number steady while a clip pauses between two attempts, as all do when no endpoint is there to
take them.

What does not count: chains of renders that are paused or have ended; chains whose first take was
never queued, since they may find all their clips in the store and never need an endpoint.

A render whose pool has never said what it is counts as one clip from its beginning: scenes cannot
be keyed for such a pool, and one replica is enough to learn it.

Everything is read from the database that all gateways share. They answer alike, whether an endpoint
runs or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import sqlalchemy as sa

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states
from soundsight_gateway import tables as t
from soundsight_gateway.database import Database
from soundsight_gateway.settings import DEFAULT_POOL

UNFINISHED: Final = ("PENDING", "ENQUEUED", "DELAYED")
"""How the workflow engine calls a workflow that has not ended."""

BEFORE_FILMING: Final = (states.QUEUED, states.INGESTING, states.ANALYZING, states.WRITING)

CHAIN: Final = "soundsight.chain"
TAKE: Final = "soundsight.take"


class Demand:
    """The clips that could be filmed, by pool."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def clips(self) -> Mapping[str, int]:
        """Clips that could be filmed right now, by the name of their pool; none is 0 or left out.

        Raises Unavailable while the database is away.
        """
        return await self._db.read(count)


def count(c: sa.Connection) -> dict[str, int]:
    """Counts in a transaction of the caller's."""
    clips: dict[str, int] = {}
    for pool, number in c.execute(_query(c.dialect.name == "sqlite")):
        clips[pool] = clips.get(pool, 0) + number
    for (pool,) in c.execute(_unheard(c.dialect.name == "sqlite")):
        clips.setdefault(pool, 1)
    return clips


@cache
def _query(on_sqlite: bool) -> sa.Select[str, int]:
    """Pool and clips of each render that is being filmed."""
    renders = t.renders.c
    chain = _workflows(on_sqlite).alias("chain")
    take = _workflows(on_sqlite).alias("take")
    begun = sa.exists().where(
        take.c.parent_workflow_id == chain.c.workflow_uuid, take.c.name == TAKE
    )
    by_render = (
        sa.select(renders.project, renders.render, sa.func.count().label("clips"))
        .select_from(t.renders)
        .join(chain, chain.c.parent_workflow_id == renders.project + "/" + renders.render)
        .where(
            renders.state == states.FILMING,
            renders.paused.is_(False),
            chain.c.name == CHAIN,
            chain.c.status.in_(UNFINISHED),
            begun,
        )
        .group_by(renders.project, renders.render)
        .subquery()
    )
    # The pool is in a document of some size: it is looked into once per render, not per chain.
    return sa.select(t.member(renders.video, "pool", on_sqlite), by_render.c.clips).join(
        t.renders,
        sa.and_(renders.project == by_render.c.project, renders.render == by_render.c.render),
    )


@cache
def _unheard(on_sqlite: bool) -> sa.Select[str]:
    """Pools that a render waits for or soon will, and of which nothing is known."""
    renders = t.renders.c
    asked = sa.func.coalesce(t.member(renders.spec, "video_pool", on_sqlite), DEFAULT_POOL)
    goal = sa.func.coalesce(t.member(renders.spec, "goal", on_sqlite), "")
    known = sa.exists().where(t.pools.c.name == asked)
    return (
        sa.select(asked)
        .distinct()
        .where(
            renders.state.in_(BEFORE_FILMING),
            renders.paused.is_(False),
            goal != r.RenderGoal.Name(r.RENDER_GOAL_ANALYSIS),
            ~known,
        )
    )


def _workflows(on_sqlite: bool) -> sa.TableClause:
    """The workflow engine's table of workflows, as much of it as is read here."""
    return sa.table(
        "workflow_status",
        sa.column("workflow_uuid", sa.Text),
        sa.column("parent_workflow_id", sa.Text),
        sa.column("name", sa.Text),
        sa.column("status", sa.Text),
        schema=None if on_sqlite else "dbos",
    )
