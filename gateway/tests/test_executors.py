"""An executor that is alive keeps its work, and the work of one that is gone is taken over once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.executors import PATIENCE, Executors, Peer, dead, lock_key
from soundsight_gateway.testing.postgres import PostgresServer
from soundsight_kit.errors import FailedPrecondition, Unavailable
from soundsight_kit.testing import assert_eventually
from soundsight_kit.testing_links import Link, bad_link

TIMEOUT_S = 3.0
SOON_S = 60.0


@pytest.fixture
async def url(postgres_url: str) -> str:
    """URL of a database with the gateway's tables."""
    database = Database(create_engine(postgres_url))
    await database.migrate()
    database.close()
    return postgres_url


@pytest.fixture
async def link(postgres_server: PostgresServer) -> AsyncIterator[Link]:
    """A link to the server of that database."""
    async with bad_link(f"unix:{postgres_server.socket}") as link:
        yield link


class Heir:
    """One that takes over, and remembers whose work."""

    def __init__(self) -> None:
        self.inherited: list[str] = []

    async def take_over(self, executor: str) -> None:
        self.inherited.append(executor)


@asynccontextmanager
async def living(
    url: str,
    name: str,
    take_over: Callable[[str], Awaitable[None]] | None = None,
    version: str = "1",
    timeout_s: float = TIMEOUT_S,
) -> AsyncIterator[Executors]:
    """An executor that lives within the block."""
    executors = Executors(url, name, version, timeout_s)
    try:
        await executors.enter()
        executors.watch(take_over or Heir().take_over)
        yield executors
    finally:
        await executors.leave()


def through(link: Link, url: str) -> str:
    """The same database by way of a link."""
    host, _, port = link.target.rpartition(":")
    there = sa.make_url(url)
    return f"postgresql://{there.username}@{host}:{port}/{there.database}"


PEERS = st.lists(
    st.builds(
        Peer,
        executor=st.uuids().map(str),
        version=st.sampled_from("123"),
        alive=st.booleans(),
    ),
    unique_by=lambda peer: peer.executor,
)


@given(peers=PEERS, version=st.sampled_from("123"))
def test_no_living_executor_is_taken_over_and_every_dead_one_can_be(
    peers: list[Peer], version: str
) -> None:
    """Those of the own version are found, and those of others that nobody alive could continue."""
    found = dead(peers, version)
    for peer in peers:
        others = any(one.alive and one.version == peer.version for one in peers)
        ours = peer.version == version or not others
        assert (peer.executor in found) == (not peer.alive and ours)


def test_a_lock_key_is_one_that_postgres_takes() -> None:
    """64 bits with a sign, different for different names, the same tomorrow."""
    keys = [lock_key(f"gateway-{number}") for number in range(1000)]
    assert len(set(keys)) == 1000
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert lock_key("gateway-0") == -8_407_158_933_673_521_744


async def test_one_name_is_one_executor(url: str) -> None:
    """A second one of the same name waits, and gives up with the reason."""
    async with living(url, "a"):
        with pytest.raises(FailedPrecondition) as caught:
            await Executors(url, "a", "1", TIMEOUT_S / 2).enter()
        assert caught.value.reason == "EXECUTOR_TAKEN"


async def test_a_name_that_becomes_free_is_taken(url: str) -> None:
    """Whoever waits for the lock has it when the one before has left."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(living(url, "a"))
        second = Executors(url, "a", "1", TIMEOUT_S)
        entering = asyncio.create_task(second.enter())
        await asyncio.sleep(TIMEOUT_S / 2)
        assert not entering.done()
        await stack.aclose()
        await asyncio.wait_for(entering, SOON_S)
        await second.leave()


async def test_a_database_that_is_away_is_told(link: Link, url: str) -> None:
    """Entering is tried for a while, then fails and says why."""
    link.down = True
    with pytest.raises(Unavailable):
        await Executors(through(link, url), "a", "1", TIMEOUT_S / 2).enter()


async def test_a_database_that_is_away_for_a_moment_is_waited_for(link: Link, url: str) -> None:
    """A gateway that starts while Postgres does, or is slow, does not end for it."""
    link.down = True
    executors = Executors(through(link, url), "a", "1", TIMEOUT_S)
    entering = asyncio.create_task(executors.enter())
    await asyncio.sleep(TIMEOUT_S / 2)
    link.down = False
    await asyncio.wait_for(entering, SOON_S)
    assert executors.holds_lock
    await executors.leave()


async def test_who_has_left_is_taken_over_once(url: str) -> None:
    """Of several that could, one does, and never again."""
    heirs = [Heir(), Heir()]
    async with (
        living(url, "b", heirs[0].take_over),
        living(url, "c", heirs[1].take_over),
    ):
        async with living(url, "a"):
            await asyncio.sleep(2 * TIMEOUT_S)
            assert [heir.inherited for heir in heirs] == [[], []]
        await assert_eventually(lambda: sorted(heirs[0].inherited + heirs[1].inherited) == ["a"])
        await asyncio.sleep(2 * TIMEOUT_S)
    assert sorted(heirs[0].inherited + heirs[1].inherited) == ["a"]


async def test_what_was_not_taken_over_well_is_tried_again(url: str) -> None:
    """A database that goes away in the middle costs time, not work."""
    tried: list[str] = []

    async def take_over(executor: str) -> None:
        tried.append(executor)
        if len(tried) == 1:
            raise Unavailable("away")

    async with living(url, "b", take_over):
        async with living(url, "a"):
            pass
        await assert_eventually(lambda: tried == ["a", "a"])


async def test_another_version_is_left_to_those_who_know_it(url: str) -> None:
    """Work is taken over by its own version while there is one, then by any."""
    newer, same = Heir(), Heir()
    async with living(url, "c", newer.take_over, version="2"):
        async with living(url, "b", same.take_over):
            async with living(url, "a"):
                pass
            await assert_eventually(lambda: same.inherited == ["a"])
            assert newer.inherited == []
        await assert_eventually(lambda: newer.inherited == ["b"])


async def test_cut_off_it_is_lost_and_taken_over(link: Link, url: str) -> None:
    """On a link that swallows everything, the server gives its lock away and it notices itself."""
    heir = Heir()
    async with (
        living(url, "b", heir.take_over),
        living(through(link, url), "a") as cut_off,
    ):
        link.hang(new_ones=True)
        await assert_eventually(lambda: heir.inherited == ["a"])
        await asyncio.wait_for(cut_off.lost.wait(), 2 * PATIENCE * TIMEOUT_S + SOON_S)


async def test_a_session_that_hangs_is_replaced(link: Link, url: str) -> None:
    """When only the connection is dead, the lock is got back as soon as the server lets it go, and
    nothing is taken over."""
    heir = Heir()
    async with (
        living(url, "b", heir.take_over),
        living(through(link, url), "a") as hung,
    ):
        before = link.connections
        link.hang()
        await assert_eventually(lambda: link.connections > before)
        await assert_eventually(lambda: hung.holds_lock)
        await asyncio.sleep(2 * TIMEOUT_S)
        assert not hung.lost.is_set()
        assert heir.inherited == []


async def test_who_is_back_in_time_keeps_its_work(link: Link, url: str) -> None:
    """A lock that is free for less than the time-out, as all are when Postgres was started again,
    is nobody's to take."""
    heir, timeout_s = Heir(), 6.0
    async with (
        living(url, "b", heir.take_over, timeout_s=timeout_s),
        living(through(link, url), "a", timeout_s=timeout_s) as cut_off,
    ):
        link.down = True
        link.cut()
        await asyncio.sleep(1.5)
        link.heal()
        await assert_eventually(lambda: cut_off.holds_lock)
        await asyncio.sleep(1.5 * timeout_s)
        assert not cut_off.lost.is_set()
        assert heir.inherited == []


async def test_one_that_was_taken_over_is_lost_although_its_lock_is_free(
    link: Link, url: str
) -> None:
    """What it runs may be run by others: having its lock again is not enough."""
    heir = Heir()
    async with living(through(link, url), "a") as zombie:
        link.hang()
        link.down = True
        async with living(url, "b", heir.take_over):
            await assert_eventually(lambda: heir.inherited == ["a"])
        link.heal()
        await asyncio.wait_for(zombie.lost.wait(), SOON_S)
