"""A bad link for tests: a TCP proxy on loopback that delays, cuts, or swallows what passes.

It stands between two real programs. What the kernel does on a real bad link it cannot show: peers
see their packets acknowledged even when nothing comes back, which is what a firewall or a load
balancer does that has forgotten a connection. It is the worse case: only programs that bound their
own waits find out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 1 << 16


class Link:
    """A link that works until it is told otherwise.

    Args:
        upstream: where it leads, `host:port` or `unix:/path`.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        """Where connections to come lead: changed, it is what a load balancer does."""
        self._passing: set[_Connection] = set()
        self._silent: set[_Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.target = ""
        """`host:port` to connect to instead of the upstream."""
        self.delay_s = 0.0
        """What each chunk is late, in either direction."""
        self.down = False
        """Whether new connections are refused at once."""
        self.swallowing = False
        """Whether new connections are accepted, and nothing ever comes of them."""
        self.connections = 0
        """How often somebody connected."""

    def cut(self) -> None:
        """Breaks all connections, as a peer that is killed does. New ones are as before."""
        for connection in [*self._passing, *self._silent]:
            connection.reset()

    def hang(self, *, new_ones: bool = False) -> None:
        """Lets all connections stand, and nothing pass any more; they never recover.

        `new_ones` does so with those to come, too, until `heal`.
        """
        self.swallowing = new_ones
        self._silent |= self._passing
        self._passing.clear()
        for connection in self._silent:
            connection.silent = True

    def heal(self) -> None:
        """Lets new connections pass again; what hangs stays so."""
        self.down = self.swallowing = False
        self.delay_s = 0.0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        connection = _Connection(self, writer)
        if self.down:
            connection.reset()
            return
        connection.silent = self.swallowing
        places = self._silent if self.swallowing else self._passing
        places.add(connection)
        try:
            await connection.carry(reader, self.upstream)
        finally:
            connection.reset()
            self._passing.discard(connection)
            self._silent.discard(connection)


class _Connection:
    """One connection, and the one to the upstream that it goes on in."""

    def __init__(self, link: Link, writer: asyncio.StreamWriter) -> None:
        self._link = link
        self._writers = [writer]
        self._over = asyncio.Event()
        self.silent = False

    async def carry(self, reader: asyncio.StreamReader, upstream: str) -> None:
        """Carries both ways until both have ended, or one has broken."""
        with contextlib.suppress(OSError):
            if self.silent:
                while await reader.read(CHUNK_BYTES):
                    pass
                return
            if upstream.startswith("unix:"):
                opened = await asyncio.open_unix_connection(upstream.removeprefix("unix:"))
            else:
                host, _, port = upstream.rpartition(":")
                opened = await asyncio.open_connection(host, int(port))
            self._writers.append(opened[1])
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, opened[1]))
                both.create_task(self._pump(opened[0], self._writers[0]))

    def reset(self) -> None:
        """Ends both connections at once, without a farewell."""
        self._over.set()
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.family != socket.AF_UNIX and not writer.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                if self._link.delay_s:
                    await asyncio.sleep(self._link.delay_s)
                if not self.silent:
                    writer.write(chunk)
                    await writer.drain()
            if not self.silent and writer.can_write_eof():
                writer.write_eof()
            if self.silent:
                await self._over.wait()  # one end has gone; the other must not hear of it
        except OSError:
            self.reset()


@asynccontextmanager
async def bad_link(upstream: str) -> AsyncIterator[Link]:
    """A link on a loopback port within the block."""
    link = Link(upstream)
    server = await asyncio.start_server(link._serve, "127.0.0.1", 0)
    link.target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield link
    finally:
        server.close()
        link.cut()
        await asyncio.gather(*link._serving, return_exceptions=True)
