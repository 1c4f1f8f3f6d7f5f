"""Which calls are tried again, and when."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from soundsight_kit.errors import DeadlineExceeded, SoundsightError, error_from_rpc

Answer = TypeVar("Answer")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0

TRANSIENT = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})
"""The call did not happen, or may happen later. INTERNAL and UNKNOWN are not among them: what
broke once breaks again, and the caller should hear of it."""


async def persistently(
    call: Callable[[float], Awaitable[Answer]], *, attempt_s: float, total_s: float
) -> Answer:
    """Makes a call that may safely be repeated, again and again while the fault is transient.

    Args:
        call: makes one attempt with the given timeout in seconds.
        attempt_s: longest attempt.
        total_s: longest time for all attempts and pauses.

    Raises:
        SoundsightError: the last attempt's error.
    """
    deadline = time.monotonic() + total_s
    attempt = 0
    while True:
        try:
            return await call(max(0.001, min(attempt_s, deadline - time.monotonic())))
        except grpc.RpcError as raised:
            error = error_from_rpc(raised)
        except TimeoutError:
            error = DeadlineExceeded(f"no answer within {attempt_s:g} s")
        pause_s = pause_before_retry(error, attempt)
        if error.code not in TRANSIENT or time.monotonic() + pause_s >= deadline:
            raise error
        await asyncio.sleep(pause_s)
        attempt += 1


def pause_before_retry(error: SoundsightError, attempt: int) -> float:
    """Seconds to wait after a failed attempt (from 0): what the server says, else growing, with
    jitter so that many callers do not come back at once."""
    if error.retry_after_s is not None:
        return error.retry_after_s
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
    return random.uniform(longest / 2, longest)
