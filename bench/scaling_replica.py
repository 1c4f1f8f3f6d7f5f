"""One videogen replica of the simulation: the services' own table of jobs behind a channel that is
no network, and clips that take their time without a picture being made."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from grpc.aio import AioRpcError, Metadata

from soundsight.common.v1 import implementation_pb2
from soundsight.videogen.v1 import videogen_pb2
from soundsight_kit.errors import (
    STATUS_METADATA_KEY,
    Cancelled,
    SoundsightError,
    Unavailable,
    status_from_error,
)
from soundsight_kit.jobs import Emit, JobTable

FINGERPRINT: Final = "simulated"


@dataclass
class Filmed:
    """What replicas did, all of them together."""

    clips: Counter[str] = field(default_factory=Counter)
    """Times that each clip was filmed to its end."""
    lost: Counter[str] = field(default_factory=Counter)
    """Clips that were broken off, by the reason for which their replica ended."""
    began_s: dict[str, float] = field(default_factory=dict)
    """When each clip was first begun with."""
    filming_s: float = 0.0
    """Spent on clips that were filmed to their end."""


class Replica:
    """A pod of videogen with one slot per GPU, from when it is created to when it is gone.

    Args:
        name: its name, which is its target as well.
        slots: clips that it films at a time.
        queue_limit: clips that may wait there.
        needs_s: how long a clip takes, by its key.
        filmed: where it writes down what it does.
    """

    def __init__(
        self,
        name: str,
        slots: int,
        queue_limit: int,
        needs_s: Callable[[str], float],
        filmed: Filmed,
    ) -> None:
        self.name = name
        self.created_s = asyncio.get_running_loop().time()
        self.ready_s: float | None = None
        self.ended_s: float | None = None
        self.ends_for = ""
        """Why it ends, once it does."""
        self._jobs = JobTable(slots, queue_limit, name="simulated")
        self._slots, self._queue_limit = slots, queue_limit
        self._needs_s = needs_s
        self._filmed = filmed
        self._running: set[str] = set()

    @property
    def answers(self) -> bool:
        """Whether a call gets through to it."""
        return self.ready_s is not None and self.ended_s is None

    @property
    def clips(self) -> int:
        """Clips that it films or holds."""
        load = self._jobs.load()
        return load.busy + load.queued

    def is_ready(self) -> None:
        """Its model is loaded: it serves from now on."""
        self.ready_s = asyncio.get_running_loop().time()

    async def end(self, why: str, grace_s: float) -> None:
        """Ends it as SIGTERM does: what runs may come to its end within the grace, the waiting are
        sent elsewhere. Without any grace it ends as SIGKILL does."""
        self.ends_for = why
        try:
            async with asyncio.timeout(grace_s):
                if grace_s > 0 and self.ready_s is not None:
                    await self._jobs.drain()
        except TimeoutError:
            pass
        self.ended_s = asyncio.get_running_loop().time()
        for key in list(self._running):
            self._jobs.cancel(key)

    # What a stub asks of a channel.

    def unary_unary(self, path: str, **_: Any) -> Callable[..., Awaitable[Any]]:
        """A method that is asked and answers."""
        answers: dict[str, Callable[[], Any]] = {
            "/soundsight.videogen.v1.VideoGenService/GetLoad": self._get_load,
            "/soundsight.common.v1.ImplementationService/GetInfo": self._get_info,
        }

        async def call(request: Any, **_: Any) -> Any:
            if not self.answers:
                raise _as_rpc_error(Unavailable("nobody answers"))
            return answers[path]()

        return call

    def unary_stream(self, path: str, **_: Any) -> Callable[..., _Call]:
        """GenerateClip, which alone is called so."""

        def call(request: videogen_pb2.GenerateClipRequest, **_: Any) -> _Call:
            return _Call(self._generate(request))

        return call

    async def close(self, grace: float | None = None) -> None:
        """There is nothing behind the channel to close."""

    def _get_load(self) -> videogen_pb2.GetLoadResponse:
        load = self._jobs.load()
        return videogen_pb2.GetLoadResponse(
            slots=load.slots, busy=load.busy, queued=load.queued, queue_limit=self._queue_limit
        )

    def _get_info(self) -> implementation_pb2.GetInfoResponse:
        return implementation_pb2.GetInfoResponse(
            implementation="simulated", fingerprint=FINGERPRINT
        )

    async def _generate(
        self, request: videogen_pb2.GenerateClipRequest
    ) -> AsyncIterator[videogen_pb2.GenerateClipResponse]:
        key = request.output_key

        async def work(emit: Emit[videogen_pb2.GenerateClipResponse]) -> None:
            await self._film(key)
            emit(videogen_pb2.GenerateClipResponse(clip=videogen_pb2.Clip()))

        try:
            if not self.answers:
                raise Unavailable("nobody answers")
            async for event in self._jobs.events(key, work, priority=request.priority):
                yield event
        except Cancelled:
            # Nobody cancels here: it is the process that went, and the connection with it.
            raise _as_rpc_error(Unavailable("the connection broke")) from None
        except SoundsightError as error:
            raise _as_rpc_error(error) from None

    async def _film(self, key: str) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._filmed.began_s.setdefault(key, began_s)
        self._running.add(key)
        try:
            await asyncio.sleep(self._needs_s(key))
        except asyncio.CancelledError:
            self._filmed.lost[self.ends_for] += 1
            raise
        finally:
            self._running.discard(key)
        self._filmed.clips[key] += 1
        self._filmed.filming_s += loop.time() - began_s


class _Call:
    """A streaming call as its caller sees it."""

    def __init__(self, events: AsyncIterator[Any]) -> None:
        self._events = events

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._events

    def cancel(self) -> bool:
        """Those who call are done with it by then: their events are at an end."""
        return False


def _as_rpc_error(error: SoundsightError) -> AioRpcError:
    """An error as it comes out of a channel."""
    details = (STATUS_METADATA_KEY, status_from_error(error).SerializeToString())
    return AioRpcError(error.code, Metadata(), Metadata(details), error.message)
