"""Keeps a pool told of the addresses behind its targets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

from soundsight_gateway.discovery.source import Addresses, Source
from soundsight_kit.logs import log

START_AGAIN_S: Final = 10.0


class Following:
    """Follows several sources and tells of all their addresses together.

    Args:
        fixed: addresses that do not change.
        sources: those that do.
        tell: is called with the whole set whenever a source has told of another one.
    """

    def __init__(
        self, fixed: Addresses, sources: Sequence[Source], tell: Callable[[Addresses], None]
    ) -> None:
        self._fixed = fixed
        self._found: dict[Source, Addresses] = {}
        self._sources = sources
        self._tell = tell
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to follow."""
        self._tasks = [asyncio.create_task(self._follow(source)) for source in self._sources]

    async def close(self) -> None:
        """Follows no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, source: Source) -> None:
        while True:
            try:
                async with aclosing(source.follow()) as sets:
                    async for found in sets:
                        self._found[source] = found
                        self._tell(self._fixed.union(*self._found.values()))
            except Exception as fault:
                # A fault of ours must not leave a pool with yesterday's endpoints for good.
                log.error("endpoints are followed anew", source=str(source), exc_info=fault)
            await asyncio.sleep(START_AGAIN_S)
