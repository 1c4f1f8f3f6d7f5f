"""Names of resources and the identifiers inside them: parsed strictly, never guessed at.

Identifiers become parts of artifact keys and workflow ids, so what they may hold is decided here
and nowhere else: lower-case letters, digits and hyphens, no dots, no slashes.
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Self

from soundsight_kit.errors import InvalidArgument

PROJECT_RULE = "1 to 63 lower-case letters, digits and hyphens, starting with a letter"
RENDER_RULE = "4 to 63 lower-case letters, digits and hyphens, no hyphen at either end"
UPLOAD_RULE = "8 to 64 letters, digits and hyphens"

_PROJECT = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RENDER = re.compile(r"[a-z0-9][a-z0-9-]{2,61}[a-z0-9]")
_UPLOAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u to misread


@dataclass(frozen=True, slots=True, order=True)
class RenderRef:
    """Which render: a project's identifier and the render's own."""

    project: str
    render: str

    @property
    def name(self) -> str:
        """The resource name: `projects/{project}/renders/{render}`."""
        return f"projects/{self.project}/renders/{self.render}"

    @property
    def workflow_id(self) -> str:
        """The id of the durable workflow. Renders are unique only within their project."""
        return f"{self.project}/{self.render}"

    @classmethod
    def of_workflow(cls, workflow_id: str) -> Self:
        """The render that a workflow id belongs to: of the render itself or of its children."""
        project, render, *_ = workflow_id.split("/")
        return cls(project, render)


def parse_project(name: str, field: str = "parent") -> str:
    """Returns the identifier in `projects/{project}`.

    Raises InvalidArgument naming `field`.
    """
    parts = name.split("/")
    if len(parts) != 2 or parts[0] != "projects" or not _PROJECT.fullmatch(parts[1]):
        raise InvalidArgument(
            f"{field} must be projects/{{project}} with a project of {PROJECT_RULE}", field=field
        )
    return parts[1]


def parse_render(name: str, field: str = "name") -> RenderRef:
    """Returns the identifiers in `projects/{project}/renders/{render}`.

    Raises InvalidArgument naming `field`.
    """
    parts = name.split("/")
    if (
        len(parts) != 4
        or (parts[0], parts[2]) != ("projects", "renders")
        or not _PROJECT.fullmatch(parts[1])
        or not _RENDER.fullmatch(parts[3])
    ):
        raise InvalidArgument(
            f"{field} must be projects/{{project}}/renders/{{render}}", field=field
        )
    return RenderRef(parts[1], parts[3])


def parse_storyboard(name: str, field: str = "name") -> RenderRef:
    """Returns the identifiers in `projects/{project}/renders/{render}/storyboard`.

    Raises InvalidArgument naming `field`.
    """
    head, slash, last = name.rpartition("/")
    if slash and last == "storyboard":
        try:
            return parse_render(head, field)
        except InvalidArgument:
            pass  # the message below names the whole pattern
    raise InvalidArgument(
        f"{field} must be projects/{{project}}/renders/{{render}}/storyboard", field=field
    )


def check_render_id(text: str, field: str) -> str:
    """Returns `text` when it can be a render's last name segment.

    Raises InvalidArgument naming `field`.
    """
    if not _RENDER.fullmatch(text):
        raise InvalidArgument(f"{field} must be {RENDER_RULE}", field=field)
    return text


def check_upload_id(text: str, field: str) -> str:
    """Returns `text` when it can name an upload.

    Raises InvalidArgument naming `field`.
    """
    if not _UPLOAD.fullmatch(text):
        raise InvalidArgument(f"{field} must be {UPLOAD_RULE}", field=field)
    return text


def check_request_id(text: str, field: str) -> str:
    """Returns a request id in its usual form, `xxxxxxxx-xxxx-...`.

    Raises InvalidArgument naming `field` when it is no UUID.
    """
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        parsed = None
    if parsed is None or text.lower() != str(parsed):
        raise InvalidArgument(
            f"{field} must be a UUID such as 123e4567-e89b-12d3-a456-426614174000", field=field
        )
    return str(parsed)


def new_render_id() -> str:
    """Returns a fresh render id whose order is the order of creation (to the millisecond)."""
    return f"r{_base32(time.time_ns() // 1_000_000, 9)}{_base32(secrets.randbits(40), 8)}"


def _base32(number: int, digits: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * i)) & 31] for i in reversed(range(digits)))
