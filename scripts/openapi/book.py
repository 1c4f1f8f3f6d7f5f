"""What the parts of the description share while they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from openapi.comments import Comments
from openapi.problems import Failures
from openapi.schemas import Schemas

JSON: Final = "application/json"

Operation = tuple[str, str, dict[str, Any]]
"""A path, a verb in lower case, and what OpenAPI says of it."""


@dataclass(frozen=True, slots=True)
class Book:
    """What operations are described with."""

    comments: Comments
    schemas: Schemas
    failures: Failures
    examples: Mapping[str, Any]
    """Bodies of requests, by the full name of the message."""

    @property
    def file(self) -> dict[str, Any]:
        """The content of a request or a response that is a file."""
        return {"*/*": {"schema": {"type": "string", "format": "binary"}}}

    def answer(self, said: str, kind: Any) -> dict[str, Any]:
        """A response with a message of a type."""
        return {"description": said, "content": {JSON: {"schema": self.schemas.ref(kind)}}}
