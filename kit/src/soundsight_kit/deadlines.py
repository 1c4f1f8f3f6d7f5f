"""How much time a call has left: the caller's deadline, or the server's default for the method."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import grpc

_default_end: ContextVar[float | None] = ContextVar("soundsight_default_end", default=None)


def remaining_s(context: grpc.aio.ServicerContext[Any, Any]) -> float | None:
    """Seconds until the call's deadline, never negative; None when it has none.

    A handler that calls on passes this as the `timeout` of its own calls.
    """
    from_caller: float | None = context.time_remaining()
    if from_caller is not None:
        return max(0.0, from_caller)
    end = _default_end.get()
    return None if end is None else max(0.0, end - asyncio.get_running_loop().time())


def default_deadline(
    context: grpc.aio.ServicerContext[Any, Any], default_s: float | None
) -> asyncio.Timeout:
    """Bounds the current task by the server's default where the caller has set no deadline.

    Use the result as an async context manager; it raises TimeoutError when the time is up.
    """
    if default_s is None or context.time_remaining() is not None:
        return asyncio.timeout(None)
    end = asyncio.get_running_loop().time() + default_s
    _default_end.set(end)
    return asyncio.timeout_at(end)
