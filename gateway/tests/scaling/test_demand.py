"""What counts as a clip that could be filmed, over tables that hold anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import rows, states
from soundsight_gateway import tables as t
from soundsight_gateway.database import create_engine
from soundsight_gateway.scaling.demand import count

STATUSES = ("PENDING", "ENQUEUED", "DELAYED", "SUCCESS", "ERROR", "CANCELLED")
UNFINISHED = STATUSES[:3]


@dataclass(frozen=True)
class Chain:
    """A chain of a render, and the takes that it has queued so far."""

    status: str
    takes: tuple[str, ...]


@dataclass(frozen=True)
class Render:
    """A render of a pool."""

    pool: str
    state: int
    paused: bool
    chains: tuple[Chain, ...] = ()
    goal: r.RenderGoal.ValueType = r.RENDER_GOAL_VIDEO

    @property
    def clips(self) -> int:
        """Its clips that could be filmed, counted the slow way."""
        if self.paused or self.state != states.FILMING:
            return 0
        return sum(chain.status in UNFINISHED and bool(chain.takes) for chain in self.chains)


CHAINS = st.builds(
    Chain,
    st.sampled_from(STATUSES),
    st.lists(st.sampled_from(STATUSES), max_size=3).map(tuple),
)
RENDERS = st.builds(
    Render,
    st.sampled_from(["default", "draft", "it's-'quoted'"]),
    st.sampled_from([states.FILMING] * 3 + [states.WRITING, states.COMPOSING, states.CANCELLED]),
    st.booleans(),
    st.lists(CHAINS, max_size=4).map(tuple),
)
BEGUN = Chain("PENDING", ("SUCCESS", "ENQUEUED"))


@pytest.fixture(params=["sqlite", "postgres"])
def connection(request: pytest.FixtureRequest) -> Iterator[sa.Connection]:
    """A database with tables as a gateway has them, once of each kind."""
    engine = create_engine(request.getfixturevalue(f"{request.param}_url").replace("/store", ""))
    with engine.connect() as connection:
        t.renders.create(connection)
        t.pools.create(connection)
        if request.param == "postgres":
            connection.execute(sa.text("CREATE SCHEMA dbos"))
        connection.execute(
            sa.text(
                f"CREATE TABLE {'dbos.' * (request.param == 'postgres')}workflow_status "
                "(workflow_uuid TEXT PRIMARY KEY, parent_workflow_id TEXT, name TEXT, status TEXT)"
            )
        )
        connection.commit()
        yield connection
    engine.dispose()


def write(
    c: sa.Connection,
    renders: list[Render],
    known: Iterable[str] = ("default", "draft", "it's-'quoted'"),
) -> None:
    """Puts renders and their workflows into the tables, and the pools that are known."""
    for name in known:
        c.execute(sa.insert(t.pools).values(name=name, info="{}", update_us=0))
    schema = "dbos." if c.dialect.name == "postgresql" else ""
    queue = sa.text(f"INSERT INTO {schema}workflow_status VALUES (:id, :parent, :name, :status)")

    def workflow(identifier: str, parent: str | None, name: str, status: str) -> None:
        values = {"id": identifier, "parent": parent, "name": name, "status": status}
        c.execute(queue, values)

    for number, render in enumerate(renders):
        video = r.VideoSettings(pool=render.pool, fingerprints=["f00d"])
        c.execute(
            sa.insert(t.renders).values(
                project="demo",
                render=f"render-{number}",
                state=render.state,
                paused=render.paused,
                sequence=1,
                revision=1,
                create_us=0,
                update_us=0,
                spec=rows.dump(r.RenderSpec(video_pool=render.pool, goal=render.goal)),
                spec_digest="",
                timings="[]",
                notes="[]",
                # It is not known before filming.
                video=None if render.state == states.WRITING else rows.dump(video),
            )
        )
        top = f"demo/render-{number}"
        workflow(top, None, "soundsight.render", "PENDING")
        for place, chain in enumerate(render.chains):
            workflow(f"{top}/s{place}", top, "soundsight.chain", chain.status)
            for attempt, status in enumerate(chain.takes, 1):
                take = f"{top}/s{place}/key/{attempt}"
                workflow(take, f"{top}/s{place}", "soundsight.take", status)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(RENDERS, max_size=5))
@example([Render("default", states.FILMING, paused, (BEGUN,)) for paused in (True, False, False)])
def test_unfinished_chains_of_filming_renders_count(
    connection: sa.Connection, renders: list[Render]
) -> None:
    """Each chain that has queued a take and has not ended is one clip, of its render's pool."""
    wanted: Counter[str] = Counter()
    for render in renders:
        wanted[render.pool] += render.clips
    connection.rollback()
    with connection.begin_nested() as transaction:
        write(connection, renders)
        assert count(connection) == dict(+wanted)
        transaction.rollback()


def test_an_unknown_pool_is_called_up_once(connection: sa.Connection) -> None:
    """Whoever will film in a pool that never said what it is wants one replica of it, from the
    beginning on; a pool that is known is wanted when it is filmed in."""
    renders = [
        Render("", states.QUEUED, False),  # the default pool
        Render("", states.WRITING, False),
        Render("drafts", states.WRITING, False, goal=r.RENDER_GOAL_STORYBOARD),
        Render("paused", states.WRITING, True),
        Render("known", states.WRITING, False),
        Render("heard", states.ANALYZING, False, goal=r.RENDER_GOAL_ANALYSIS),
        Render("ended", states.FAILED, False),
    ]
    write(connection, renders, known=["known"])
    assert count(connection) == {"default": 1, "drafts": 1}
