"""When a scripted service fails, and when it ends what it has begun."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Script = Callable[..., Exception | None]
"""Returns the error to fail with, or None to go on."""


def never(*_: object) -> None:
    """The script of a service that never fails."""


def freely() -> asyncio.Event:
    """Lets work come to its end. Cleared, it holds what is under way just before that.

    So a test does in mid-work what it has to do, however long that takes on a busy machine.
    """
    event = asyncio.Event()
    event.set()
    return event
