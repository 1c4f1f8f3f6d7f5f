"""The places at which clips are filmed: one worker process each, replaced when it died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from soundsight_videogen.supervising.process import Launch, Patience, Worker


class Seat:
    """A device and its worker process, which is started when it is first needed."""

    def __init__(self, device: str, launch: Launch, patience: Patience) -> None:
        self.device = device
        self.worker: Worker | None = None
        self.restarts = 0
        self.busy = False
        self._launch = launch
        self._patience = patience

    @property
    def alive(self) -> bool:
        """Whether there is a worker that can be given work."""
        return self.worker is not None and self.worker.alive

    async def living(self) -> Worker:
        """Its worker; one that died is replaced.

        Raises FailedPrecondition when the machine lacks what it needs, Unavailable when it died or
        did not get ready in time.
        """
        if self.worker is not None and self.worker.alive:
            return self.worker
        if self.worker is not None:
            await self.end()
            self.restarts += 1
        self.worker = await Worker.start(self._launch, self._patience)
        return self.worker

    async def end(self) -> None:
        """Ends its worker, if there is one."""
        worker, self.worker = self.worker, None
        if worker is not None:
            await worker.end()


class Seats:
    """All seats of a backend; each is lent to one clip at a time."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.all = tuple(seats)
        self._room = asyncio.Semaphore(len(seats))
        self._turn = {seat: asyncio.Lock() for seat in seats}

    @property
    def pids(self) -> frozenset[int]:
        """Process ids of the workers that live."""
        return frozenset(seat.worker.pid for seat in self.all if seat.worker and seat.worker.alive)

    async def start(self) -> None:
        """Starts one worker, so that a machine that lacks something is found out at once."""
        async with self.lent(0) as seat:
            await seat.living()

    @asynccontextmanager
    async def lent(self, number: int | None = None) -> AsyncIterator[Seat]:
        """Lends a seat: the one of this number, otherwise a free one; waits while it is taken."""
        async with self._room:
            seat = self._free() if number is None else self.all[number]
            async with self._turn[seat]:
                seat.busy = True
                try:
                    yield seat
                finally:
                    seat.busy = False
                    # A worker that was killed is buried now; its place may stay empty for long.
                    if seat.worker is not None and not seat.worker.alive:
                        await seat.end()
                        seat.restarts += 1

    async def close(self) -> None:
        """Ends all workers."""
        for seat in self.all:
            await seat.end()

    def _free(self) -> Seat:
        free = [seat for seat in self.all if not self._turn[seat].locked()]
        return max(free, key=lambda seat: seat.alive)
