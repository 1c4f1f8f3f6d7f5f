"""Runs the whole suite on one machine: each service a child process on a Unix socket.

The supervisor is a process of its own, so that no command that uses the suite
takes it away from another by ending. It goes when the last command has gone
(see `locks`), when it is told to (SIGTERM), or when a service cannot be kept up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any

from soundsight_cli import locks
from soundsight_cli.child import Child, Service
from soundsight_cli.child import SuiteError as SuiteError
from soundsight_cli.languagemodel import LanguageModel, ModelServer, endpoint_settings
from soundsight_cli.state import StateFolder, SuiteRecord
from soundsight_cli.videomodel import video_settings
from soundsight_kit.artifacts import ArtifactStore

SERVICES = ("analyzer", "scenewriter", "videogen", "composer", "gateway")
"""In the order in which they are started; they are stopped the other way round."""

DRAIN_GRACE_S = 5.0
"""So long a service that is told to end may finish what it does."""
LEFT_TIMEOUT_S = 60.0
"""So long the services of a supervisor that was killed may take to end."""
IDLE_GRACE_S = 2.0
RESTARTS = 5
"""So many restarts within `RESTART_WINDOW_S` are borne before the suite gives up."""
RESTART_WINDOW_S = 120.0
_SOCKETS_PREFIX = "soundsight-"


class Supervisor:
    """Keeps the services of one state folder up.

    Args:
        state: the folder.
        listen: where the gateway listens instead of a Unix socket, such as
            `127.0.0.1:8443`.
        http: where the gateway serves HTTP as well, if anywhere.
        until_idle: whether to end when no command uses the suite any more.
        model: the language model that writes; None for none.
        video_model: the diffusion model that films; empty for the built-in renderer.
    """

    def __init__(
        self,
        state: StateFolder,
        *,
        listen: str | None,
        http: str | None,
        until_idle: bool,
        model: LanguageModel | None = None,
        video_model: str = "",
    ) -> None:
        self._state = state
        self._listen = listen
        self._http = http
        self._until_idle = until_idle
        self._model = model
        self._video_model = video_model

    async def run(self) -> None:
        """Runs the suite until it is told to end or is idle.

        Raises:
            SuiteError: when another suite uses the folder, or a service cannot be kept up.
        """
        self._state.create()
        with locks.exclusive_if_free(self._state.lock) as ours:
            if not ours:
                raise SuiteError(f"a suite already runs on {self._state.root}")
            self._state.forget_record()
            async with self._alone() as lock:
                await self._remove_what_was_left()
                with self._socket_folder() as sockets:
                    services = self._services(sockets)
                    try:
                        await self._run(services, lock)
                    except SuiteError as error:
                        # Commands read the log's last line as soon as the record is gone, and the
                        # line that this process ends with comes later.
                        if self._until_idle:
                            print(f"soundsight: {error}", flush=True)
                        raise
                    finally:
                        self._state.forget_record()
                        for service in reversed(services):
                            await service.stop()
                        await self._remove_what_was_left()

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[int]:
        """Waits until no service of a supervisor that was killed is left; they end by themselves.

        Yields a descriptor: whoever has it open makes the next supervisor wait.

        Raises:
            SuiteError: when one does not end.
        """
        deadline = time.monotonic() + LEFT_TIMEOUT_S
        while True:
            with locks.exclusive_to_hand_on(self._state.services_lock) as lock:
                if lock is not None:
                    yield lock
                    return
            if time.monotonic() > deadline:
                raise SuiteError(
                    f"services of an earlier suite on {self._state.root} do not end; end the "
                    f"processes that have {self._state.services_lock} open, then try again"
                )
            await asyncio.sleep(0.1)

    async def _remove_what_was_left(self) -> None:
        """Removes the work in progress of services that were killed, now or earlier."""
        self._empty_scratch()
        await ArtifactStore.open(self._state.artifacts.as_uri()).discard_abandoned()

    def _empty_scratch(self) -> None:
        shutil.rmtree(self._state.scratch, ignore_errors=True)
        self._state.scratch.mkdir()

    @contextlib.contextmanager
    def _socket_folder(self) -> Iterator[Path]:
        """A folder for the sockets; that of a supervisor which was killed goes first.

        Not below the state folder: a socket's path has at most 107 bytes. A link there leads to it.
        """
        link = self._state.sockets
        if link.is_symlink():
            left = link.readlink()
            if left.name.startswith(_SOCKETS_PREFIX) and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            link.unlink()
        with tempfile.TemporaryDirectory(prefix=_SOCKETS_PREFIX, dir=_socket_root()) as folder:
            link.symlink_to(folder)
            try:
                yield Path(folder)
            finally:
                link.unlink(missing_ok=True)

    async def _run(self, services: Sequence[Child], lock: int) -> None:
        for service in services:
            await service.spawn(lock)
        told = _told_to_end()
        await _first(told.wait(), asyncio.gather(*(service.serving() for service in services)))
        if told.is_set():
            return
        record = SuiteRecord(
            {service.name: service.target for service in services if service.name in SERVICES},
            os.getpid(),
            stays=not self._until_idle,
            model=self._model.label if self._model is not None else "",
            video_model=self._video_model,
        )
        self._state.write_record(record)
        http = f" and http://{self._http}" if self._http else ""
        print(f"soundsight: serving on {record.gateway}{http}", flush=True)
        reasons_to_end: list[Awaitable[Any]] = [
            told.wait(),
            *(self._keep_up(service, lock) for service in services),
        ]
        if self._until_idle:
            reasons_to_end.append(self._idle())
        await _first(*reasons_to_end)

    async def _keep_up(self, service: Child, lock: int) -> None:
        """Restarts a service whose process ends, with growing pauses."""
        while True:
            assert service.process is not None
            code = await service.process.wait()
            now = time.monotonic()
            service.restarts = [t for t in service.restarts if now - t < RESTART_WINDOW_S]
            if len(service.restarts) >= RESTARTS:
                raise SuiteError(f"{service.title} keeps ending: {service.last_words()}")
            pause_s = 0.2 * 3 ** len(service.restarts)
            service.restarts.append(now)
            again = f"starting it again in {pause_s:.1f} s"
            print(f"soundsight: {service.name} ended with {code}; {again}", flush=True)
            await asyncio.sleep(pause_s)
            service.environment = {**service.environment, **service.changes_again}
            await service.spawn(lock)

    async def _idle(self) -> None:
        """Returns when no command holds the lease any more."""
        free_since: float | None = None
        while True:
            await asyncio.sleep(0.25)
            with locks.exclusive_if_free(self._state.lease) as free:
                if not free:
                    free_since = None
                    continue
                free_since = free_since or time.monotonic()
                if time.monotonic() - free_since >= IDLE_GRACE_S:
                    # While the lease is ours no command can begin to use the suite; it
                    # must find no record once it can.
                    self._state.forget_record()
                    return

    def _services(self, sockets: Path) -> list[Child]:
        targets = {name: f"unix:{sockets / name}.sock" for name in SERVICES}
        if self._listen:
            targets["gateway"] = self._listen
        common = {
            **os.environ,
            "SOUNDSIGHT_ARTIFACTS_URL": self._state.artifacts.as_uri(),
            "SOUNDSIGHT_LOG_FORMAT": "json",
            # The suite that follows one that was killed waits until its services have ended.
            "SOUNDSIGHT_DRAIN_GRACE_S": f"{DRAIN_GRACE_S:g}",
        }
        gateway = {
            "SOUNDSIGHT_GATEWAY_DATABASE_URL": f"sqlite:///{self._state.database}",
            "SOUNDSIGHT_GATEWAY_ANALYZER": targets["analyzer"],
            "SOUNDSIGHT_GATEWAY_SCENEWRITER": targets["scenewriter"],
            **({"SOUNDSIGHT_GATEWAY_HTTP_LISTEN": self._http} if self._http else {}),
            "SOUNDSIGHT_GATEWAY_COMPOSER": targets["composer"],
            "SOUNDSIGHT_GATEWAY_VIDEO_ENDPOINTS": targets["videogen"],
            # Renders that nobody waits for stay paused until their command is given again.
            "SOUNDSIGHT_GATEWAY_RECOVER_ON_START": "none" if self._until_idle else "all",
        }
        model = self._model_server(sockets)
        if model is not None:
            writer = model.settings()
        else:
            writer = endpoint_settings(self._model) if self._model is not None else {}
        own = {
            "gateway": gateway,
            "scenewriter": writer,
            "videogen": video_settings(self._video_model),
        }
        services = [
            Service(
                name=name,
                target=targets[name],
                environment={
                    **common,
                    **own.get(name, {}),
                    "SOUNDSIGHT_LISTEN": targets[name],
                    "SOUNDSIGHT_SCRATCH_DIR": str(self._state.scratch / name),
                    # For what libraries put aside on their own.
                    "TMPDIR": str(self._state.scratch / name),
                },
                log=self._state.logs / f"{name}.log",
                scratch=self._state.scratch / name,
                # What commands wait for goes on when the gateway alone has died.
                changes_again=(
                    {"SOUNDSIGHT_GATEWAY_RECOVER_ON_START": "unpaused"} if name == "gateway" else {}
                ),
            )
            for name in SERVICES
        ]
        return [*([model] if model is not None else []), *services]

    def _model_server(self, sockets: Path) -> ModelServer | None:
        """vLLM, where the suite serves the language model itself."""
        if self._model is None or not self._model.source:
            return None
        return ModelServer.of(
            self._model,
            os.environ,
            self._state.logs / "llm.log",
            self._state.scratch / "llm",
            sockets,
            tell=lambda line: print(f"soundsight: {line}", flush=True),
        )


def _socket_root() -> str | None:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return runtime if runtime and len(runtime) < 50 and Path(runtime).is_dir() else None


def _told_to_end() -> asyncio.Event:
    """Returns an event that SIGTERM and SIGINT set."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


async def _first(*work: Awaitable[Any]) -> None:
    """Waits for the first of several to end, drops the others, raises what it raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
