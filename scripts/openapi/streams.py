"""Streams: the events of a render, as server-sent events or as lines of JSON.

OpenAPI 3.1 has no word for a stream. Its content is described as OpenAPI 3.2 and the registry of
media types (https://spec.openapis.org/registry/media-type/) have it: as an array of what comes one
after the other, a server-sent event as an object of its fields.
"""

from __future__ import annotations

from typing import Any, Final

from openapi.parameters import parameter
from openapi.schemas import Schemas
from soundsight_gateway.http.streams import SILENCE_S

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}


def stream_parameters() -> list[dict[str, Any]]:
    """What a browser sends when it connects again."""
    return [
        parameter(
            "header",
            "Last-Event-ID",
            "For `text/event-stream`: the last `id` that came, which stands for `afterSequence`. "
            "Browsers send it by themselves.",
            {"type": "string", "pattern": "^[0-9]{1,18}$"},
        )
    ]


def stream_responses(kind: Any, schemas: Schemas) -> dict[str, Any]:
    """The responses of a method that answers with a stream of messages of a type."""
    event = schemas.ref(kind)
    names = [field.json_name for field in kind.fields]
    return {
        "200": {
            "description": (
                f"Events as they come. With `Accept: text/event-stream` these are server-sent "
                f"events: `event` is the kind ({', '.join(f'`{name}`' for name in names)}), `id` "
                f"the number of a state change, `data` the {kind.name} on one line; after "
                f"{SILENCE_S:.0f} s of silence comes a comment. Otherwise each line is a "
                f"{kind.name}. What fails once the stream has begun is told at its end: as the "
                "event `problem`, or as a line that holds a `problem`. Server-sent events tell "
                "status 503 that way from the start: an `EventSource` then connects again."
            ),
            "content": {
                "text/event-stream": {"schema": _array(_server_sent(names, event))},
                "application/x-ndjson": {"schema": _array(_line(event))},
            },
        },
        "204": {
            "description": (
                "Only with `Accept: text/event-stream`: the render has ended, and there is nothing "
                "that has not been told. An `EventSource` does not connect again then."
            )
        },
    }


def _array(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _line(event: dict[str, Any]) -> dict[str, Any]:
    failure = {
        "type": "object",
        "properties": {"problem": _PROBLEM},
        "required": ["problem"],
        "additionalProperties": False,
    }
    return {"oneOf": [event, failure]}


def _server_sent(names: list[str], event: dict[str, Any]) -> dict[str, Any]:
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    "event": {"type": "string", "enum": names},
                    "id": {"type": "string", "pattern": "^[0-9]+$"},
                    "data": _json(event),
                },
                "required": ["event", "data"],
            },
            {
                "type": "object",
                "properties": {
                    "event": {"type": "string", "const": "problem"},
                    "data": _json(_PROBLEM),
                },
                "required": ["event", "data"],
            },
        ]
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    """JSON inside a string."""
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
