"""The bad link is as bad as it is told to be, and no worse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from soundsight_kit.testing_links import Link, bad_link


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """A server that sends back what it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(link: Link) -> Ends:
    host, _, port = link.target.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def said_back(ends: Ends, what: bytes) -> bytes:
    ends[1].write(what)
    return await ends[0].readexactly(len(what))


async def test_what_is_sent_arrives_whole_and_in_order() -> None:
    """A link that nobody made bad carries both ways, to the end."""
    sent = bytes(range(256)) * 4000
    async with echo() as upstream, bad_link(upstream) as link:
        reader, writer = await connected(link)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read(-1) == sent
        writer.close()


async def test_a_cut_breaks_connections_and_lets_new_ones_through() -> None:
    """Whoever was connected hears of it at once; whoever comes then does not."""
    async with echo() as upstream, bad_link(upstream) as link:
        ends = await connected(link)
        assert await said_back(ends, b"one") == b"one"
        link.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await said_back(ends, b"two")
        again = await connected(link)
        assert await said_back(again, b"three") == b"three"
        again[1].close()


async def test_a_link_that_hangs_says_nothing_for_good() -> None:
    """Connections stay open and mute, also after it healed; new ones are mute until then."""
    async with echo() as upstream, bad_link(upstream) as link:
        old = await connected(link)
        assert await said_back(old, b"one") == b"one"
        link.hang(new_ones=True)
        new = await connected(link)
        for ends in (old, new):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(said_back(ends, b"two"), 0.1)
        link.heal()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(old[0].read(1), 0.1)
        newest = await connected(link)
        assert await said_back(newest, b"three") == b"three"
        for ends in (old, new, newest):
            ends[1].close()


async def test_a_link_that_is_down_refuses() -> None:
    """A connection ends as soon as it was made."""
    async with echo() as upstream, bad_link(upstream) as link:
        link.down = True
        ends = await connected(link)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await said_back(ends, b"one")
        ends[1].close()
