"""Which failures are worth another attempt, and after how long.

Pure: the pauses themselves are durable sleeps of the workflow that asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc

from soundsight_kit.errors import DISK_FULL, SoundsightError, Unavailable
from soundsight_kit.pauses import growing_s

FINGERPRINT_MISMATCH: Final = "FINGERPRINT_MISMATCH"
"""Reason of a videogen endpoint that is not the implementation a key was derived for."""

DRAINING: Final = "DRAINING"
"""Reason of an endpoint that takes no more clips because it is about to end."""

SCENE_TIMEOUT: Final = "SCENE_TIMEOUT"
"""Reason of a scene for which all its time is up, however many attempts it has left."""

RETRIED: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        # Somebody else stopped work that this render shares, or a service was shut down.
        grpc.StatusCode.CANCELLED,
        # A fault of a service: often a crash that its restart cures. Results are created only if
        # absent under keys, so that trying again can do no harm.
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Codes after which the same call may succeed. Everything else would only fail again."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a stage or a scene is tried, and the pauses between."""

    attempts: int
    first_s: float
    factor: float
    most_s: float

    def pause_s(self, failed_attempts: int, error: SoundsightError) -> float | None:
        """Seconds to wait after `failed_attempts` failures (at least 1), or None to give up.

        The service's own RetryInfo is honoured when it asks for more than the policy would wait.
        """
        if error.code not in RETRIED or failed_attempts >= self.attempts:
            return None
        if error.reason in (DISK_FULL, SCENE_TIMEOUT):
            return None
        pause_s = growing_s(
            failed_attempts, first_s=self.first_s, most_s=self.most_s, factor=self.factor
        )
        return max(pause_s, error.retry_after_s or 0.0)


def turned_away(error: SoundsightError) -> bool:
    """Whether an endpoint has not taken a clip at all: another one is asked at once, and it is no
    failed attempt."""
    no_room = error.code == grpc.StatusCode.RESOURCE_EXHAUSTED and error.reason != DISK_FULL
    return no_room or error.reason == DRAINING


def broke_off(error: SoundsightError) -> bool:
    """Whether only the connection failed: the clip may be under way at the endpoint still, where
    the next attempt finds it. Whatever a service says of itself has a reason of its own."""
    return error.code == grpc.StatusCode.UNAVAILABLE and error.reason == Unavailable.default_reason
