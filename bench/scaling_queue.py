"""The gateway of the simulation: renders, their queue in a real database, and how takes are made.

The tables are real, as far as the scaler reads them, and so is the dispatch. The durable engine
cannot run on a virtual clock: that takes come out of its queue by priority and by arrival, a
bounded number at a time, is modelled here, and so is the loop around a scene that `workflows` has.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from scaling_replica import FINGERPRINT, Filmed
from soundsight.videogen.v1 import videogen_pb2
from soundsight_gateway import calls, states
from soundsight_gateway import tables as t
from soundsight_gateway.database import Database
from soundsight_gateway.dispatch import Pool
from soundsight_gateway.retry import RetryPolicy, turned_away
from soundsight_gateway.scaling.demand import CHAIN, TAKE
from soundsight_kit.errors import SoundsightError

T = TypeVar("T")

PATIENCE_S: Final = 1800.0
POLICY: Final = RetryPolicy(attempts=5, first_s=1.0, factor=2.0, most_s=60.0)
"""The gateway's defaults."""


@dataclass(frozen=True)
class Song:
    """A song of a burst: when its filming begins, and the clips of its chains."""

    name: str
    begins_s: float
    chains: tuple[int, ...]

    @property
    def clips(self) -> int:
        """How many scenes it has."""
        return sum(self.chains)


def songs(number: int, chance: random.Random, *, every_s: float = 0.0) -> list[Song]:
    """Songs that come at once, or one by one, every so many seconds in the mean.

    Each is listened to and written for a minute or three, and has 30 to 60 scenes; one scene in
    three goes on where the one before it ended.
    """
    made: list[Song] = []
    at_s = 0.0
    for index in range(number):
        chains = [1]
        for _ in range(chance.randint(29, 59)):
            if chance.random() < 1 / 3:
                chains[-1] += 1
            else:
                chains.append(1)
        made.append(Song(f"song-{index}", at_s + chance.uniform(60, 180), tuple(chains)))
        if every_s:
            at_s += chance.expovariate(1 / every_s)
    return made


class Ledger(Database):
    """The database of renders, in memory and on the event loop's own thread: on a virtual clock
    nothing may wait for another one."""

    def __init__(self) -> None:
        engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        super().__init__(engine)
        self._connection = engine.connect()
        t.metadata.create_all(self._connection, tables=[t.renders, t.pools])
        self.run(
            "CREATE TABLE workflow_status (workflow_uuid TEXT PRIMARY KEY, "
            "parent_workflow_id TEXT, name TEXT, status TEXT)"
        )
        self.run("CREATE INDEX by_parent ON workflow_status (parent_workflow_id)")
        self.run("CREATE INDEX by_status ON workflow_status (status)")

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Runs `work` at once."""
        return work(self._connection)

    def run(self, statement: str, *values: object) -> None:
        """Runs one statement."""
        self._connection.exec_driver_sql(statement, tuple(values))

    def begin(self, song: Song) -> None:
        """A render enters FILMING."""
        self._connection.execute(
            sa.insert(t.renders).values(
                project="demo", render=song.name, state=states.FILMING, paused=False, sequence=1,
                revision=1, create_us=0, update_us=0, spec="{}", spec_digest="",
                video='{"pool": "default"}', timings="[]", notes="[]",
            )
        )  # fmt: skip

    def end(self, song: Song) -> None:
        """A render has all its clips."""
        done = sa.update(t.renders).where(t.renders.c.render == song.name)
        self._connection.execute(done.values(state=states.COMPOSING))

    def workflow(self, identifier: str, name: str, parent: str) -> None:
        """A workflow begins, or is queued."""
        row = (identifier, parent, name, "PENDING")
        self.run("INSERT INTO workflow_status VALUES (?, ?, ?, ?)", *row)

    def ended(self, identifier: str) -> None:
        """A workflow has ended."""
        self.run(
            "UPDATE workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = ?", identifier
        )


class Turns:
    """The queue of takes: by priority, then by arrival, so many at a time."""

    def __init__(self, most_at_a_time: int) -> None:
        self._free = most_at_a_time
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @property
    def front(self) -> int:
        """The lowest priority number that waits, 1 when none does."""
        return self._waiting[0][0] if self._waiting else 1

    async def wait(self, priority: int) -> None:
        """Returns when it is the turn of a take."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._numbers), turn))
        self._go_on()
        await turn

    def done(self) -> None:
        """A take has ended."""
        self._free += 1
        self._go_on()

    def _go_on(self) -> None:
        while self._free and self._waiting:
            heapq.heappop(self._waiting)[2].set_result(None)
            self._free -= 1


@dataclass
class Waits:
    """What people waited for. Seconds."""

    clips_s: list[float] = field(default_factory=list)
    """From when a clip could have been filmed to when its filming began."""
    songs_s: list[float] = field(default_factory=list)
    """From when a song's filming began to when its last clip was there."""
    failed: int = 0
    """Clips that were given up."""
    attempts: int = 0
    """Attempts that failed."""


class Gateway:
    """Films songs."""

    def __init__(self, ledger: Ledger, pool: Pool, filmed: Filmed, max_in_flight: int) -> None:
        self._ledger, self._pool, self._filmed = ledger, pool, filmed
        self._turns = Turns(max_in_flight)
        self._loop = asyncio.get_running_loop()
        self.waits = Waits()

    async def film(self, burst: Sequence[Song]) -> None:
        """Films all songs of a burst."""
        await asyncio.gather(*(self._render(song) for song in burst))

    async def _render(self, song: Song) -> None:
        await asyncio.sleep(song.begins_s - self._loop.time())
        self._ledger.begin(song)
        priority = self._turns.front
        scene = 0
        chains = []
        for length in song.chains:
            chains.append(self._chain(f"demo/{song.name}", scene, length, priority + scene))
            scene += length
        await asyncio.gather(*chains)
        self._ledger.end(song)
        self.waits.songs_s.append(self._loop.time() - song.begins_s)

    async def _chain(self, render: str, scene: int, length: int, priority: int) -> None:
        chain = f"{render}/s{scene:03}"
        self._ledger.workflow(chain, CHAIN, render)
        for place in range(length):
            if not await self._scene(chain, f"{render}/s{scene + place:03}", priority + place):
                self.waits.failed += length - place
                break
        self._ledger.ended(chain)

    async def _scene(self, chain: str, key: str, priority: int) -> bool:
        """One scene in all its attempts, as `workflows` makes them; false when it is given up."""
        could_s = self._loop.time()
        for attempt in itertools.count(1):
            error = await self._attempt(chain, key, attempt, priority)
            if error is None:
                self.waits.clips_s.append(self._filmed.began_s[key] - could_s)
                return True
            self.waits.attempts += 1
            pause_s = POLICY.pause_s(attempt, error)
            if pause_s is None:
                return False
            await asyncio.sleep(pause_s)
        return False

    async def _attempt(
        self, chain: str, key: str, attempt: int, priority: int
    ) -> SoundsightError | None:
        """One attempt, queued; what it failed with."""
        take = f"{key}/{attempt}"
        self._ledger.workflow(take, TAKE, chain)
        await self._turns.wait(priority)
        try:
            await self._take(key)
        except SoundsightError as error:
            return error
        finally:
            self._turns.done()
            self._ledger.ended(take)
        return None

    async def _take(self, key: str) -> None:
        """Has a clip filmed by whoever has room, as `filming` does."""
        request = videogen_pb2.GenerateClipRequest(output_key=key)
        while True:
            async with self._pool.lease(FINGERPRINT, PATIENCE_S) as endpoint:
                try:
                    await calls.result_of(
                        endpoint.stub.GenerateClip(request, timeout=7200.0),
                        "clip",
                        silence_timeout_s=7200.0,
                        on_progress=lambda _: None,
                    )
                except SoundsightError as error:
                    endpoint.failed(error)
                    if not turned_away(error):
                        raise
                    continue
                endpoint.worked()
                return
