"""One videogen endpoint: what it is, how busy it is, and whether it can be relied on.

What this gateway has sent is counted here; what others have sent is learned from GetLoad. Two kinds
of trouble are told apart. An endpoint that does not answer is away until it answers. One that
answers, but lets clips fail, is sick: it is set aside for pauses that grow, and gets one clip at a
time until one succeeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import grpc

from soundsight.common.v1 import implementation_pb2
from soundsight.videogen.v1 import videogen_pb2, videogen_pb2_grpc
from soundsight_gateway import calls
from soundsight_gateway.discovery.targets import Address
from soundsight_gateway.retry import FINGERPRINT_MISMATCH, turned_away
from soundsight_kit.errors import SoundsightError, error_from_rpc
from soundsight_kit.pauses import growing_s

LOAD_TIMEOUT_S: Final = 5.0
SET_ASIDE_FIRST_S: Final = 0.5
SET_ASIDE_MOST_S: Final = 30.0
FAILURES_BEFORE_PROBATION: Final = 2
"""Failures in a row after which clips are tried one at a time. One alone may be the clip's fault,
or that of a connection, which takes all that it carries with it."""

_UNREACHED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
_SICK: Final = _UNREACHED | {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DATA_LOSS,
}
"""Codes of clips that failed by the endpoint's fault rather than by their own."""

Clock = Callable[[], float]


class Endpoint:
    """One videogen server, and what is known of it.

    Args:
        address: where it is.
        channel: leads there; closed with the endpoint.
        clock: seconds, never back.
        told: called whenever it has said something, or failed to.
    """

    def __init__(
        self, address: Address, channel: grpc.aio.Channel, clock: Clock, told: Callable[[], None]
    ) -> None:
        self.address = address
        self.stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
        self.info: implementation_pb2.GetInfoResponse | None = None
        self.in_flight = 0
        self._channel = channel
        self._clock = clock
        self._told = told
        self._load = videogen_pb2.GetLoadResponse()
        self._others = 0
        self._known_at = float("-inf")
        self._closed_until = float("-inf")
        self._unanswered = 0
        self._failures = 0
        self._on_trial = 0
        self._asking: asyncio.Task[None] | None = None

    @property
    def target(self) -> str:
        """What it is reached by."""
        return self.address.target

    @property
    def open(self) -> bool:
        """Whether clips may be sent there: it answers and is not set aside."""
        return self.info is not None and self._clock() >= self._closed_until

    @property
    def unsure(self) -> bool:
        """Whether it is being asked what it is, and has not said so yet."""
        return self.info is None and self._asking is not None

    @property
    def slots(self) -> int:
        """Clips that it films at a time, as it last said."""
        return self._load.slots

    @property
    def taken(self) -> int:
        """Clips that it films or holds, as far as known; what is under way to it included."""
        return self.in_flight + self._others

    @property
    def has_room(self) -> bool:
        """Whether it would take another clip now or soon."""
        if self._failures >= FAILURES_BEFORE_PROBATION and self._on_trial > 0:
            return False
        return self.taken < self._load.slots + self._load.queue_limit

    @property
    def failing(self) -> bool:
        """Whether its last clip failed by its own fault."""
        return self._failures > 0

    @property
    def has_free_slot(self) -> bool:
        """Whether a clip would be filmed there now."""
        return self.taken < self._load.slots

    @property
    def surely_free(self) -> bool:
        """Whether a slot is free by an answer that is still relied on, and clips succeed there."""
        return self.open and self._asking is None and not self.failing and self.has_free_slot

    @property
    def crowding(self) -> float:
        """Clips per slot: the lower, the sooner a clip's turn comes."""
        return self.taken / max(1, self._load.slots)

    @property
    def _full_of_others(self) -> bool:
        return self._others > 0 and self.taken >= self._load.slots

    @property
    def asking(self) -> asyncio.Task[None] | None:
        """The asking that is under way, if one is."""
        return self._asking

    def ask(self, fresh_s: float) -> asyncio.Task[None] | None:
        """Begins to ask for its load, and what it is, unless that is known well enough.

        An answer is relied on for `fresh_s`; for half of that when it says that others keep the
        endpoint busy, since when they stop they do not tell.

        Returns the asking, or None where there is nothing new to wait for: it is being asked
        already, or did not answer the last time.
        """
        now = self._clock()
        known_until = self._known_at + (fresh_s / 2 if self._full_of_others else fresh_s)
        if self._asking is not None or now < self._closed_until or now < known_until:
            return None
        self._asking = asyncio.create_task(self._learn(), name=f"load of {self.target}")
        return self._asking if self._unanswered == 0 else None

    def enter(self) -> None:
        """A clip is sent there."""
        self.in_flight += 1
        self._on_trial += 1

    def leave(self) -> None:
        """A clip sent there has ended, whichever way."""
        self.in_flight -= 1
        self._on_trial = max(0, self._on_trial - 1)

    def worked(self) -> None:
        """It did what it was asked to."""
        self._failures = 0

    def failed(self, error: SoundsightError) -> None:
        """Draws the consequence of a clip's failure for those who ask next."""
        self._known_at = float("-inf")
        if error.reason == FINGERPRINT_MISMATCH:
            self.info = None  # it was replaced by another implementation: ask who it is
        elif turned_away(error) and error.code not in _UNREACHED:
            self._set_aside(min(SET_ASIDE_MOST_S, error.retry_after_s or SET_ASIDE_FIRST_S))
        elif error.code in _SICK:
            # Whatever else was under way there when it was set aside fails for the same reason.
            if self._clock() >= self._closed_until:
                self._failures += 1
                self._set_aside(_pause_s(self._failures))
                self._on_trial = 0
            if error.code in _UNREACHED:
                self.info = None

    def moved(self, address: Address) -> None:
        """Another pod has its address: nothing known of the former holds."""
        self.address = address
        self.info = None
        self._known_at = self._closed_until = float("-inf")
        self._unanswered = self._failures = 0

    async def close(self) -> None:
        """Ends all that is under way there, without stopping the work itself."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        await self._channel.close()

    async def _learn(self) -> None:
        sent_before = self.in_flight
        try:
            load = await self.stub.GetLoad(videogen_pb2.GetLoadRequest(), timeout=LOAD_TIMEOUT_S)
            if self.info is None:
                self.info = await calls.describe(self._channel)
        except grpc.RpcError as error:
            self._silent(error_from_rpc(error))
        except SoundsightError as error:
            self._silent(error)
        else:
            self._load = load
            # Clips of ours that came or went while it answered may be in its count or not. Others
            # are never overrated by them: no slot stands idle for a clip that has left.
            self._others = max(0, load.busy + load.queued - max(sent_before, self.in_flight))
            self._known_at = self._clock()
            self._unanswered = 0
        finally:
            self._asking = None
            self._told()

    def _silent(self, error: SoundsightError) -> None:
        """It did not say how busy it is: it is away, or no endpoint at all."""
        self.info = None
        self._unanswered += 1
        pause_s = max(_pause_s(self._unanswered), error.retry_after_s or 0.0)
        self._set_aside(min(SET_ASIDE_MOST_S, pause_s))

    def _set_aside(self, pause_s: float) -> None:
        self._closed_until = max(self._closed_until, self._clock() + pause_s)


def _pause_s(failures: int) -> float:
    """For how long it is set aside after so many failures in a row."""
    return growing_s(failures, first_s=SET_ASIDE_FIRST_S, most_s=SET_ASIDE_MOST_S)
