"""One look for many listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from soundsight_gateway.scaling.feed import ActivityFeed
from soundsight_kit.errors import Unavailable
from soundsight_kit.testing import assert_eventually


class Queue:
    """A queue that answers when it is let, and counts how often it is asked."""

    def __init__(self) -> None:
        self.clips: Mapping[str, int] = {}
        self.away = False
        self.looks = 0

    async def look(self) -> Mapping[str, int]:
        """What the feed calls."""
        self.looks += 1
        if self.away:
            raise Unavailable("not now")
        return self.clips


@pytest.fixture
def queue() -> Queue:
    return Queue()


async def test_many_listeners_cost_one_look(queue: Queue) -> None:
    """However many listen, to whatever pools, each look is made once."""
    feed = ActivityFeed(queue.look, interval_s=0.01)
    streams = [feed.activity(pool) for pool in ("a", "b") for _ in range(50)]
    assert [await anext(stream) for stream in streams] == [False] * 100
    heard = [asyncio.create_task(anext(stream)) for stream in streams]
    before = queue.looks
    await assert_eventually(lambda: queue.looks >= before + 5)
    assert not any(each.done() for each in heard)
    # Looks that were not waited for may have come between, but not one for each listener.
    queue.clips, before = {"a": 1}, queue.looks
    assert await asyncio.gather(*heard[:50]) == [True] * 50
    assert queue.looks <= before + 10
    for each in heard[50:]:
        each.cancel()
    await asyncio.gather(*heard[50:], return_exceptions=True)
    for stream in streams:
        await stream.aclose()
    before = queue.looks
    await asyncio.sleep(0.05)
    assert queue.looks == before


async def test_who_comes_later_hears_what_is_now(queue: Queue) -> None:
    """A new listener gets the present state at once; one that comes after all went, a fresh one."""
    feed = ActivityFeed(queue.look, interval_s=0.01)
    queue.clips = {"a": 3}
    first = feed.activity("a")
    assert await anext(first)
    second = feed.activity("a")
    assert await anext(second)
    await first.aclose()
    await second.aclose()
    queue.clips = {}
    third = feed.activity("a")
    assert not await anext(third)
    await third.aclose()


async def test_a_queue_that_is_away_changes_nothing(queue: Queue) -> None:
    """While the database is away what was said last stands; afterwards changes are told again."""
    feed = ActivityFeed(queue.look, interval_s=0.01)
    queue.clips = {"a": 1}
    stream = feed.activity("a")
    assert await anext(stream)
    queue.away, queue.clips = True, {}
    heard = asyncio.create_task(anext(stream))
    before = queue.looks
    await assert_eventually(lambda: queue.looks >= before + 5)
    assert not heard.done()
    queue.away = False
    assert not await heard
    await stream.aclose()


async def test_leaving_ends_all(queue: Queue) -> None:
    """When the gateway goes, every stream comes to its end, and so does one that is begun then."""
    feed = ActivityFeed(queue.look, interval_s=0.01)
    stream = feed.activity("a")
    await anext(stream)
    end = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0)
    feed.leave()
    assert await end is None
    assert [active async for active in feed.activity("a")] == []
