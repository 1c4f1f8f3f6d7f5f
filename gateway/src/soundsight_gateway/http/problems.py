"""Errors over HTTP: problem details (RFC 9457), made of the same errors that gRPC callers get."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import grpc
from aiohttp import web

from soundsight_gateway.http import metrics
from soundsight_kit.errors import SoundsightError
from soundsight_kit.faults import error_from_exception
from soundsight_kit.logs import log

MEDIA_TYPE: Final = "application/problem+json"
CLIENT_CLOSED_REQUEST: Final = 499

_C = grpc.StatusCode
_STATUS: Final = {
    _C.INVALID_ARGUMENT: 400,
    _C.FAILED_PRECONDITION: 400,
    _C.OUT_OF_RANGE: 400,
    _C.UNAUTHENTICATED: 401,
    _C.PERMISSION_DENIED: 403,
    _C.NOT_FOUND: 404,
    _C.ABORTED: 409,
    _C.ALREADY_EXISTS: 409,
    _C.RESOURCE_EXHAUSTED: 429,
    _C.CANCELLED: CLIENT_CLOSED_REQUEST,
    _C.UNIMPLEMENTED: 501,
    _C.UNAVAILABLE: 503,
    _C.DEADLINE_EXCEEDED: 504,
}
"""HTTP statuses as google/rpc/code.proto maps them; all other codes are 500."""


class Refused(SoundsightError):
    """A request that HTTP itself has a status for: it never becomes a call."""

    def __init__(
        self, status: HTTPStatus, message: str, *, reason: str, code: grpc.StatusCode
    ) -> None:
        super().__init__(message, reason=reason, code=code)
        self.status = status


def status_of(error: SoundsightError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, Refused):
        return error.status
    return _STATUS.get(error.code, 500)


def problem_of(error: SoundsightError) -> dict[str, Any]:
    """An error as the members of a problem document."""
    status = status_of(error)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": _phrase(status),
        "status": int(status),
        "detail": error.message,
        "code": error.code.name,
        "reason": error.reason,
    }
    if error.metadata:
        problem["metadata"] = error.metadata
    if error.field_violations:
        problem["violations"] = [
            {"field": field, "description": description}
            for field, description in error.field_violations
        ]
    if error.resource is not None:
        problem["resource"] = dict(zip(("type", "name"), error.resource, strict=True))
    if error.retry_after_s is not None:
        problem["retryAfterS"] = error.retry_after_s
    return problem


def _phrase(status: int) -> str:
    """A status in words; that of a caller who has left is not among the standard's."""
    return "Client Closed Request" if status == CLIENT_CLOSED_REQUEST else HTTPStatus(status).phrase


def response_of(error: SoundsightError) -> web.Response:
    """The answer to a request that failed with `error`."""
    status = status_of(error)
    response = web.json_response(
        problem_of(error),
        status=status,
        reason=_phrase(status),
    )
    response.content_type = MEDIA_TYPE
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return response


@web.middleware
async def errors_as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answers whatever goes wrong with a problem, and counts every answer."""
    try:
        response = await handler(request)
    except web.HTTPException as raised:
        response = response_of(_refusal(raised))
        if "Allow" in raised.headers:
            response.headers["Allow"] = raised.headers["Allow"]
    except ConnectionError:
        raise  # The caller has left: there is nobody to answer.
    except Exception as raised:
        error = error_from_exception(raised)
        if error is not raised and not isinstance(raised, grpc.RpcError):
            log.error(
                "HTTP request failed",
                path=request.path,
                incident=error.metadata.get("incident"),
                exc_info=raised,
            )
        if request.writer.output_size:
            # What has begun is no longer to be answered otherwise: its end is missing, and is seen
            # to be missing.
            raise ConnectionAbortedError("the answer broke off") from raised
        response = response_of(error)
    resource = request.match_info.route.resource
    metrics.answered(request.method, resource.canonical if resource else "", response.status)
    return response


def _refusal(raised: web.HTTPException) -> Refused:
    """What aiohttp refuses by itself, in the API's own words."""
    status = HTTPStatus(raised.status)
    match status:
        case HTTPStatus.NOT_FOUND:
            why = ("there is no such route; GET /openapi.json lists all", "NOT_FOUND", _C.NOT_FOUND)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            why = (
                "this route takes other methods; Allow names them",
                "METHOD_NOT_ALLOWED",
                _C.UNIMPLEMENTED,
            )
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            why = (raised.text or "", "BODY_TOO_LARGE", _C.INVALID_ARGUMENT)
        case _:
            why = (raised.text or status.phrase, status.name, _C.INVALID_ARGUMENT)
    message, reason, code = why
    return Refused(status, message, reason=reason, code=code)
