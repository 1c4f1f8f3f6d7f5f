"""The routes that give out files: by URI, and the outputs of a render."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from openapi.book import Book, Operation
from openapi.parameters import headers, parameter, path_parameters
from openapi.problems import LATE, NO_BODY, QUERY, Failure
from soundsight_gateway.error_table import ARTIFACT_SERVICE, RENDER_SERVICE
from soundsight_gateway.http.files import OUTPUTS

_NO_SUCH_RANGE: Final = Failure(
    416, "OFFSET_BEYOND_END", "the range begins beyond the file's end", "asks for less"
)
_NOT_MADE: Final = Failure(
    404,
    "NOT_MADE_YET",
    "the render has no such file, or not yet",
    "watches the render until it has ended",
)
_URI: Final = parameter(
    "query", "uri", "The file's URI, as a render or an upload names it.", required=True
)
_OUTPUT: Final = parameter(
    "path", "output", "Which of its files.", {"type": "string", "enum": list(OUTPUTS)}
)
_CONDITION: Final = parameter("header", "If-None-Match", "`ETag` of the file that the caller has.")
_PART: Final = (
    parameter(
        "header",
        "Range",
        "`bytes=FIRST-LAST`: the part that is wanted. Whoever asks for several gets all.",
        example="bytes=0-1023",
    ),
    parameter(
        "header", "If-Range", "`ETag` of the file that the part must be of; otherwise all comes."
    ),
)
_OF_PARTS: Final = ("206", "416")


def downloads(book: Book) -> Iterator[Operation]:
    """GET and HEAD of files."""
    path = "/v1/projects/{project}/artifacts:download"
    failures = book.failures.of(ARTIFACT_SERVICE, "Download", but=_NO_SUCH_RANGE.reason)
    yield path, "get", _get("Download", "a file", path, _URI, failures, book)
    yield path, "head", _head("HeadDownload", "a file", path, _URI, failures, book)

    path = "/v1/projects/{project}/renders/{render}/outputs/{output}"
    failures = (*book.failures.of(RENDER_SERVICE, "GetRender"), _NOT_MADE)
    what = "a file that a render made"
    yield path, "get", _get("GetOutput", what, path, _OUTPUT, failures, book)
    yield path, "head", _head("HeadOutput", what, path, _OUTPUT, failures, book)


def _get(
    name: str,
    what: str,
    path: str,
    which: dict[str, Any],
    failures: tuple[Failure, ...],
    book: Book,
) -> dict[str, Any]:
    about = headers("ETag", "Accept-Ranges", "Content-Disposition")
    problems = book.failures.responses(*failures, *QUERY, *NO_BODY, _NO_SUCH_RANGE, *LATE)
    # Files alone have this status, so it is no reference to what others share.
    problems["416"]["headers"] = headers("Content-Range")
    return {
        "tags": ["ArtifactService"],
        "operationId": name,
        "summary": f"Returns {what}, or a part of it",
        "parameters": [*path_parameters(path), which, _CONDITION, *_PART],
        "responses": {
            "200": {"description": "The file.", "headers": about, "content": book.file},
            "206": {
                "description": "A part of it.",
                "headers": {**about, **headers("Content-Range")},
                "content": book.file,
            },
            "304": {"description": "It is the one that the caller has."},
            **problems,
        },
    }


def _head(
    name: str,
    what: str,
    path: str,
    which: dict[str, Any],
    failures: tuple[Failure, ...],
    book: Book,
) -> dict[str, Any]:
    """What GET gives of the whole file, without its content."""
    asked = _get(name, what, path, which, failures, book)
    return {
        **asked,
        "summary": f"Returns the headers of {what}",
        "parameters": [one for one in asked["parameters"] if one not in _PART],
        "responses": {
            status: {"description": "As with GET, without a body."}
            if int(status) >= 400
            else {key: value for key, value in answer.items() if key != "content"}
            for status, answer in asked["responses"].items()
            if status not in _OF_PARTS
        },
    }
