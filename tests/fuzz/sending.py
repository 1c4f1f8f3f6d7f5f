"""Sends made-up requests to real servers and judges what comes back.

A server runs on the event loop of its `Target`, on a Unix socket; each request is a real call with
a deadline. Whatever was asked, a server may answer, or say in one of the codes meant for callers
what is wrong. It must not fail with INTERNAL or UNKNOWN, hang, blame another server (UNAVAILABLE),
or stop answering health.
"""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, Self

import grpc
from fuzz.strategies import rarely
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError, error_from_rpc

log = logging.getLogger("fuzz")

CASES: Final = int(os.environ.get("SOUNDSIGHT_FUZZ_CASES", "2000"))
SEED: Final = int(os.environ.get("SOUNDSIGHT_FUZZ_SEED", "1"))
"""Always the same, unless another is asked for, as `make fuzz` does."""
PARTS: Final = {
    "analyzer": ("soundsight.analyzer.v1.AnalyzerService",),
    "composer": ("soundsight.composer.v1.ComposerService",),
    "gateway": (
        "soundsight.render.v1.RenderService",
        "soundsight.render.v1.ArtifactService",
        "externalscaler.ExternalScaler",
    ),
    "scenewriter": ("soundsight.scenewriter.v1.SceneWriterService",),
    "videogen": ("soundsight.videogen.v1.VideoGenService",),
}
"""The contracts of each part; `test_{part}.py` sends requests to all their methods."""
EVERYWHERE: Final = "soundsight.common.v1.ImplementationService"
"""The contract that every part keeps."""
DEADLINE_S: Final = 60.0
"""Ample for whatever is refused, and for the first answer of whatever is begun."""
DEADLINE_OF_ALL_S: Final = 300.0
"""Ample for the last answer too: a storyboard of thousands of scenes takes a while."""
TIMEOUT_S: Final = 600 + CASES / 10
"""Of a test: ample for its cases, and for making the one that failed small."""

ANSWER_LOST: Final = "Internal error from Core"
"""What gRPC's Python client says, now and then, when a server answers before all is sent: the
server's own answer is lost there (https://github.com/grpc/grpc/issues/36066)."""

Code = grpc.StatusCode
FORBIDDEN: Final = frozenset(
    {Code.UNKNOWN, Code.INTERNAL, Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE, Code.CANCELLED}
)

Sent = Message | bytes
"""A request: a message, or bytes that may be none."""


class Target:
    """A server under test, its loop, and what it has answered so far.

    Args:
        serve: a context in which the server runs; gives what to connect to.
    """

    def __init__(self, serve: Callable[[], AbstractAsyncContextManager[str]]) -> None:
        self._serving = serve()
        self._runner = asyncio.Runner()
        self._channel: grpc.aio.Channel
        self.answers: Counter[tuple[str, str]] = Counter()
        """Codes and reasons, since the last method was begun with."""

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._channel = self.run(self._connect())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.run(self._channel.close())
            self.run(self._serving.__aexit__(kind, error, trace))
        finally:
            self._runner.__exit__(kind, error, trace)

    def run(self, work: Any) -> Any:
        """Runs a coroutine on the server's loop."""
        return self._runner.get_loop().run_until_complete(work)

    def call(
        self,
        method: MethodDescriptor,
        sent: Sent | Sequence[Sent],
        *,
        to_the_end: bool = False,
    ) -> None:
        """Makes a call and fails unless it ends as a call may end.

        A stream is broken off after its first answer unless it is read `to_the_end`.
        """
        code, error = self.run(self._call(method, sent, to_the_end))
        self.answers[code.name, "" if error is None else error.reason] += 1
        assert code not in FORBIDDEN, f"{method.full_name} ended with {code.name}: {error!r}"

    def offers(self, method: MethodDescriptor) -> bool:
        """Whether a method is there: an empty request tells."""
        empty = request_type(method)()
        sent = [empty] if method.client_streaming else empty
        return bool(self.run(self._call(method, sent, False))[0] != Code.UNIMPLEMENTED)

    def check_health(self) -> None:
        """Fails unless the server says that it serves."""
        self.run(self._check_health())

    async def _connect(self) -> grpc.aio.Channel:
        return open_channel(await self._serving.__aenter__())

    async def _call(
        self, method: MethodDescriptor, sent: Sent | Sequence[Sent], to_the_end: bool
    ) -> tuple[Code, SoundsightError | None]:
        """How a call ended."""
        argument = sent if isinstance(sent, Message | bytes) else _stream(sent)
        deadline_s = DEADLINE_OF_ALL_S if to_the_end else DEADLINE_S
        call = _stub(self._channel, method)(argument, timeout=deadline_s)
        try:
            if method.server_streaming:
                async for _ in call:
                    if not to_the_end:
                        call.cancel()
                        break
            else:
                await call
        except grpc.aio.AioRpcError as error:
            if method.client_streaming and error.details() == ANSWER_LOST:
                return Code.OK, None
            return error.code(), error_from_rpc(error)
        return Code.OK, None

    async def _check_health(self) -> None:
        stub = health_pb2_grpc.HealthStub(self._channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def rpcs(part: str) -> list[MethodDescriptor]:
    """All methods that a part serves."""
    pool = descriptor_pool.Default()
    services = [pool.FindServiceByName(name) for name in (*PARTS[part], EVERYWHERE)]
    return [method for service in services for method in service.methods]


def rpc(part: str, name: str) -> MethodDescriptor:
    """One of a part's methods."""
    return next(method for method in rpcs(part) if method.name == name)


def request_type(method: MethodDescriptor) -> type[Message]:
    """What a method takes."""
    return GetMessageClass(method.input_type)


def fuzz(
    target: Target,
    method: MethodDescriptor,
    sent: st.SearchStrategy[Any],
    *,
    cases: int = CASES,
    to_the_end: bool = False,
) -> None:
    """Makes calls of a method with whatever a strategy gives, until one ends as none may end.

    A failure names the seed that finds it again. Where there is little to vary, a tenth of the
    cases do: in a request without fields, and while a method is not offered at all.
    """
    if not method.input_type.fields or not target.offers(method):
        cases //= 10

    if not to_the_end:
        sent = rarely(_damaged(sent), otherwise=sent)

    @seed(SEED)
    @settings(
        max_examples=max(1, cases),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(sent)
    def send(message: Any) -> None:
        target.call(method, message, to_the_end=to_the_end)

    target.answers.clear()
    try:
        with warnings.catch_warnings():
            # Of large requests, and of servers that draw random numbers of their own meanwhile.
            warnings.simplefilter("ignore", HypothesisWarning)
            send()
        target.check_health()
        log.info("%s, seed %d: %s", short(method), SEED, target.answers.most_common())
    except BaseException as failure:
        failure.add_note(f"again with SOUNDSIGHT_FUZZ_SEED={SEED}")
        raise


def short(method: MethodDescriptor) -> str:
    """A method's name for a test's id."""
    return f"{method.containing_service.name}.{method.name}"


def _stub(channel: grpc.aio.Channel, method: MethodDescriptor) -> Callable[..., Any]:
    kind = (
        f"{'stream' if method.client_streaming else 'unary'}_"
        f"{'stream' if method.server_streaming else 'unary'}"
    )
    path = f"/{method.containing_service.full_name}/{method.name}"
    made: Callable[..., Any] = getattr(channel, kind)(
        path,
        request_serializer=_wire,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    return made


def _wire(sent: Sent) -> bytes:
    return sent if isinstance(sent, bytes) else sent.SerializeToString()


@st.composite
def _damaged(draw: st.DrawFn, sent: st.SearchStrategy[Any]) -> Any:
    """A request of which some bytes are lost or changed."""
    request = draw(sent)
    if not isinstance(request, Message):
        return [_wire(one)[: draw(st.integers(0, 40))] for one in request]
    data = request.SerializeToString()
    at = draw(st.integers(0, len(data)))
    return data[:at] + draw(st.binary(max_size=4)) + data[at + draw(st.integers(0, 4)) :]


async def _stream(messages: Collection[Sent]) -> AsyncIterator[Sent]:
    for message in messages:
        yield message
