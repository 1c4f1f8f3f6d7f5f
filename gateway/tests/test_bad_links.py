"""Links that are slow, break, or swallow everything: nothing hangs, and renders finish."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import database as database_module
from soundsight_gateway import states
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.testing.postgres import PostgresServer
from soundsight_kit.errors import Unavailable
from soundsight_kit.testing import assert_eventually
from soundsight_kit.testing_links import Link, bad_link

Bench = Any  # conftest's

SOON_S = 60.0


@pytest.fixture
async def to_videogen(bench: Bench) -> AsyncIterator[Link]:
    """A link between gateways and videogen."""
    async with bad_link(bench.services.targets["videogen"]) as link:
        yield link


@pytest.fixture
async def to_postgres(
    bench: Bench, postgres_server: PostgresServer, postgres_url: str
) -> AsyncIterator[Link]:
    """A link between gateways and their database."""
    async with bad_link(f"unix:{postgres_server.socket}") as link:
        name = sa.make_url(postgres_url).database
        bench.database_url = f"postgresql://postgres@{link.target}/{name}"
        yield link


async def film_through(bench: Bench, link: Link, song: bytes, badly: str) -> None:
    """Renders by way of a link to videogen that turns bad while the first clips are filmed."""
    services = bench.services
    services.writer.scene_frames = 6
    services.videogen.takes_s = 0.4
    log = services.videogen.log
    if badly == "slow":
        link.delay_s = 0.1
    async with bench.gateway(video_endpoints=(link.target,)) as caller:
        created = await caller.create(r.RenderSpec(song=await caller.upload(song)))
        await assert_eventually(lambda: sum(log.begun.values()) > 0)
        if badly == "cut":
            for _ in range(4):
                link.cut()
                await asyncio.sleep(0.2)
        elif badly == "hangs":
            link.hang()
        done = await caller.ended(created.name)
    assert done.state == states.SUCCEEDED, done.error
    assert set(log.begun.values()) == {1}


@pytest.mark.parametrize("badly", ["slow", "cut"])
async def test_a_bad_link_to_videogen_costs_time_alone(
    bench: Bench, to_videogen: Link, song: bytes, badly: str
) -> None:
    """The render finishes, and no clip is begun twice: what went on meanwhile is found again."""
    await film_through(bench, to_videogen, song, badly)


@pytest.mark.long
async def test_a_silent_link_to_videogen_is_found_out(
    bench: Bench, to_videogen: Link, song: bytes
) -> None:
    """A connection on which nothing comes back is given up within its keepalive."""
    await film_through(bench, to_videogen, song, "hangs")


async def test_a_database_that_does_not_answer_is_given_up(
    bench: Bench, to_postgres: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read on a silent link ends with the reason, and the next one takes another connection."""
    monkeypatch.setattr(database_module, "SILENCE_S", 2.0)
    database = Database(create_engine(bench.database_url))
    try:
        one = sa.select(1)
        assert await database.read(lambda c: c.execute(one).scalar()) == 1
        to_postgres.hang()
        began = time.monotonic()
        # The pool looks whether a connection still works before it hands it out, and takes a new
        # one if not: a read that begins now succeeds, one that is under way would not.
        assert await database.read(lambda c: c.execute(one).scalar()) == 1
        assert time.monotonic() - began >= 2.0
        to_postgres.hang(new_ones=True)
        with pytest.raises(Unavailable) as caught:
            await asyncio.wait_for(database.read(lambda c: c.execute(one).scalar()), SOON_S)
        assert caught.value.reason == "STORE_UNAVAILABLE"
        to_postgres.heal()
        assert await database.read(lambda c: c.execute(one).scalar()) == 1
    finally:
        database.close()


async def go_through(bench: Bench, link: Link, song: bytes, badly: str) -> None:
    """Renders by way of a link to Postgres that turns bad in mid-filming."""
    services = bench.services
    services.writer.scene_frames = 6
    services.videogen.takes_s = 0.4
    log = services.videogen.log
    async with bench.child() as child:
        if badly == "slow":  # from here on: making all tables takes a thousand questions
            link.delay_s = 0.02
        created = await child.caller.create(r.RenderSpec(song=await child.caller.upload(song)))
        await assert_eventually(lambda: sum(log.filmed.values()) > 0)
        if badly == "cut":
            for _ in range(4):
                link.cut()
                await asyncio.sleep(0.3)
        elif badly == "hangs":
            link.hang()
        done = await child.caller.ended(created.name)
        assert child.process.returncode is None
        assert "Traceback" not in child.log.read_text()
    assert done.state == states.SUCCEEDED, done.error
    assert set(log.begun.values()) == {1}


async def test_a_gateway_that_stands_still_in_a_transaction_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    """Its transaction is ended with all its locks, and told as a database that is away."""
    stopped, other = (Database(create_engine(postgres_url)) for _ in range(2))
    await other.migrate()
    monkeypatch.setattr(database_module, "IDLE_TRANSACTION_S", 0.5)
    touch = sa.text("UPDATE soundsight_schema SET version = version")
    held, others_are_through = threading.Event(), threading.Event()

    def stand_still(c: sa.Connection) -> None:
        c.execute(touch)
        held.set()
        others_are_through.wait()
        c.execute(touch)

    standing = asyncio.create_task(stopped.write(stand_still))
    try:
        await asyncio.to_thread(held.wait)
        async with asyncio.timeout(SOON_S):
            await other.write(lambda c: c.execute(touch))
    finally:
        others_are_through.set()
    with pytest.raises(Unavailable):
        await standing
    for database in (stopped, other):
        database.close()


async def test_a_database_that_breaks_off_costs_time_alone(
    bench: Bench, to_postgres: Link, song: bytes
) -> None:
    """All connections break again and again: calls and workflows go on by themselves."""
    await go_through(bench, to_postgres, song, "cut")


@pytest.mark.long
@pytest.mark.parametrize("badly", ["slow", "hangs"])
async def test_a_bad_link_to_the_database_costs_time_alone(
    bench: Bench, to_postgres: Link, song: bytes, badly: str
) -> None:
    """Slow, or silent on every connection there was: the render finishes, no clip twice."""
    await go_through(bench, to_postgres, song, badly)
