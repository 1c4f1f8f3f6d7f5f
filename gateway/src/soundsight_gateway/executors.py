"""Which gateways share a database, and which of them are gone for good.

The workflow engine lets whatever runs belong to an *executor*, named by `EXECUTOR_ID` (a pod's
name), and takes it up again when that executor starts anew. This covers one that stays away:

- An executor holds an advisory lock of Postgres on a session of its own and asks something there
  every few seconds. The server itself ends a session that is silent for `timeout_s`. So the lock is
  free soon after its holder was killed, stopped, cut off, or has lost its machine.
- The others look in the register whose lock is free. One that stays free for `timeout_s` counts as
  dead: whoever then gets its lock takes its work over, and notes that in the register, as another
  *life*.
- An executor whose session broke tries to get its lock back. Postgres may just have been started
  again, and everybody lost theirs. If its life is still the one it began, nobody took anything over
  and it goes on. Otherwise, or when it does not succeed for long, it is *lost*: it must end, since
  what it runs may be run by others too. (Until it has noticed, it does no harm: the engine refuses
  its records, and results are only ever created under their keys.)

On SQLite there is one gateway alone, and none of this.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from soundsight_gateway import metrics
from soundsight_gateway.sessions import Session, SessionGone
from soundsight_kit.errors import FailedPrecondition, Unavailable
from soundsight_kit.logs import log

TakeOver = Callable[[str], Awaitable[None]]
"""Is told the executor whose work is to be taken over."""

AGAIN_S: Final = 0.5
"""Pause between two attempts to get the own lock."""
PATIENCE: Final = 3
"""Timeouts that an executor goes without its lock before it gives up, and waits for it at start."""
BEATS: Final = 5
"""Beats within one timeout."""
TAKING_OVER_S: Final = 120.0
"""Longest silence of a session that takes over, before the next executor may try."""

_LOOK: Final = """
    SELECT executor, version, EXISTS (
      SELECT 1 FROM pg_locks
      WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((classid::bigint << 32) | objid::bigint) = lock_key
    )
    FROM executors WHERE at_work
"""
# `pg_locks` shows the halves of a lock's key apart.

_ENTER: Final = """
    INSERT INTO executors (executor, lock_key, version, life, at_work, update_us)
    VALUES (%s, %s, %s, 1, true, %s)
    ON CONFLICT (executor) DO UPDATE SET lock_key = excluded.lock_key, version = excluded.version,
      life = executors.life + 1, at_work = true, update_us = excluded.update_us
    RETURNING life
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """An executor in the register."""

    executor: str
    version: str
    alive: bool
    """Whether it holds its lock."""


def dead(peers: Collection[Peer], version: str) -> list[str]:
    """Those whose work an executor of a version may take over.

    Work of another version is left to others of it, who can continue it, while there are any.
    """
    continued = {peer.version for peer in peers if peer.alive} - {version}
    return [peer.executor for peer in peers if not peer.alive and peer.version not in continued]


class Register:
    """The executors of a database that only one gateway can use."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        """Set when this executor must end, at once."""

    async def enter(self) -> None:
        """Becomes this gateway's executor; whatever belongs to it is its own from now on."""

    def watch(self, take_over: TakeOver) -> None:
        """Begins to look after the others."""

    def versions(self) -> frozenset[str]:
        """The versions of workflows that gateways of this database can continue."""
        return frozenset()

    async def leave(self) -> None:
        """Lets others have the lock. Work that is left is theirs when it stays free."""


class _Replaced(Exception):
    """Another executor has taken this one's work over."""


class Executors(Register):
    """The executors of a Postgres database.

    Args:
        url: of the database.
        executor: what this gateway is called.
        version: of its workflows.
        timeout_s: seconds of silence after which an executor is given up.
    """

    def __init__(self, url: str, executor: str, version: str, timeout_s: float) -> None:
        super().__init__()
        self._url = url
        self._executor = executor
        self._version = version
        self._timeout_s = timeout_s
        self._session: Session | None = None
        self._life = 0
        self._free_since: dict[str, float] = {}
        self._peers: list[Peer] = []
        self._take_over: TakeOver | None = None
        self._living: asyncio.Task[None] | None = None
        self._taking_over: dict[str, asyncio.Task[None]] = {}

    @property
    def holds_lock(self) -> bool:
        """Whether it has its lock, as far as it knows."""
        return self._session is not None

    async def enter(self) -> None:
        """Waits for the lock and enters a new life.

        Raises FailedPrecondition when another gateway keeps the lock, Unavailable when the database
        is away for as long as a gateway bears it to be.
        """
        until = time.monotonic() + PATIENCE * self._timeout_s
        while True:
            try:
                await self._enter(until)
                break
            except SessionGone as error:
                self._let_go()
                if time.monotonic() >= until:
                    raise Unavailable(str(error), reason="STORE_UNAVAILABLE") from error
                log.warning("executor waits for the database", why=str(error))
                await asyncio.sleep(AGAIN_S)
        metrics.executor_holds_lock(True)
        self._living = asyncio.create_task(self._live())
        self._living.add_done_callback(self._check_alive)

    async def _enter(self, until: float) -> None:
        waited = False
        while (session := await self._locked()) is None:
            if time.monotonic() >= until:
                raise FailedPrecondition(
                    f"another gateway runs as the executor {self._executor}; give each one a "
                    "SOUNDSIGHT_GATEWAY_EXECUTOR_ID of its own",
                    reason="EXECUTOR_TAKEN",
                )
            if not waited:
                log.info("waiting for the lock of this executor", executor=self._executor)
            waited = True
            await asyncio.sleep(AGAIN_S)
        self._session = session
        key = lock_key(self._executor)
        values = (self._executor, key, self._version, time.time_ns() // 1000)
        self._life = (await session.ask(_ENTER, *values))[0][0]
        await self._beat()

    def watch(self, take_over: TakeOver) -> None:
        """Has the work of dead executors taken over from now on."""
        self._take_over = take_over

    def versions(self) -> frozenset[str]:
        """The versions of all executors whose work was not taken over: they may return."""
        return frozenset(peer.version for peer in self._peers)

    async def leave(self) -> None:
        """Ends the looks, then gives the lock back."""
        tasks = [*self._taking_over.values(), *([self._living] if self._living else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._let_go()

    async def _live(self) -> None:
        """Beats until the lock is lost for good."""
        beat_s = self._timeout_s / BEATS
        heard = time.monotonic()
        while True:
            began = time.monotonic()
            try:
                await self._beat()
            except SessionGone as error:
                if self._session is not None:
                    log.warning("executor lost its session", why=str(error))
                self._let_go()
                # What was not looked at all the time may have been held in between.
                self._free_since.clear()
                if time.monotonic() - heard > PATIENCE * self._timeout_s:
                    return self._lose(f"its lock could not be got back: {error}")
                await asyncio.sleep(AGAIN_S)
            except _Replaced:
                return self._lose("its work was taken over by another gateway")
            else:
                heard = began
                self._mourn()
                await asyncio.sleep(beat_s)

    async def _beat(self) -> None:
        """Shows the server that this executor lives, and looks at the others."""
        if self._session is None:
            session = await self._locked()
            if session is None:
                raise SessionGone("somebody holds this executor's lock")
            self._session = session
            query = "SELECT life FROM executors WHERE executor = %s"
            if await session.ask(query, self._executor) != [(self._life,)]:
                raise _Replaced
            log.info("executor has its lock again", executor=self._executor)
            metrics.executor_holds_lock(True)
        self._peers = [Peer(*row) for row in await self._session.ask(_LOOK)]

    def _mourn(self) -> None:
        """Takes over whose lock has been free at every look for long enough."""
        now = time.monotonic()
        free = dead(self._peers, self._version)
        self._free_since = {one: self._free_since.get(one, now) for one in free}
        if self._take_over is None:
            return
        for executor, since in self._free_since.items():
            if now - since >= self._timeout_s and executor not in self._taking_over:
                self._taking_over[executor] = asyncio.create_task(
                    self._inherit(executor, self._take_over)
                )

    async def _inherit(self, executor: str, take_over: TakeOver) -> None:
        """Has a dead executor's work taken over, unless another one is at it or it came back."""
        try:
            session = await self._locked(executor, idle_s=TAKING_OVER_S)
            if session is None:
                return
            try:
                life = await session.ask(
                    "UPDATE executors SET life = life + 1 WHERE executor = %s AND at_work "
                    "RETURNING life",
                    executor,
                )
                if life:
                    log.warning("taking over the work of an executor", executor=executor)
                    await take_over(executor)
                    # Only now: if this executor dies before, another one does it again.
                    await session.ask(
                        "UPDATE executors SET at_work = false WHERE executor = %s", executor
                    )
                    metrics.executor_taken_over()
            finally:
                session.drop()
        except Exception as error:
            # Whatever a bad moment of the database brings: the next look tries again.
            log.warning("work not taken over yet", executor=executor, exc_info=error)
        finally:
            del self._taking_over[executor]

    async def _locked(self, executor: str = "", *, idle_s: float | None = None) -> Session | None:
        """A session that holds an executor's lock (without a name: the own one's), if it is free.

        Raises SessionGone.
        """
        session = await Session.open(
            self._url,
            name=f"soundsight executor {self._executor}",
            answer_s=self._timeout_s / 2,
            idle_s=idle_s or self._timeout_s,
        )
        key = lock_key(executor or self._executor)
        try:
            if (await session.ask("SELECT pg_try_advisory_lock(%s)", key))[0][0]:
                return session
        except asyncio.CancelledError:
            session.drop()
            raise
        session.drop()
        return None

    def _check_alive(self, living: asyncio.Task[None]) -> None:
        """An executor that stops beating for whatever reason is lost, and should know it."""
        if not living.cancelled() and (error := living.exception()) is not None:
            self._lose(f"an unexpected fault: {error!r}")

    def _let_go(self) -> None:
        if self._session is not None:
            self._session.drop()
            self._session = None
            metrics.executor_holds_lock(False)

    def _lose(self, why: str) -> None:
        log.error("executor is lost", executor=self._executor, why=why)
        self._let_go()
        self.lost.set()


def lock_key(executor: str) -> int:
    """The key of an executor's advisory lock: 64 bits of a digest of its name."""
    digest = hashlib.sha256(f"soundsight executor {executor}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
