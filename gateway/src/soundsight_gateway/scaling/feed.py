"""Tells many listeners whether pools have work, from one look at the queue for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final

from soundsight_kit.logs import log

LOOK_S: Final = 1.0
"""Between two looks: little beside the minutes that a replica needs to start."""
REST: Final = 20
"""A pause is so many times as long as the look before it, if that is longer: with very many renders
looking takes a twentieth of a connection's time at most."""
LONGEST_REST_S: Final = 10.0
"""A look that failed may have taken long."""


class ActivityFeed:
    """Whether pools have work, now and whenever that changes.

    Args:
        look: gives the clips that could be filmed, by pool; called while somebody listens.
        interval_s: seconds between two looks.
    """

    def __init__(
        self, look: Callable[[], Awaitable[Mapping[str, int]]], interval_s: float = LOOK_S
    ) -> None:
        self._look = look
        self._interval_s = interval_s
        self._seen: Mapping[str, int] | None = None
        self._looked = asyncio.Event()
        self._listeners = 0
        self._looking: asyncio.Task[None] | None = None
        self._leaving = False

    async def activity(self, pool: str) -> AsyncGenerator[bool, None]:
        """Yields whether a pool has work, at once and at every change, until `leave`."""
        self._listeners += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_forever())
        try:
            told: bool | None = None
            while not self._leaving:
                looked = self._looked
                if self._seen is not None:
                    active = self._seen.get(pool, 0) > 0
                    if active != told:
                        told = active
                        yield active
                await looked.wait()
        finally:
            self._listeners -= 1
            if self._listeners == 0 and self._looking is not None:
                self._looking.cancel()
                self._looking = None
                self._seen = None  # it would be old news to whoever listens next

    def leave(self) -> None:
        """Lets all listeners come to their end."""
        self._leaving = True
        self._announce()

    async def _look_forever(self) -> None:
        loop, away = asyncio.get_running_loop(), False
        while True:
            began_s = loop.time()
            try:
                self._seen = await self._look()
                away = False
            except Exception as error:
                # What was said last stands: without the queue nobody knows better. The listeners
                # live on this loop, so it outlives whatever a bad moment of the database brings.
                if not away:
                    log.warning("queue of scenes not read", exc_info=error)
                away = True
            self._announce()
            rest_s = min(LONGEST_REST_S, REST * (loop.time() - began_s))
            await asyncio.sleep(max(self._interval_s, rest_s))

    def _announce(self) -> None:
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()
