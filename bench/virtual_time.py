"""An event loop whose clock jumps: hours of waiting pass in no time, and always the same way.

Real asyncio code runs on it unchanged as long as it waits for timers and for other tasks alone.
Whatever waits for a thread, a socket or a process would wait for ever.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop at whose end of work time jumps to the next timer."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now_s

    def leap(self, seconds: float) -> None:
        """Lets time pass."""
        self._now_s += seconds


class _Leaping(selectors.SelectSelector):
    """Where the loop would sleep until its next timer, its clock moves on instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        if timeout > 0:
            self._loop.leap(timeout)
        return super().select(0)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a loop of its own, which begins at 0 seconds."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
