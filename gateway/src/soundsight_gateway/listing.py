"""The words of ListRenders: filters (a small part of AIP-160) and page tokens (AIP-158)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Final

from soundsight.render.v1 import resources_pb2
from soundsight_gateway.names import check_render_id
from soundsight_kit.errors import InvalidArgument

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1000
MAX_FILTER_CHARS: Final = 2000
MAX_TOKEN_CHARS: Final = 400

_TERM = re.compile(
    r"""\s*(?:
        state \s* = \s* "?(?P<state>[A-Za-z_]+)"?
      | labels\.(?P<key>[a-z][a-z0-9_.-]{0,62}) \s* = \s* "(?P<value>(?:[^"\\]|\\["\\])*)"
    )\s*""",
    re.VERBOSE,
)
_AND = re.compile(r"AND(?=\s)")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which renders are meant: those of any of `states`, with all of `labels`."""

    states: frozenset[resources_pb2.RenderState.ValueType] | None = None
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last render of a page: the next page begins after it."""

    create_time_us: int
    render: str


def parse_filter(text: str) -> Filter:
    """Parses `state = NAME` and `labels.KEY = "VALUE"` terms joined by AND.

    Raises InvalidArgument (field `filter`) with what is understood.
    """
    if len(text) > MAX_FILTER_CHARS:
        raise _bad(f"is longer than {MAX_FILTER_CHARS} characters")
    if "\0" in text:
        # No label has one, and Postgres takes none.
        raise _bad("has the control character U+0000 in it")
    states: frozenset[resources_pb2.RenderState.ValueType] | None = None
    labels: dict[str, str] = {}
    position = 0
    while position < len(text) and not text[position:].isspace():
        term = _TERM.match(text, position)
        if term is None:
            raise _bad(f"is not understood at {text[position : position + 40]!r}")
        if term["state"]:
            found = frozenset({_state(term["state"])})
            states = found if states is None else states & found
        else:
            value = re.sub(r"\\(.)", r"\1", term["value"])
            if labels.setdefault(term["key"], value) != value:
                states = frozenset()  # one label cannot have two values
        position = term.end()
        if position < len(text):
            joint = _AND.match(text, position)
            if joint is None:
                raise _bad(f"needs AND before {text[position : position + 40]!r}")
            position = joint.end()
            if not text[position:].strip():
                raise _bad("ends with AND")
    return Filter(states, labels)


def page_size(asked: int) -> int:
    """Entries of a page: 0 means the default, too many means the most.

    Raises InvalidArgument (field `page_size`) when negative.
    """
    if asked < 0:
        raise InvalidArgument(
            f"page_size must be 0 to {MAX_PAGE}; larger ones give {MAX_PAGE}", field="page_size"
        )
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def write_token(cursor: Cursor, scope: str) -> str:
    """The token of the page after `cursor`. `scope` names the list (project and filter)."""
    document = [cursor.create_time_us, cursor.render, _scope_mark(scope)]
    packed = json.dumps(document, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_token(token: str, scope: str) -> Cursor | None:
    """The cursor in a token; None for an empty one.

    Raises InvalidArgument (field `page_token`) for a token of another list, or of nobody's.
    """
    if not token:
        return None
    cursor = _cursor(token, scope) if len(token) <= MAX_TOKEN_CHARS else None
    if cursor is None:
        raise InvalidArgument(
            "page_token must be the next_page_token of a call with the same parent and filter",
            field="page_token",
        )
    return cursor


def _cursor(token: str, scope: str) -> Cursor | None:
    """The cursor in a token; None when no gateway wrote it for this list."""
    try:
        padded = token + "=" * (-len(token) % 4)
        created, render, mark = json.loads(base64.b64decode(padded, b"-_", validate=True))
        check_render_id(render, "page_token")
    except (ValueError, TypeError, binascii.Error, InvalidArgument):
        return None
    # What lies outside does not fit the database's column.
    if not isinstance(created, int) or not 0 <= created < 2**63 or mark != _scope_mark(scope):
        return None
    return Cursor(created, render)


def _scope_mark(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:8]


def _state(name: str) -> resources_pb2.RenderState.ValueType:
    upper = name.upper()
    for candidate in (upper, f"RENDER_STATE_{upper}"):
        if candidate in resources_pb2.RenderState.keys():  # noqa: SIM118 - not a dict
            return resources_pb2.RenderState.Value(candidate)
    names = ", ".join(
        known.removeprefix("RENDER_STATE_") for known in resources_pb2.RenderState.keys()[1:]
    )
    raise _bad(f"names the state {name[:40]!r}, which is none of {names}")


def _bad(why: str) -> InvalidArgument:
    return InvalidArgument(
        f'filter {why}; it takes state = NAME and labels.KEY = "VALUE", joined by AND',
        field="filter",
    )
