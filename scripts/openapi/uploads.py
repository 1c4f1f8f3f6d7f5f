"""The routes of uploads: the body is the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from openapi.book import Book, Operation
from openapi.parameters import parameter, path_parameters
from openapi.problems import ENCODED, LATE, NO_BODY, QUERY, Failure
from soundsight.render.v1.artifacts_pb2 import GetUploadResponse, UploadHeader, UploadResponse
from soundsight_gateway.error_table import ARTIFACT_SERVICE

_PATH: Final = "/v1/projects/{project}/uploads/{upload}"
_LENGTH: Final = Failure(
    411, "LENGTH_REQUIRED", "there is no `Content-Length`", "says how many bytes come"
)


def uploads(book: Book) -> Iterator[Operation]:
    """To send a file, and to ask how much of it came."""
    yield _PATH, "put", _upload(book)
    yield _PATH, "get", _get_upload(book)


def _upload(book: Book) -> dict[str, Any]:
    file_name = UploadHeader.DESCRIPTOR.fields_by_name["file_name"]
    return {
        "tags": ["ArtifactService"],
        "operationId": "Upload",
        "summary": "Stores a file",
        "description": (
            "The body is the file, `Content-Type` its media type; `Content-Length` must be there. "
            "The same bytes stored twice are one artifact.\n\nA broken upload is resumed: ask "
            "GetUpload for `committedBytes`, and send what follows with `Content-Range`."
        ),
        "parameters": [
            *path_parameters(_PATH),
            parameter("query", "fileName", book.schemas.comment(file_name.full_name)),
            parameter(
                "header",
                "Content-Range",
                "`bytes FIRST-LAST/SIZE` of a body that is a part of the file; absent when it is "
                "all of it.",
                {"type": "string", "pattern": r"^bytes \d{1,18}-\d{1,18}/\d{1,18}$"},
            ),
            parameter(
                "header",
                "Repr-Digest",
                "`sha-256=:BASE64:` of the whole file (RFC 9530), which is checked; the same with "
                "each part.",
                example="sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
            ),
        ],
        "requestBody": {"required": True, "content": book.file},
        "responses": {
            "200": book.answer("The file is stored.", UploadResponse.DESCRIPTOR),
            "202": book.answer(
                "The part is stored; more of the file is to come.", GetUploadResponse.DESCRIPTOR
            ),
            **book.failures.responses(
                *book.failures.of(ARTIFACT_SERVICE, "Upload"), *QUERY, _LENGTH, *ENCODED
            ),
        },
    }


def _get_upload(book: Book) -> dict[str, Any]:
    return {
        "tags": ["ArtifactService"],
        "operationId": "GetUpload",
        "summary": "Tells how much of an upload is committed",
        "parameters": path_parameters(_PATH),
        "responses": {
            "200": book.answer("How far it is.", GetUploadResponse.DESCRIPTOR),
            **book.failures.responses(
                *book.failures.of(ARTIFACT_SERVICE, "GetUpload"), *QUERY, *NO_BODY, *LATE
            ),
        },
    }
