"""The database: SQLite in WAL mode on one machine, Postgres in a cluster.

SQLAlchemy's synchronous engine in a few threads of its own, behind two coroutines. (The workflow
engine takes over the event loop's default threads and shuts them down when it ends.)
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus

from soundsight_gateway import tables
from soundsight_kit.errors import DiskFull, FailedPrecondition, SoundsightError, Unavailable

T = TypeVar("T")

BUSY_TIMEOUT_MS: Final = 30_000
THREADS: Final = 4
SILENCE_S: Final = 20.0
"""A Postgres that does not answer for so long counts as gone: all transactions here are short."""
IDLE_TRANSACTION_S: Final = 5.0
"""A transaction that stands still for so long is ended by Postgres: a gateway that was stopped in
one would keep its rows locked, and with them the work that others want to take over."""
MIGRATION_LOCK: Final = 7_368_001
"""Names the Postgres advisory lock under which migrations run."""


def create_engine(url: str) -> sa.Engine:
    """An engine whose transactions take the write lock at once.

    For SQLite that avoids the deadlock of two readers that both want to write; Postgres locks
    rows.
    """
    if not url.startswith("sqlite:"):
        return _postgres_engine(url, pool_size=THREADS)
    engine = _sqlite_engine(url, isolation_level=None)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A deferred transaction reads one snapshot and never waits for a writer.
        reading = connection.get_execution_options().get("soundsight_read", False)
        connection.exec_driver_sql("BEGIN DEFERRED" if reading else "BEGIN IMMEDIATE")

    return engine


def create_workflow_engine(url: str) -> sa.Engine:
    """An engine for the workflow engine's own tables, which begins transactions its own way.

    It is handed over ready-made because the one that DBOS makes waits for the disk at every
    commit, which WAL mode does not need to survive the death of the process.
    """
    if not url.startswith("sqlite:"):
        return _postgres_engine(url, pool_size=10)
    return _sqlite_engine(url, isolation_level="IMMEDIATE")


def _sqlite_engine(url: str, *, isolation_level: str | None) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=10, max_overflow=10)

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.isolation_level = isolation_level

    return engine


def _postgres_engine(url: str, *, pool_size: int) -> sa.Engine:
    # Connections that an overflow opened are closed when given back, so that it lasts for a burst.
    return sa.create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        creator=lambda: _connect(url),
        pool_size=pool_size,
        max_overflow=10,
        pool_timeout=SILENCE_S,
        pool_pre_ping=True,
    )


def _connect(url: str) -> psycopg.Connection[Any]:
    try:
        connection = BoundedConnection.connect(url, **LINK)
        limit = f"{round(IDLE_TRANSACTION_S * 1000)}ms"
        connection.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (limit,)
        )
        connection.commit()
        return connection
    except psycopg.OperationalError as error:
        # The workflow engine waits for a database that is away only where it recognises these
        # words; libpq says otherwise for a socket or a name that is not there just now, and
        # workflows would be lost.
        raise psycopg.OperationalError(f"{AWAY}: {error}") from error


AWAY: Final = "connection failed"

UNREACHABLE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,  # this gateway stood still for a while
    sqlite3.OperationalError,
    sqlite3.InterfaceError,
)
"""What a database raises that does not answer, rather than refuse."""

LINK: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    # A peer that vanished without a word is found out by the kernel, too.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": round(SILENCE_S * 1000),
}
"""How connections to Postgres are opened, in libpq's words."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is given up when an answer does not come.

    Neither Postgres nor libpq bounds how long a client waits on a link that is up but silent: a
    proxy or a firewall that has forgotten the connection keeps it so. The thread that waits would
    be lost, and with it all work that it does.
    """

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Waits as long as the caller says, for an answer at most SILENCE_S."""
        while True:
            try:
                return super().wait(gen, interval, SILENCE_S if timeout is None else timeout)
            except psycopg.errors._WaitTimeout:
                if timeout is not None:
                    raise
                if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(
                        f"{AWAY}: no answer for {SILENCE_S:g} s"
                    ) from None
                # Nothing was asked: it listens for notifications.


class Database:
    """Runs functions in transactions, off the event loop."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self.is_sqlite = engine.dialect.name == "sqlite"

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Runs `work` in one transaction: all of it happens, or none."""
        return await self._run(self._write, work)

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Runs `work` on one consistent view of the database."""
        return await self._run(self._read, work)

    async def migrate(self) -> None:
        """Brings the tables to this version, or refuses those of a later one."""
        if self.is_sqlite and self._engine.url.database:
            Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        await self.write(_migrate)

    def close(self) -> None:
        """Gives back threads and connections."""
        self._threads.shutdown(wait=True)
        self._engine.dispose()

    async def _run(self, how: Callable[[Callable[[sa.Connection], T]], T], work: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, how, work)
        except sa.exc.TimeoutError as error:
            raise _explain(error) from error
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, UNREACHABLE):
                raise _explain(error) from error
            raise

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        options: dict[str, Any] = {"soundsight_read": True}
        if not self.is_sqlite:
            options["isolation_level"] = "REPEATABLE READ"
        with (
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            return work(connection)


def _migrate(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    tables.schema_version.create(connection, checkfirst=True)
    newest = sa.func.coalesce(sa.func.max(tables.schema_version.c.version), 0)
    version = connection.execute(sa.select(newest)).scalar_one()
    if version > len(tables.MIGRATIONS):
        raise FailedPrecondition(
            f"the database is of version {version}, made by a later Soundsight than this one "
            f"(version {len(tables.MIGRATIONS)}); start that one, or use another database",
            reason="DATABASE_TOO_NEW",
        )
    for step, migration in enumerate(tables.MIGRATIONS[version:], version + 1):
        migration(connection)
        connection.execute(sa.insert(tables.schema_version).values(version=step))


def _explain(error: sa.exc.SQLAlchemyError) -> SoundsightError:
    """What a caller can do about a database that does not do its part."""
    words = str(getattr(error, "orig", error)).lower()
    if "disk is full" in words or "no space left" in words:
        return DiskFull("the disk that holds the job store is full; make room and try again")
    if "readonly" in words or "read-only" in words:
        return FailedPrecondition(
            "the job store cannot be written; check the permissions of its folder",
            reason="STORE_READ_ONLY",
        )
    return Unavailable(
        "the job store does not answer; try again", reason="STORE_UNAVAILABLE", retry_after_s=2.0
    )
