"""Requests that become calls of the gateway's own gRPC server.

Every call goes the way of a gRPC caller's: errors, logs and metrics are made in one place.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import grpc
from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from multidict import MultiDict

from soundsight_gateway.http import streams
from soundsight_gateway.http.problems import Refused
from soundsight_gateway.http.requests import BAD_QUERY, request_of
from soundsight_gateway.http.rules import Rule
from soundsight_kit.errors import InvalidArgument

CALL_TIMEOUT_S: Final = 300.0
"""Longest call with one answer; to estimate a render, its song may have to be decoded first."""

SMALL_BYTES: Final = 1 << 16
"""Largest body that is read at once: a second, and more, may go into one of some megabytes, since
protobuf reads JSON in Python."""
BODY_TIMEOUT_S: Final = 60.0
"""Longest that a body of JSON may be on its way."""

MAX_TRACE_CHARS: Final = 512
"""Longest header of a trace that goes on: what the standard of traces has everybody pass on. gRPC
refuses calls with metadata of some more KiB."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handler_of(rule: Rule, channel: grpc.aio.Channel, large: Executor) -> Handler:
    """The handler of a rule's requests.

    Args:
        channel: over which the rule's method is called.
        large: where large bodies are read. One thread has them take turns, also behind callers that
            have left: no thread can be stopped.

    Raises ValueError for a method that takes a stream, or answers with one of what `streams` does
    not know how to write.
    """
    method = rule.method
    if method.client_streaming or (
        method.server_streaming and method.output_type.full_name != streams.EVENT
    ):
        raise ValueError(f"{rule.full_method} cannot be called over HTTP")
    answer = _answer_stream if method.server_streaming else _answer
    return answer(rule, channel, large)


def _answer(rule: Rule, channel: grpc.aio.Channel, large: Executor) -> Handler:
    method = channel.unary_unary(rule.full_method, *_serializers(rule))

    async def answer(request: web.Request) -> web.StreamResponse:
        message = await _message_of(rule, request, large)
        response = await method(message, timeout=CALL_TIMEOUT_S, metadata=trace_of(request))
        return json_response(response)

    return answer


def _answer_stream(rule: Rule, channel: grpc.aio.Channel, large: Executor) -> Handler:
    method = channel.unary_stream(rule.full_method, *_serializers(rule))

    async def answer(request: web.Request) -> web.StreamResponse:
        message: Any = await _message_of(rule, request, large)
        framing = streams.framing_of(request)
        framing.resume(message)
        call: Any = method(message, metadata=trace_of(request))
        try:
            return await streams.send(request, framing, aiter(call))
        finally:
            call.cancel()

    return answer


def _serializers(rule: Rule) -> tuple[Callable[[Message], bytes], Callable[[bytes], Message]]:
    request: type[Message] = GetMessageClass(rule.method.input_type)
    response: type[Message] = GetMessageClass(rule.method.output_type)
    return request.SerializeToString, response.FromString


def trace_of(request: web.Request) -> list[tuple[str, str]]:
    """The trace that a request belongs to, as a call's metadata."""
    given = [(name, request.headers.get(name, "")) for name in ("traceparent", "tracestate")]
    # Metadata is printable ASCII, or there is no call. Other values belong to no trace.
    return [
        (name, value)
        for name, value in given
        if 0 < len(value) <= MAX_TRACE_CHARS and value.isascii() and value.isprintable()
    ]


def json_response(message: Message) -> web.Response:
    """A message as protobuf JSON."""
    return web.json_response(
        text=json_format.MessageToJson(message, indent=None, ensure_ascii=False)
    )


async def _message_of(rule: Rule, request: web.Request, large: Executor) -> Message:
    """A request's message."""
    body = await _body(request)
    read = functools.partial(request_of, rule, request.match_info, query_of(request), body)
    if len(body) <= SMALL_BYTES:
        return read()
    return await asyncio.get_running_loop().run_in_executor(large, read)


def query_of(request: web.Request) -> MultiDict[str]:
    """The parameters of a request. Raises InvalidArgument for what is no UTF-8.

    aiohttp's own reading would put U+FFFD in its place.
    """
    query = request.rel_url.raw_query_string
    try:
        return MultiDict(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise InvalidArgument("the query is no UTF-8", reason=BAD_QUERY) from None


async def _body(request: web.Request) -> bytes:
    """The body of a request, which is JSON or nothing."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await request.read()
    except TimeoutError:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body was not there after {BODY_TIMEOUT_S:g} s",
            reason="BODY_TOO_SLOW",
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
        ) from None
    if body and request.content_type != "application/json":
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON, and say so: Content-Type: application/json",
            reason="NOT_JSON",
            code=grpc.StatusCode.INVALID_ARGUMENT,
        )
    return body
