"""The one interceptor around every call that is served.

It binds the caller's ids and trace, counts and logs the call, and maps whatever it raises to a
status with details. No traceback leaves the process: what nobody expected is logged with an
incident id, and the caller gets the id.
"""

from __future__ import annotations

import asyncio
import errno
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import structlog
from grpc_status import rpc_status
from obstore.exceptions import BaseError as StoreError

from soundsight_kit import metrics
from soundsight_kit.context import bind_ids, ids_from_metadata
from soundsight_kit.errors import (
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    SoundsightError,
    Unavailable,
    status_from_error,
)
from soundsight_kit.tracing import server_span

log = structlog.get_logger()

_SILENT_SERVICES = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")
"""Asked all the time by machines: counted, but not logged."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """See the module's docstring."""

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

            async def stream(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
                async with _guarded(method, context):
                    responses = behaviour(request, context)
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
            return make(stream, handler.request_deserializer, handler.response_serializer)
        behaviour = handler.unary_unary or handler.stream_unary

        async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            async with _guarded(method, context):
                return await behaviour(request, context)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(unary, handler.request_deserializer, handler.response_serializer)


@asynccontextmanager
async def _guarded(method: str, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[None]:
    _, service, name = method.split("/", 2)
    metadata = dict(context.invocation_metadata() or ())
    began = time.monotonic()
    code = "OK"
    metrics.rpc_started(service, name)
    with bind_ids(**ids_from_metadata(metadata)), server_span(method, metadata):
        try:
            yield
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except grpc.aio.AbortError:
            code = getattr(context.code(), "name", "UNKNOWN")
            raise
        except Exception as raised:
            error = expected(raised) or _incident(method, raised)
            code = error.code.name
            await context.abort_with_status(_as_grpc_status(error))
        finally:
            duration_s = time.monotonic() - began
            metrics.rpc_ended(service, name, code, duration_s)
            if service not in _SILENT_SERVICES:
                log.info(
                    "call", method=f"{service}/{name}", code=code, seconds=round(duration_s, 3)
                )


def _as_grpc_status(error: SoundsightError) -> grpc.Status:
    status: grpc.Status = rpc_status.to_status(status_from_error(error))  # type: ignore[no-untyped-call]
    return status


def expected(raised: Exception) -> SoundsightError | None:
    """The error that a caller is told for an exception, or None when nobody expected it."""
    if isinstance(raised, SoundsightError):
        return raised
    if isinstance(raised, TimeoutError):
        return DeadlineExceeded(str(raised) or "the work took too long")
    if isinstance(raised, OSError) and raised.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(
            "the disk is full; make room and try again", reason="DISK_FULL", retry_after_s=60.0
        )
    if isinstance(raised, StoreError):
        reason = str(raised).splitlines()[0][:200] if str(raised) else type(raised).__name__
        return Unavailable(
            f"the artifact store does not answer as it should: {reason}",
            reason="ARTIFACT_STORE",
            retry_after_s=5.0,
        )
    return None


def _incident(method: str, raised: Exception) -> SoundsightError:
    incident = uuid.uuid4().hex[:12]
    log.error("unexpected error", method=method, incident=incident, exc_info=raised)
    return Internal(
        f"an unexpected error; the service's log tells more under incident {incident}",
        reason="UNEXPECTED",
        metadata={"incident": incident},
    )
