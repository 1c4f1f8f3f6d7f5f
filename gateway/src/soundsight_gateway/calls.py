"""Calls to the services: one result at the end of a stream of progress, deadlines, errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from soundsight.common.v1 import common_pb2, implementation_pb2, implementation_pb2_grpc
from soundsight_kit.errors import DeadlineExceeded, Internal, error_from_rpc

INFO_TIMEOUT_S = 10.0

ProgressSink = Callable[[common_pb2.Progress], None]


async def result_of(
    call: Any,
    field: str,
    *,
    silence_timeout_s: float,
    on_progress: ProgressSink,
    on_other: Callable[[Any], None] | None = None,
) -> Any:
    """Returns the result of a streaming call whose events are a oneof named `event`.

    Args:
        call: the running call.
        field: the member of the oneof that holds the result.
        silence_timeout_s: after this long without any event the call counts as dead.
        on_progress: receives the `progress` member.
        on_other: receives events with any other member.

    Raises the error that the service answered with; DeadlineExceeded on silence; Internal when the
    stream ends without a result. A cancelled wait breaks the call: the work behind it goes on for
    its detach grace.
    """
    events = aiter(call)
    result: Any = None
    try:
        while True:
            try:
                async with asyncio.timeout(silence_timeout_s):
                    event = await anext(events)
            except StopAsyncIteration:
                break
            kind = event.WhichOneof("event")
            if kind == "progress":
                on_progress(event.progress)
            elif kind == field:
                result = getattr(event, field)
            elif on_other is not None:
                on_other(event)
    except grpc.RpcError as error:
        raise error_from_rpc(error) from error
    except TimeoutError:
        raise DeadlineExceeded(
            f"no word from the service for {silence_timeout_s:g} s", reason="SERVICE_SILENT"
        ) from None
    finally:
        call.cancel()
    if result is None:
        raise Internal("the service ended its answer without a result", reason="NO_RESULT")
    return result


async def describe(channel: grpc.aio.Channel) -> implementation_pb2.GetInfoResponse:
    """Asks a service what it is. Raises its error."""
    stub = implementation_pb2_grpc.ImplementationServiceStub(channel)
    try:
        info: implementation_pb2.GetInfoResponse = await stub.GetInfo(
            implementation_pb2.GetInfoRequest(), timeout=INFO_TIMEOUT_S
        )
    except grpc.RpcError as error:
        raise error_from_rpc(error) from error
    return info
