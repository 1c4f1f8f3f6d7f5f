"""Who films a scene: the least-loaded endpoint of a pool that can take it.

Endpoints have slots and a short queue. What this gateway has sent is counted here; what others have
sent is learned from GetLoad, when the last answer is too old to rely on. Scenes wait here, first
come first served, rather than at an endpoint's door.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import grpc

from soundsight.common.v1 import implementation_pb2
from soundsight.videogen.v1 import videogen_pb2, videogen_pb2_grpc
from soundsight_gateway import calls
from soundsight_gateway.retry import FINGERPRINT_MISMATCH
from soundsight_kit.errors import (
    FailedPrecondition,
    SoundsightError,
    Unavailable,
    error_from_rpc,
)

LOAD_TIMEOUT_S: Final = 5.0
FRESH_S: Final = 1.0
"""How long an endpoint's answer about its load is relied on."""
RECHECK_S: Final = 0.5
"""Pause between looks for room while there is none."""
SET_ASIDE_FIRST_S: Final = 0.5
SET_ASIDE_MOST_S: Final = 30.0

Clock = Callable[[], float]


class Endpoint:
    """One videogen server, and what is known of it."""

    def __init__(self, target: str, channel: grpc.aio.Channel, clock: Clock) -> None:
        self.target = target
        self.stub = videogen_pb2_grpc.VideoGenServiceStub(channel)
        self.info: implementation_pb2.GetInfoResponse | None = None
        self.in_flight = 0
        self._channel = channel
        self._clock = clock
        self._load = videogen_pb2.GetLoadResponse()
        self._load_until = float("-inf")
        self._closed_until = float("-inf")
        self._failures = 0
        self._asking = asyncio.Lock()

    @property
    def open(self) -> bool:
        """Whether it may be asked at all: not set aside, and its load is known."""
        return self.info is not None and self._clock() >= self._closed_until

    @property
    def taken(self) -> int:
        """Clips that it films or holds, as far as known; what is under way to it included."""
        return max(self.in_flight, self._load.busy + self._load.queued)

    @property
    def has_room(self) -> bool:
        """Whether it would take another clip now or soon."""
        return self.taken < self._load.slots + self._load.queue_limit

    @property
    def crowding(self) -> float:
        """Clips per slot: the lower, the sooner a clip's turn comes."""
        return self.taken / max(1, self._load.slots)

    async def refresh(self) -> None:
        """Learns its load, and what it is, unless that is known well enough."""
        async with self._asking:
            now = self._clock()
            if now < self._closed_until or now < self._load_until:
                return
            try:
                self._load = await self.stub.GetLoad(
                    videogen_pb2.GetLoadRequest(), timeout=LOAD_TIMEOUT_S
                )
                if self.info is None:
                    self.info = await calls.describe(self._channel)
            except grpc.RpcError as error:
                self.failed(error_from_rpc(error))
            except SoundsightError as error:
                self.failed(error)
            else:
                self._load_until = self._clock() + FRESH_S

    def worked(self) -> None:
        """It did what it was asked to."""
        self._failures = 0
        self._load_until = float("-inf")

    def failed(self, error: SoundsightError) -> None:
        """Draws the consequence of a failure for those who ask next."""
        self._load_until = float("-inf")
        if error.reason == FINGERPRINT_MISMATCH:
            self.info = None  # it was replaced by another implementation: ask who it is
        elif error.code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            self._closed_until = self._clock() + min(
                SET_ASIDE_MOST_S, error.retry_after_s or SET_ASIDE_FIRST_S
            )
        elif error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            pause_s = min(SET_ASIDE_MOST_S, SET_ASIDE_FIRST_S * 2 ** min(self._failures, 16))
            self._failures += 1
            self._closed_until = self._clock() + pause_s
            self.info = None


class Pool:
    """The endpoints of one pool."""

    def __init__(
        self,
        name: str,
        targets: Sequence[str],
        connect: Callable[[str], grpc.aio.Channel],
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self.endpoints = [Endpoint(target, connect(target), clock) for target in targets]
        self._clock = clock
        self._waiting: list[asyncio.Event] = []

    async def describe(self) -> implementation_pb2.GetInfoResponse:
        """Asks the endpoints what they are; the first in order that answers speaks for the pool.

        Raises Unavailable when none does.
        """
        await self._refresh()
        for endpoint in self.endpoints:
            if endpoint.info is not None:
                return endpoint.info
        raise Unavailable(
            f"no endpoint of the video pool {self.name} answers",
            reason="NO_ENDPOINT",
            retry_after_s=RECHECK_S,
        )

    async def slots(self) -> int:
        """Slots of all endpoints that answer, at least 1."""
        await self._refresh()
        return max(1, sum(e._load.slots for e in self.endpoints if e.info is not None))

    @asynccontextmanager
    async def lease(
        self, fingerprint: str, patience_s: float, prefer: str | None = None
    ) -> AsyncIterator[Endpoint]:
        """An endpoint with room for one clip, for as long as the context lasts.

        Args:
            fingerprint: the implementation that the clip is keyed for.
            patience_s: how long to wait for room.
            prefer: target of the endpoint that was asked before and may be at it still.

        Raises Unavailable when there was no room in time; FailedPrecondition when endpoints answer
        and all of them are other implementations.
        """
        endpoint = await self._find(fingerprint, self._clock() + patience_s, prefer)
        # No await between the choice and the count: two scenes do not take the same last place.
        endpoint.in_flight += 1
        try:
            yield endpoint
        finally:
            endpoint.in_flight -= 1
            if self._waiting:
                self._waiting[0].set()

    async def _find(self, fingerprint: str, until: float, prefer: str | None) -> Endpoint:
        turn = asyncio.Event()
        self._waiting.append(turn)
        try:
            while True:
                if self._waiting[0] is turn:
                    await self._refresh()
                    if (endpoint := self._choose(fingerprint, prefer)) is not None:
                        return endpoint
                left_s = until - self._clock()
                if left_s <= 0:
                    raise Unavailable(
                        f"no endpoint of the video pool {self.name} has room",
                        reason="NO_ENDPOINT",
                        retry_after_s=RECHECK_S,
                    )
                turn.clear()
                await _wait(turn, min(left_s, RECHECK_S))
        finally:
            self._waiting.remove(turn)
            if self._waiting:
                self._waiting[0].set()

    def _choose(self, fingerprint: str, prefer: str | None) -> Endpoint | None:
        answering = [endpoint for endpoint in self.endpoints if endpoint.open]
        alike = [
            endpoint
            for endpoint in answering
            if endpoint.info is not None and endpoint.info.fingerprint == fingerprint
        ]
        if answering and not alike:
            raise FailedPrecondition(
                f"the video pool {self.name} is no longer what this clip was keyed for",
                reason=FINGERPRINT_MISMATCH,
            )
        for endpoint in alike:
            # Work that is under way there already needs no room.
            if endpoint.target == prefer:
                return endpoint
        roomy = [endpoint for endpoint in alike if endpoint.has_room]
        return min(roomy, key=lambda endpoint: endpoint.crowding, default=None)

    async def _refresh(self) -> None:
        await asyncio.gather(*(endpoint.refresh() for endpoint in self.endpoints))


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
