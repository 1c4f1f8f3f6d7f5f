"""Parameters of requests, and the headers of responses."""

from __future__ import annotations

import re
from typing import Any, Final

from soundsight_gateway import names

TEXT: Final[dict[str, Any]] = {"type": "string"}


def parameter(
    place: str, name: str, said: str, schema: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A parameter of a request.

    Args:
        place: `path`, `query` or `header`.
        said: what is said of it.
        schema: of its value; any text without one.
    """
    described = {"name": name, "in": place, "description": said, "schema": schema or TEXT}
    required = {"required": True} if place == "path" else {}
    return {**described, **required, **more}


PATH_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    name: parameter("path", name, said)
    for name, said in (
        ("project", f"The project: {names.PROJECT_RULE}."),
        ("render", f"The render: {names.RENDER_RULE}."),
        ("upload", f"The caller's name for the upload: {names.UPLOAD_RULE}."),
    )
}
"""What stands in many paths, by name."""
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Accept-Ranges": {
        "description": "Parts can be asked for.",
        "schema": {"type": "string", "const": "bytes"},
    },
    "Content-Disposition": {
        "description": (
            "The file's name. `attachment` for whatever a browser should not show as a page."
        ),
        "schema": TEXT,
    },
    "Content-Range": {
        "description": "`bytes FIRST-LAST/SIZE`; with status 416 `bytes */SIZE`.",
        "schema": TEXT,
    },
    "ETag": {
        "description": "The file's SHA-256 in hexadecimal digits, quoted.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{64}"$'},
    },
    "Retry-After": {
        "description": "Whole seconds after which to try again, where that helps.",
        "schema": {"type": "integer", "minimum": 0},
    },
}
"""Headers of responses, by name."""


def path_parameters(path: str) -> list[dict[str, Any]]:
    """References to the parameters in a path that stand in many."""
    found: list[str] = re.findall(r"\{(\w+)\}", path)
    return [
        {"$ref": f"#/components/parameters/{name}"} for name in found if name in PATH_PARAMETERS
    ]


def headers(*wanted: str) -> dict[str, Any]:
    """References to headers of responses."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in wanted}
