"""Which calls are tried again, and when."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from soundsight_kit.errors import DISK_FULL, DeadlineExceeded, SoundsightError, error_from_rpc

Answer = TypeVar("Answer")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0

TRANSIENT = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})
"""The call did not happen, or may happen later. INTERNAL and UNKNOWN are not among them: what
broke once breaks again, and the caller should hear of it."""

RETRIED = TRANSIENT | {grpc.StatusCode.DEADLINE_EXCEEDED}
"""Also when one attempt took too long, of a call that may safely be repeated."""


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
        if not _may_pass(error, RETRIED) or time.monotonic() + pause_s >= deadline:
            raise error
        await asyncio.sleep(pause_s)
        attempt += 1


def _may_pass(error: SoundsightError, codes: frozenset[grpc.StatusCode]) -> bool:
    return error.code in codes and error.reason != DISK_FULL


def pause_before_retry(error: SoundsightError, attempt: int) -> float:
    """Seconds to wait after a failed attempt (from 0): what the server says, else growing, with
    jitter so that many callers do not come back at once."""
    if error.retry_after_s is not None:
        return error.retry_after_s
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
    return random.uniform(longest / 2, longest)


class Patience:
    """How long a stream that breaks is begun again.

    What counts is how long nothing came although it was tried, not how long the stream was quiet:
    a watch may well hear nothing for an hour.

    Args:
        total_s: longest time without success before the error is raised.
    """

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._attempt = 0
        self._attempt_began = 0.0
        self._failing_since: float | None = None

    def attempt(self) -> None:
        """The stream is begun."""
        self._attempt_began = time.monotonic()

    def succeeded(self) -> None:
        """Something came."""
        self._attempt = 0
        self._failing_since = None

    def pause_after(self, error: SoundsightError) -> float:
        """Seconds to wait before the stream is begun again.

        Raises:
            SoundsightError: `error`, when it is not transient or lasts too long.
        """
        now = time.monotonic()
        if now - self._attempt_began > LONGEST_PAUSE_S:
            self.succeeded()  # it held for a while, though nothing happened
        self._failing_since = self._failing_since or now
        pause_s = pause_before_retry(error, self._attempt)
        self._attempt += 1
        if not _may_pass(error, TRANSIENT) or now - self._failing_since + pause_s > self._total_s:
            raise error
        return pause_s
