"""The one interceptor around every call that is served.

It binds the caller's ids and trace, bounds, counts and logs the call, and maps whatever it raises
to a status with details. No traceback leaves the process: what nobody expected is logged with an
incident id, and the caller gets the id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status
from opentelemetry.trace import Span, StatusCode

from soundsight_kit import metrics
from soundsight_kit.context import bind_ids, ids_from_metadata
from soundsight_kit.deadlines import default_deadline
from soundsight_kit.errors import InvalidArgument, SoundsightError, status_from_error
from soundsight_kit.faults import error_from_exception
from soundsight_kit.logs import log
from soundsight_kit.tracing import server_span

_FOR_MACHINES = frozenset({"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"})
"""Asked all the time, or watched for ever: counted, but neither logged nor waited for."""

_FAULTS_OF_OURS = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
)

_Context = grpc.aio.ServicerContext[Any, Any]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of one server; see the module's docstring.

    Args:
        default_deadlines_s: seconds, by full method (`/package.Service/Method`), that a call gets
            whose caller sets no deadline.
        polled: full methods of which only calls that fail are logged.
    """

    def __init__(
        self,
        default_deadlines_s: Mapping[str, float] | None = None,
        polled: Collection[str] = (),
    ) -> None:
        self._default_deadlines_s = dict(default_deadlines_s or {})
        self._polled = frozenset(polled)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait_idle(self) -> None:
        """Returns when no call is under way but those of health and reflection."""
        await self._idle.wait()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the handler of a call, whichever of the four kinds it is."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        if handler.response_streaming:
            behaviour = handler.unary_stream or handler.stream_stream

            async def stream(request: Any, context: _Context) -> None:
                async with self._guarded(method, context):
                    responses = behaviour(_readable(request), context)
                    if not hasattr(responses, "__aiter__"):
                        await responses  # The handler writes by itself, as gRPC's own do.
                        return
                    # Closed at once when the caller goes, so that what it holds is let go.
                    async with aclosing(responses):
                        async for response in responses:
                            await context.write(response)

            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(stream, _reader(handler), handler.response_serializer)
        behaviour = handler.unary_unary or handler.stream_unary

        async def unary(request: Any, context: _Context) -> Any:
            async with self._guarded(method, context):
                return await behaviour(_readable(request), context)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(unary, _reader(handler), handler.response_serializer)

    @asynccontextmanager
    async def _guarded(self, method: str, context: _Context) -> AsyncIterator[None]:
        _, service, name = method.split("/", 2)
        metadata = dict(context.invocation_metadata() or ())
        with bind_ids(**ids_from_metadata(metadata)), server_span(method, metadata) as span:
            async with self._recorded(service, name, context, span) as outcome:
                try:
                    async with default_deadline(context, self._default_deadlines_s.get(method)):
                        yield
                except grpc.aio.AbortError:
                    outcome.code = _code_of(context)
                    raise
                except (Exception, asyncio.CancelledError) as raised:
                    if _was_cancelled(raised):
                        outcome.code = _why_cancelled(context)
                        raise
                    error = error_from_exception(raised)
                    outcome.code = error.code
                    if error.code in _FAULTS_OF_OURS:
                        span.record_exception(raised)
                        log.error(
                            "call failed",
                            method=f"{service}/{name}",
                            incident=error.metadata.get("incident"),
                            exc_info=raised,
                        )
                    await context.abort_with_status(_as_grpc_status(error))

    @asynccontextmanager
    async def _recorded(
        self, service: str, name: str, context: _Context, span: Span
    ) -> AsyncIterator[_Outcome]:
        """Counts a call, ends its span and writes its line in the access log."""
        for_machines = service in _FOR_MACHINES
        if not for_machines:
            self._under_way += 1
            self._idle.clear()
        outcome = _Outcome()
        began_s = time.monotonic()
        metrics.rpc_started(service, name)
        try:
            yield outcome
        finally:
            if outcome.code is None:
                outcome.code = _code_of(context)
            duration_s = time.monotonic() - began_s
            metrics.rpc_ended(service, name, outcome.code.name, duration_s)
            span.set_attribute("rpc.grpc.status_code", outcome.code.value[0])
            if outcome.code in _FAULTS_OF_OURS:
                span.set_status(StatusCode.ERROR)
            if not for_machines:
                self._under_way -= 1
                if self._under_way == 0:
                    self._idle.set()
                if (
                    f"/{service}/{name}" not in self._polled
                    or outcome.code is not grpc.StatusCode.OK
                ):
                    log.info(
                        "call",
                        method=f"{service}/{name}",
                        code=outcome.code.name,
                        seconds=round(duration_s, 3),
                    )


class _Outcome:
    """How a call ended; None while that is the context's to say."""

    code: grpc.StatusCode | None = None


def _code_of(context: _Context) -> grpc.StatusCode:
    """The code that a handler has set itself; OK when it has set none."""
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    # gRPC's asyncio server keeps the bare number.
    return next((each for each in grpc.StatusCode if each.value[0] == code), grpc.StatusCode.OK)


def _was_cancelled(raised: BaseException) -> bool:
    """Whether the call itself is being cancelled, not merely something that it waited for."""
    task = asyncio.current_task()
    return isinstance(raised, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _why_cancelled(context: _Context) -> grpc.StatusCode:
    """A call is cancelled when its caller goes, or when the caller's time is up."""
    remaining_s: float | None = context.time_remaining()
    if remaining_s is not None and remaining_s <= 0:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED


class _Unreadable:
    """Stands for a request whose bytes are no message."""


def _reader(handler: grpc.RpcMethodHandler[Any, Any]) -> Callable[[bytes], Any] | None:
    """Reads requests as a handler does. What cannot be read is told inside the call: gRPC would
    answer with UNKNOWN, without details."""
    read = handler.request_deserializer
    if read is None:
        return None

    def read_or_mark(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _Unreadable()

    return read_or_mark


def _readable(request: Any) -> Any:
    """Gives back a request, or a stream of requests, that could be read.

    Raises InvalidArgument for one that could not; a stream does so when it gets there.
    """
    if isinstance(request, _Unreadable):
        raise InvalidArgument(
            "the request cannot be read: its bytes are no message of this method; generate the "
            "client from this service's contract",
            reason="UNREADABLE_REQUEST",
        )
    return _readable_stream(request) if hasattr(request, "__aiter__") else request


async def _readable_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


def _as_grpc_status(error: SoundsightError) -> grpc.Status:
    status: grpc.Status = rpc_status.to_status(status_from_error(error))  # type: ignore[no-untyped-call]
    return status
