"""Connections to Postgres for what lives as long as a connection does: locks and notifications.

All else goes through the pool of `database.py`. A session answers on the event loop, or it is gone:
no wait for it is without a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg

from soundsight_gateway.database import LINK


class SessionGone(Exception):
    """The session has ended, or does not answer: what it held is lost, or soon will be."""


class Session:
    """One connection of its own, in autocommit.

    Args:
        connection: open, and used by nobody else.
        answer_s: longest wait for an answer, in seconds.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], answer_s: float) -> None:
        self._connection = connection
        self._answer_s = answer_s

    @classmethod
    async def open(
        cls, url: str, *, name: str, answer_s: float, idle_s: float | None = None
    ) -> Session:
        """Opens a session.

        Args:
            url: of the database, `postgresql://...`.
            name: how it shows in `pg_stat_activity`.
            answer_s: longest wait for an answer.
            idle_s: after so long without a question the server ends the session by itself, which
                gives its locks back even when this side is stopped, or cut off without a word.

        Raises SessionGone when the server cannot be reached.
        """
        try:
            async with asyncio.timeout(LINK["connect_timeout"] + answer_s):
                connection = await psycopg.AsyncConnection.connect(
                    url, autocommit=True, application_name=name, **LINK
                )
        except (psycopg.Error, TimeoutError) as error:
            raise SessionGone(f"no connection to the database: {_line(error)}") from error
        session = cls(connection, answer_s)
        if idle_s is not None:
            limit = f"{round(idle_s * 1000)}ms"
            await session.ask("SELECT set_config('idle_session_timeout', %s, false)", limit)
        return session

    async def ask(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Returns the rows of a query. Raises SessionGone; the session is closed then."""
        asking = asyncio.ensure_future(self._fetch(query, values))
        try:
            await asyncio.wait({asking}, timeout=self._answer_s)
            if asking.done():
                return asking.result()
        except psycopg.Error as error:
            self.drop()
            raise SessionGone(_line(error)) from error
        finally:
            if not asking.done():
                # In this order: a query that is cancelled on an open connection first asks the
                # server to stop it, on a link that may be dead, and waits for that.
                self.drop()
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        raise SessionGone(f"the database did not answer for {self._answer_s:g} s")

    async def notifications(self, wait_s: float) -> AsyncIterator[psycopg.Notify]:
        """Yields what is told on channels listened to, until nothing came for a while.

        Args:
            wait_s: longest time in all.

        Raises SessionGone.
        """
        try:
            async for notify in self._connection.notifies(timeout=wait_s):
                yield notify
        except psycopg.Error as error:
            self.drop()
            raise SessionGone(_line(error)) from error

    def drop(self) -> None:
        """Closes the connection without a word; to be called however often."""
        self._connection.pgconn.finish()

    async def _fetch(self, query: LiteralString, values: tuple[object, ...]) -> list[Any]:
        cursor = await self._connection.execute(query, values)
        return await cursor.fetchall() if cursor.description is not None else []


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
