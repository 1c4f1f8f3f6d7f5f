"""Storing a finished clip in spite of an object store that is away for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from soundsight_kit.errors import Unavailable
from soundsight_kit.faults import error_from_exception

log = structlog.get_logger()

T = TypeVar("T")

PAUSES_S = (0.5, 2.0, 8.0)
"""Filming took minutes: the store gets some seconds to come back before that is thrown away."""


async def stored_in_spite(
    store: Callable[[], Awaitable[T]], pauses_s: Sequence[float] = PAUSES_S
) -> T:
    """Stores, and tries again after each pause while the store does not answer."""
    for pause_s in pauses_s:
        try:
            return await store()
        except Exception as error:  # whatever the store raises when it is away
            if not isinstance(error_from_exception(error), Unavailable):
                raise
            log.warning("clip not stored yet", why=str(error), pause_s=pause_s)
        await asyncio.sleep(pause_s)
    return await store()
