"""Who films a scene: the least-loaded endpoint of a pool that can take it.

Endpoints come and go while scenes are filmed. Scenes wait here, first come first served, rather
than at an endpoint's door.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

import grpc

from soundsight.common.v1 import implementation_pb2
from soundsight_gateway import metrics
from soundsight_gateway.discovery.targets import Address
from soundsight_gateway.endpoint import Clock, Endpoint
from soundsight_gateway.retry import FINGERPRINT_MISMATCH
from soundsight_kit.errors import FailedPrecondition, Unavailable
from soundsight_kit.logs import log

FRESH_S: Final = 1.0
"""How long an endpoint's answer about its load is relied on, in a pool of up to `ASKED_PER_S`."""
ASKED_PER_S: Final = 64
"""Endpoints that are asked about their load in a second: in large pools, each less often."""
RECHECK_S: Final = 0.5
"""Pause between looks for room while there is none."""
SETTLE_S: Final = 0.25
"""How long a choice waits for answers. An endpoint that takes longer is chosen later."""


class Pool:
    """The endpoints of one pool.

    Args:
        name: for messages.
        addresses: where its endpoints are, until `update` says otherwise.
        connect: opens a channel.
        clock: seconds, never back.
    """

    def __init__(
        self,
        name: str,
        addresses: Iterable[Address],
        connect: Callable[[Address], grpc.aio.Channel],
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self.changed = asyncio.Event()
        """Set whenever a clip is sent or ends, or endpoints come or go."""
        self._connect = connect
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        self._leaving: dict[str, Endpoint] = {}
        self._waiting: dict[str, list[asyncio.Event]] = {}
        """Those that wait, by the implementation that they wait for."""
        self._closing: set[asyncio.Task[None]] = set()
        for address in addresses:
            self._add(address)
        metrics.follow_endpoints(
            name, lambda is_open: sum(endpoint.open == is_open for endpoint in self.endpoints)
        )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints that clips may be sent to."""
        return tuple(self._endpoints.values())

    def update(self, addresses: Iterable[Address]) -> None:
        """Makes `addresses` those of the pool.

        Those that come are asked at once. Those that go get no more clips; calls that are under way
        there go on to their end.
        """
        wanted = {address.target: address for address in addresses}
        for target in self._endpoints.keys() - wanted.keys():
            gone = self._endpoints.pop(target)
            log.info("endpoint left", pool=self.name, target=target, in_flight=gone.in_flight)
            self._leaving[target] = gone
            self._close_if_left(gone)
        for target, address in wanted.items():
            if target in self._endpoints:
                endpoint = self._endpoints[target]
            elif target in self._leaving:
                endpoint = self._endpoints[target] = self._leaving.pop(target)
            else:
                endpoint = self._add(address)
                log.info("endpoint came", pool=self.name, target=target)
            if endpoint.address != address:
                endpoint.moved(address)
        self._ask()
        self.changed.set()
        self._wake()

    async def describe(self) -> implementation_pb2.GetInfoResponse:
        """Asks the endpoints what they are.

        Those alike that have the most slots speak for the pool, in whatever order they are known.

        Raises Unavailable when none answers.
        """
        await self.refresh()
        while not self._known():
            asking = [task for endpoint in self.endpoints if (task := endpoint.asking) is not None]
            if not asking:
                raise self._nobody()
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        slots: dict[str, int] = defaultdict(int)
        infos: dict[str, implementation_pb2.GetInfoResponse] = {}
        for endpoint, info in self._known():
            slots[info.fingerprint] += endpoint.slots
            infos[info.fingerprint] = info
        return infos[max(slots, key=lambda fingerprint: (slots[fingerprint], fingerprint))]

    async def slots(self) -> int:
        """Slots of all endpoints that answer, at least 1."""
        await self.refresh()
        return max(1, sum(endpoint.slots for endpoint, _ in self._known()))

    async def refresh(self) -> None:
        """Learns how busy endpoints are where that is not known; none is waited for long."""
        await self._settle(self._ask())

    @asynccontextmanager
    async def lease(
        self, fingerprint: str, patience_s: float, prefer: str | None = None
    ) -> AsyncIterator[Endpoint]:
        """An endpoint with room for one clip, for as long as the context lasts.

        Args:
            fingerprint: the implementation that the clip is keyed for.
            patience_s: how long to wait while no endpoint answers. While some do, a clip waits
                until one has room.
            prefer: target of the endpoint that was asked before and may be at it still.

        Raises Unavailable when no endpoint answered for so long; FailedPrecondition when endpoints
        answer and all of them are other implementations.
        """
        endpoint = await self._find(fingerprint, patience_s, prefer)
        # No await between the choice and the count: two scenes do not take the same last place.
        endpoint.enter()
        self.changed.set()
        try:
            yield endpoint
        finally:
            endpoint.leave()
            if endpoint.target in self._leaving:
                self._close_if_left(endpoint)
            self.changed.set()
            self._wake()

    async def close(self) -> None:
        """Closes all channels."""
        for endpoint in (*self._endpoints.values(), *self._leaving.values()):
            self._close(endpoint)
        self._endpoints.clear()
        self._leaving.clear()
        await asyncio.gather(*self._closing)

    async def _find(self, fingerprint: str, patience_s: float, prefer: str | None) -> Endpoint:
        if prefer:
            await self.refresh()
            if (endpoint := self._at_it(fingerprint, prefer)) is not None:
                return endpoint
        turn = asyncio.Event()
        queue = self._waiting.setdefault(fingerprint, [])
        queue.append(turn)
        until = self._clock() + patience_s
        try:
            while True:
                turn.clear()
                if queue[0] is turn:
                    asking = self._ask()
                    if (endpoint := self._free(fingerprint)) is not None:
                        return endpoint
                    await self._settle(asking)
                    if (endpoint := self._choose(fingerprint, prefer)) is not None:
                        return endpoint
                if self._known():
                    until = self._clock() + patience_s
                left_s = until - self._clock()
                if left_s <= 0:
                    raise self._nobody()
                # Only the first in the queue looks again; the others are told when they are.
                await _wait(turn, min(left_s, RECHECK_S) if queue[0] is turn else left_s)
        finally:
            queue.remove(turn)
            if not queue:
                del self._waiting[fingerprint]
            self._wake()

    def _free(self, fingerprint: str) -> Endpoint | None:
        """The least loaded of the endpoints with a free slot that need not be asked first."""
        free = [e for e, info in self._known() if info.fingerprint == fingerprint and e.surely_free]
        return min(free, key=lambda endpoint: endpoint.crowding, default=None)

    def _choose(self, fingerprint: str, prefer: str | None) -> Endpoint | None:
        known = self._known()
        alike = [endpoint for endpoint, info in known if info.fingerprint == fingerprint]
        if known and not alike and not any(e.unsure for e in self._endpoints.values()):
            raise FailedPrecondition(
                f"the video pool {self.name} is no longer what this clip was keyed for",
                reason=FINGERPRINT_MISMATCH,
            )
        if prefer and (endpoint := self._at_it(fingerprint, prefer)) is not None:
            return endpoint
        roomy = [endpoint for endpoint in alike if endpoint.open and endpoint.has_room]
        # One that let the last clip fail comes after those with a free slot that did not.
        return min(
            roomy,
            key=lambda endpoint: (not endpoint.has_free_slot, endpoint.failing, endpoint.crowding),
            default=None,
        )

    def _at_it(self, fingerprint: str, target: str) -> Endpoint | None:
        """The endpoint that may be filming a clip still: it needs no room there."""
        endpoint = self._endpoints.get(target) or self._leaving.get(target)
        if endpoint is None or not endpoint.open or endpoint.info is None:
            return None
        return endpoint if endpoint.info.fingerprint == fingerprint else None

    def _known(self) -> list[tuple[Endpoint, implementation_pb2.GetInfoResponse]]:
        """The endpoints that have said what they are, with it; those that are set aside as well."""
        return [(e, e.info) for e in self._endpoints.values() if e.info is not None]

    def _nobody(self) -> Unavailable:
        return Unavailable(
            f"no endpoint of the video pool {self.name} answers",
            reason="NO_ENDPOINT",
            retry_after_s=RECHECK_S,
        )

    def _ask(self) -> list[asyncio.Task[None]]:
        fresh_s = max(FRESH_S, len(self._endpoints) / ASKED_PER_S)
        asked = [endpoint.ask(fresh_s) for endpoint in self._endpoints.values()]
        return [task for task in asked if task is not None]

    async def _settle(self, asking: list[asyncio.Task[None]]) -> None:
        """Waits for answers, but for none that is late."""
        if asking:
            await asyncio.wait(asking, timeout=SETTLE_S)

    def _add(self, address: Address) -> Endpoint:
        endpoint = Endpoint(address, self._connect(address), self._clock, self._wake)
        self._endpoints[address.target] = endpoint
        return endpoint

    def _wake(self) -> None:
        for queue in self._waiting.values():
            queue[0].set()

    def _close_if_left(self, endpoint: Endpoint) -> None:
        if endpoint.in_flight == 0:
            del self._leaving[endpoint.target]
            self._close(endpoint)

    def _close(self, endpoint: Endpoint) -> None:
        task = asyncio.create_task(endpoint.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
