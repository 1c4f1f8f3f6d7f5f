"""Requests of methods as HTTP requests, written from their annotations.

The way back of what the gateway's `http` does, and written without it: a client's half of
google/api/http.proto and of protobuf's JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from google.api import annotations_pb2
from google.protobuf import any_pb2, field_mask_pb2, json_format, timestamp_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from soundsight.render.v1 import render_pb2

_VARIABLE = re.compile(r"\{(\w+)=([^}]*)\}")
_YEAR_9999_S = 253_402_300_799


@dataclass(frozen=True)
class HttpRequest:
    """A request, as it goes on the wire."""

    method: str
    target: str
    body: bytes | None = None
    """None sends none."""

    def __str__(self) -> str:
        body = "" if self.body is None else f" {self.body.decode()}"
        return f"{self.method} {self.target}{body}"


@dataclass(frozen=True)
class Spelling:
    """Which of the ways that protobuf's JSON allows a request is written in."""

    proto_names: bool = False
    """`page_size` rather than `pageSize`."""
    enum_numbers: bool = False

    def written(self, message: Message) -> dict[str, Any]:
        """A message as JSON's values."""
        value: dict[str, Any] = json_format.MessageToDict(
            message,
            preserving_proto_field_name=self.proto_names,
            use_integers_for_enums=self.enum_numbers,
        )
        return value


def annotated() -> list[MethodDescriptor]:
    """The methods that can be called over HTTP by their annotations."""
    methods = render_pb2.DESCRIPTOR.services_by_name["RenderService"].methods
    return [method for method in methods if _rule(method).WhichOneof("pattern")]


def patterns(method: MethodDescriptor) -> dict[str, str]:
    """What stands in the path of a method's requests: patterns such as `projects/*`, by field."""
    return dict(_VARIABLE.findall(_template(method)[1]))


def http_request(
    method: MethodDescriptor, message: Message, spelling: Spelling | None = None
) -> HttpRequest:
    """A request of a method over HTTP. What is in the path must fit its pattern."""
    spelling = spelling or Spelling()
    verb, template, taken = _template(method)
    path = _VARIABLE.sub(lambda found: quote(getattr(message, found[1])), template)
    rest = type(message)()
    rest.CopyFrom(message)
    for field in patterns(method):
        rest.ClearField(field)
    if taken == "*":
        return HttpRequest(verb, path, json.dumps(spelling.written(rest)).encode())
    body = None
    if taken:
        body = json.dumps(spelling.written(getattr(rest, taken))).encode()
        rest.ClearField(taken)
    query = urlencode(list(_parameters(spelling.written(rest))))
    return HttpRequest(verb, f"{path}?{query}" if query else path, body)


def make_writable(message: Message) -> None:
    """Makes a message of anything one that JSON has words for, which says all of it."""
    message.DiscardUnknownFields()
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for one in value if field.is_repeated else [value]:
            match one:
                case timestamp_pb2.Timestamp():
                    one.seconds = abs(one.seconds) % _YEAR_9999_S
                    one.nanos = abs(one.nanos) % 10**9
                case field_mask_pb2.FieldMask():
                    one.paths[:] = [re.sub("[^a-z]", "", path) or "x" for path in one.paths]
                case any_pb2.Any():
                    one.Pack(error_details_pb2.ErrorInfo(reason="SOME"))
                case _:
                    make_writable(one)


def _rule(method: MethodDescriptor) -> Any:
    options: Any = method.GetOptions()
    return options.Extensions[annotations_pb2.http]


def _template(method: MethodDescriptor) -> tuple[str, str, str]:
    """A method's verb, path and body, as annotated."""
    rule = _rule(method)
    verb = rule.WhichOneof("pattern")
    return verb.upper(), getattr(rule, verb), rule.body


def _parameters(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _parameters(value, f"{path}{name}.")
            continue
        for one in value if isinstance(value, list) else [value]:
            yield f"{path}{name}", str(one).lower() if isinstance(one, bool) else str(one)
