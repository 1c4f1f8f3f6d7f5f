"""Failures: what a call can end with, and the document that tells it (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import grpc

from generate_errors_page import EVERY_CALL
from openapi.comments import Comments
from openapi.parameters import headers
from soundsight_gateway.error_table import TABLE
from soundsight_gateway.http.calls import BODY_TIMEOUT_S, CALL_TIMEOUT_S
from soundsight_gateway.http.files import PAUSE_S
from soundsight_gateway.http.problems import MEDIA_TYPE, status_of
from soundsight_gateway.http.server import CONTINUE, MAX_BODY_BYTES
from soundsight_kit.errors import SoundsightError

_NOT_OVER_HTTP: Final = {"CANCELLED", "DEADLINE_EXCEEDED", "UNREADABLE_REQUEST"}
"""What every call may end with, but is not told so over HTTP: who went away reads no answer, and
the other two are other failures there."""
_IN_HTTP: Final = {
    "`BadRequest`": "`violations`",
    "`RetryInfo`": "`Retry-After`",
    "`ResourceInfo`": "`resource`",
    "`offset_bytes`": "the first byte of `Content-Range`",
    "the header differs from the one": "size, digest or media type differ from those",
    "the stream ended": f"the body ended, or paused for {PAUSE_S:.0f} s,",
}
"""What tables of errors say in gRPC's words."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which a request can fail."""

    status: int
    reason: str
    condition: str
    caller: str
    """What the caller does then."""


FOREIGN: Final = (
    Failure(
        403,
        "FOREIGN_ORIGIN",
        "a web page of another origin asks",
        "has its server ask, or serves both from one host",
    ),
    Failure(
        421,
        "FOREIGN_HOST",
        "the request is for a host that the gateway does not answer for",
        "asks for one of its hosts",
    ),
)
NO_ROUTE: Final = (
    Failure(
        404,
        "NOT_FOUND",
        "no route has such a path: a name in it is empty, or has a colon",
        "corrects the path",
    ),
)
EXPECTS_MORE: Final = (
    Failure(
        417,
        "EXPECTATION_FAILED",
        f"the header `Expect` is another than `{CONTINUE}`",
        "leaves it away",
    ),
)
NO_BODY: Final = (
    Failure(400, "BODY_NOT_TAKEN", "a body is sent where none is taken", "sends none"),
)
JSON_BODY: Final = (
    Failure(
        400,
        "UNREADABLE_REQUEST",
        "the body is no such message in protobuf JSON",
        "corrects what `detail` names",
    ),
    Failure(
        408,
        "BODY_TOO_SLOW",
        f"the body is not there after {BODY_TIMEOUT_S:.0f} s",
        "sends it again, without pauses",
    ),
    Failure(
        413,
        "BODY_TOO_LARGE",
        f"the body is larger than {MAX_BODY_BYTES >> 20} MiB",
        "sends less",
    ),
    Failure(
        415,
        "NOT_JSON",
        "the body's media type is another than `application/json`",
        "sends JSON, and says so in `Content-Type`",
    ),
)
ENCODED: Final = (
    Failure(
        415, "CONTENT_ENCODING", "the body has a `Content-Encoding`", "sends the body as it is"
    ),
)
QUERY: Final = (
    Failure(
        400,
        "BAD_QUERY",
        "a parameter is unknown, given twice, or does not fit; `violations` names it",
        "corrects the parameter",
    ),
)
LATE: Final = (
    Failure(
        504,
        "DEADLINE_EXCEEDED",
        f"the answer is not there after {CALL_TIMEOUT_S:.0f} s",
        "tries again",
    ),
)

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it, with what Soundsight's errors hold.",
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The HTTP status in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "One sentence for a person, in English."},
        "code": {
            "type": "string",
            "description": "The canonical code (google.rpc.Code).",
            "enum": [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK],
        },
        "reason": {"type": "string", "description": "The stable name to program against."},
        "metadata": {
            "type": "object",
            "description": "What a program may want to know about this reason.",
            "additionalProperties": {"type": "string"},
        },
        "violations": {
            "type": "array",
            "description": "What is wrong with which field.",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "Path of the field."},
                    "description": {"type": "string", "description": "What is wrong with it."},
                },
                "required": ["field", "description"],
            },
        },
        "resource": {
            "type": "object",
            "description": "What the error is about.",
            "properties": {
                "type": {"type": "string", "description": "Its kind."},
                "name": {"type": "string", "description": "Its name."},
            },
            "required": ["type", "name"],
        },
        "retryAfterS": {
            "type": "number",
            "description": "Seconds after which to try again, where that helps.",
            "minimum": 0,
        },
    },
    "required": ["type", "title", "status", "detail", "code", "reason"],
}


class Failures:
    """What calls can end with, and the responses that say so."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self._of_calls = tuple(
            self._failure(condition, code, reason or code, caller)
            for condition, code, reason, caller in EVERY_CALL
            if (reason or code) not in _NOT_OVER_HTTP
        )
        self._shared: dict[int, tuple[Failure, ...]] = {}

    @property
    def components(self) -> dict[str, Any]:
        """The responses that operations refer to, by name."""
        return {
            f"Problem{status}": _response(self._shared[status]) for status in sorted(self._shared)
        }

    def of(self, service: str, rpc: str, *, but: str = "") -> tuple[Failure, ...]:
        """What one method's calls can end with, by the gateway's table of errors.

        Args:
            but: a reason to leave out.
        """
        return tuple(
            self._failure(row.condition, row.code, row.reason, row.caller)
            for row in TABLE[service]
            if row.rpc == rpc and row.reason != but
        )

    def responses(self, *failures: Failure) -> dict[str, Any]:
        """Responses by status: of these failures, and of those that every call may end with.

        Those of one status that many operations have are described once, and referred to.
        """
        by_status: dict[int, list[Failure]] = {}
        for failure in (*failures, *NO_ROUTE, *EXPECTS_MORE, *FOREIGN, *self._of_calls):
            by_status.setdefault(failure.status, []).append(failure)
        return {
            str(status): self._one(status, tuple(by_status[status])) for status in sorted(by_status)
        }

    def _one(self, status: int, failures: tuple[Failure, ...]) -> dict[str, Any]:
        common = {*NO_ROUTE, *EXPECTS_MORE, *FOREIGN, *JSON_BODY, *ENCODED, *LATE, *self._of_calls}
        if not common.issuperset(failures):
            return _response(failures)
        if self._shared.setdefault(status, failures) != failures:
            return _response(failures)
        return {"$ref": f"#/components/responses/Problem{status}"}

    def _failure(self, condition: str, code: str, reason: str, caller: str) -> Failure:
        status = status_of(SoundsightError("", code=grpc.StatusCode[code]))
        return Failure(status, reason, self._in_http(condition), self._in_http(caller))

    def _in_http(self, text: str) -> str:
        for word, in_http in _IN_HTTP.items():
            text = text.replace(word, in_http)
        return self._comments.in_json(text)


def _response(failures: Iterable[Failure]) -> dict[str, Any]:
    lines = [
        f"- `{failure.reason}`: {failure.condition} → {failure.caller}" for failure in failures
    ]
    response: dict[str, Any] = {
        "description": "\n".join(lines),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if any("`Retry-After`" in line for line in lines):
        response["headers"] = headers("Retry-After")
    return response
