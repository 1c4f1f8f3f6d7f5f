"""Counts for Prometheus what stands in the database: renders by state, scenes by pool.

Every gateway of a database tells the same; whoever adds them up takes the largest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import metrics, rows, states
from soundsight_gateway import tables as t
from soundsight_gateway.database import Database
from soundsight_kit.errors import SoundsightError
from soundsight_kit.logs import log

LOOK_S: Final = 10.0
"""Between two looks: Prometheus comes by no more often."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How much there is to do."""

    renders: Counter[states.State]
    """By state, those that have not ended."""
    waiting: Counter[str]
    """Scenes that are not filmed yet and not under way, by pool."""
    running: Counter[str]
    """Scenes that are under way, by pool."""


def figures(c: sa.Connection) -> Figures:
    """Counts in a transaction of the caller's."""
    by_state = (
        sa.select(t.renders.c.state, sa.func.count())
        .where(t.renders.c.state.not_in(states.FINAL))
        .group_by(t.renders.c.state)
    )
    found = Figures(Counter(), Counter(), Counter())
    for state, number in c.execute(by_state):
        found.renders[state] = number
    state_of_scene = t.member(t.scenes.c.status, "state", c.dialect.name == "sqlite")

    def scenes(state: r.SceneState.ValueType) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((state_of_scene == r.SceneState.Name(state), 1), else_=0))

    filming = (
        sa.select(t.renders.c.video, scenes(r.SCENE_STATE_PENDING), scenes(r.SCENE_STATE_FILMING))
        .join(
            t.scenes,
            sa.and_(
                t.scenes.c.project == t.renders.c.project, t.scenes.c.render == t.renders.c.render
            ),
        )
        .where(t.renders.c.state == states.FILMING, t.renders.c.paused.is_(False))
        .group_by(t.renders.c.project, t.renders.c.render)
    )
    for video, waiting, running in c.execute(filming):
        pool = rows.load(video, r.VideoSettings()).pool
        found.waiting[pool] += waiting
        found.running[pool] += running
    return found


class Reporting:
    """Keeps the gauges up to date for as long as it is started.

    Args:
        database: where renders stand.
        pools: names of the pools there are.
    """

    def __init__(self, database: Database, pools: Collection[str]) -> None:
        self._db = database
        self._pools = pools
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._looking = asyncio.create_task(self._look_forever())

    async def leave(self) -> None:
        """Ends the looks."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def look(self) -> None:
        """Looks once. Raises Unavailable."""
        found = await self._db.read(figures)
        metrics.renders_are(found.renders)
        for pool in {*self._pools, *found.waiting, *found.running}:
            metrics.scenes_are(pool, waiting=found.waiting[pool], running=found.running[pool])

    async def _look_forever(self) -> None:
        while True:
            try:
                await self.look()
            except SoundsightError as error:
                log.warning("renders not counted", why=str(error))
            await asyncio.sleep(LOOK_S)
