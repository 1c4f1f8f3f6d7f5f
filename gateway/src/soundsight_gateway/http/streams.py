"""Events of a render over HTTP: server-sent events for browsers, lines of JSON for all others."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol

import grpc
from aiohttp import web
from google.protobuf import json_format

from soundsight.render.v1 import render_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway.http.problems import problem_of
from soundsight_kit.errors import InvalidArgument, SoundsightError
from soundsight_kit.faults import error_from_exception

EVENT: Final = r.RenderEvent.DESCRIPTOR.full_name
"""What streams consist of."""
PROMPT_S: Final = 1.0
"""A stream begins after this time at the latest. What fails before has a status of its own."""
SILENCE_S: Final = 15.0
"""How often a stream with nothing to say shows that it lives: proxies end what is idle."""

_EVENTS: Final = "text/event-stream"
_LINES: Final = "application/x-ndjson"
_ID: Final = re.compile("[0-9]{1,18}")


class Framing(Protocol):
    """How events are written."""

    media_type: str
    still_here: bytes
    """Written in silence."""
    status_of_nothing: int
    """The status of a stream that ends without any event."""

    def resume(self, message: render_pb2.WatchRenderRequest) -> None:
        """Has the watch begin where the caller's last one broke."""

    def event(self, event: r.RenderEvent) -> bytes:
        """An event."""

    def failure(self, error: SoundsightError) -> bytes:
        """What ended a stream that had begun."""


def framing_of(request: web.Request) -> Framing:
    """The framing that a request accepts."""
    if _EVENTS in request.headers.get("Accept", ""):
        return _ServerSentEvents(request.headers.get("Last-Event-ID", ""))
    return _Lines()


async def send(
    request: web.Request, framing: Framing, events: AsyncIterator[r.RenderEvent]
) -> web.StreamResponse:
    """Sends a stream to its end.

    Raises what it fails with before it began; later that is its last word.
    """
    response: web.StreamResponse | None = None
    # One task for each event: a wait that is cut short must not end the call it waits for.
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait({coming}, timeout=PROMPT_S if response is None else SILENCE_S)
            if not coming.done():
                if response is None:
                    response = await _begin(request, framing)
                await response.write(framing.still_here)
                continue
            if response is not None and (raised := coming.exception()) is not None:
                await response.write(framing.failure(error_from_exception(raised)))
                return response
            event = coming.result()
            if event is None:
                return response or web.Response(status=framing.status_of_nothing)
            if response is None:
                response = await _begin(request, framing)
            await response.write(framing.event(event))
            coming = asyncio.ensure_future(anext(events, None))
    finally:
        coming.cancel()


@web.middleware
async def outages_as_events(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tells browsers that the gateway is away for a while by a stream that ends.

    An EventSource makes the connection again after a stream, and never after a status of failure.
    """
    framing = framing_of(request)
    if framing.media_type != _EVENTS:
        return await handler(request)
    try:
        return await handler(request)
    except (SoundsightError, grpc.RpcError) as raised:
        error = error_from_exception(raised)
        if error.code != grpc.StatusCode.UNAVAILABLE:
            raise
    response = await _begin(request, framing)
    await response.write(framing.failure(error))
    return response


async def _begin(request: web.Request, framing: Framing) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": framing.media_type,
            "Cache-Control": "no-store",
            # nginx would gather events until its buffer is full.
            "X-Accel-Buffering": "no",
        }
    )
    await response.prepare(request)
    return response


class _ServerSentEvents:
    """The event stream of the HTML standard, 9.2; an `EventSource` of a browser reads it."""

    media_type = _EVENTS
    still_here = b":\n\n"
    status_of_nothing = 204
    """An EventSource connects again after the end, until it gets this."""

    def __init__(self, last_id: str) -> None:
        self._last_id = last_id

    def resume(self, message: render_pb2.WatchRenderRequest) -> None:
        if not self._last_id:
            return
        if not _ID.fullmatch(self._last_id):
            raise InvalidArgument("Last-Event-ID is no id of an event", field="Last-Event-ID")
        message.after_sequence = int(self._last_id)

    def event(self, event: r.RenderEvent) -> bytes:
        value = json_format.MessageToDict(event)
        name = next(iter(value), "message")
        number = f"id: {event.state_change.sequence}\n" if event.HasField("state_change") else ""
        return f"event: {name}\n{number}data: {_line(value)}\n\n".encode()

    def failure(self, error: SoundsightError) -> bytes:
        return f"event: problem\ndata: {_line(problem_of(error))}\n\n".encode()


class _Lines:
    """One JSON object a line."""

    media_type = _LINES
    still_here = b""
    status_of_nothing = 200

    def resume(self, message: render_pb2.WatchRenderRequest) -> None:
        pass

    def event(self, event: r.RenderEvent) -> bytes:
        return f"{_line(json_format.MessageToDict(event))}\n".encode()

    def failure(self, error: SoundsightError) -> bytes:
        return f"{_line({'problem': problem_of(error)})}\n".encode()


def _line(value: dict[str, Any]) -> str:
    # In ASCII: many readers take U+2028 and the like within a text for the end of the line.
    return json.dumps(value, separators=(",", ":"))
