"""What an HTTP request asks of a method: its path, query and body as the method's request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from multidict import MultiMapping

from soundsight_gateway.http.rules import WHOLE_BODY, Rule
from soundsight_kit.errors import MAX_MESSAGE_CHARS, InvalidArgument

BAD_QUERY: Final = "BAD_QUERY"

_AS_TEXT: Final = frozenset(
    {
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "google.protobuf.FieldMask",
    }
)
"""Messages that JSON, and so a query, writes as one text."""


def request_of(
    rule: Rule, path: Mapping[str, str], query: MultiMapping[str], body: bytes
) -> Message:
    """The request of a rule's method.

    The path has the last word, as the annotations' specification wants it.

    Args:
        path: values of the path's variables, by field.
        query: parameters: paths of fields in either spelling, repeated for repeated fields.
        body: JSON, or nothing.

    Raises InvalidArgument for what the method has no field for, and for values that do not fit.
    """
    request: Message = GetMessageClass(rule.method.input_type)()
    if rule.body == WHOLE_BODY:
        _parse(body, request)
    elif rule.body:
        part = getattr(request, rule.body)
        part.SetInParent()
        _parse(body, part)
    elif body:
        raise body_not_taken()
    read_query(request, query, _in_query(rule, path))
    for field, value in path.items():
        json_format.ParseDict({field: value}, request)
    return request


def _parse(body: bytes, message: Message) -> None:
    try:
        if body and not body.lstrip().startswith(b"{"):
            raise json_format.ParseError("it is no object")
        json_format.Parse(body or b"{}", message)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise InvalidArgument(
            # Which may hold what stands in the body, however long that is.
            f"the body is no {message.DESCRIPTOR.full_name} in protobuf JSON: {error}"[
                :MAX_MESSAGE_CHARS
            ],
            reason="UNREADABLE_REQUEST",
        ) from None


def body_not_taken() -> InvalidArgument:
    """Refuses the body of a request that takes none: it would be left unread."""
    return InvalidArgument("this request takes no body", reason="BODY_NOT_TAKEN")


def _in_query(rule: Rule, path: Collection[str]) -> set[str]:
    """The fields that stand neither in the path nor in the body."""
    if rule.body == WHOLE_BODY:
        return set()
    return {field.name for field in rule.method.input_type.fields} - {*path, rule.body}


def read_query(request: Message, query: MultiMapping[str], fields: Collection[str]) -> None:
    """Sets what parameters name.

    Args:
        fields: of the request, that parameters may name or lead into.

    Raises InvalidArgument for all other parameters, and for values that do not fit.
    """
    given: dict[tuple[str, ...], tuple[str, Any]] = {}
    for parameter, text in query.items():
        found = _path_to(request.DESCRIPTOR, parameter, fields)
        path = tuple(field.json_name for field in found)
        value: Any = _json_value(found[-1], text, parameter)
        if found[-1].is_repeated:
            given.setdefault(path, (parameter, []))[1].append(value)
        elif path in given:
            raise _refused(parameter, "is given more than once")
        else:
            given[path] = (parameter, value)
    for path, (parameter, value) in given.items():
        for name in reversed(path):
            value = {name: value}
        try:
            json_format.ParseDict(value, request)
        except json_format.ParseError as error:
            raise _refused(parameter, f"does not fit: {error}") from None


def _path_to(descriptor: Any, parameter: str, fields: Collection[str]) -> list[Any]:
    """The fields along a parameter's path, from one of the request's own to the one that is set."""
    path: list[Any] = []
    for name in parameter.split("."):
        field = _named(descriptor, name)
        if field is None or (path and path[-1].is_repeated):
            raise _refused(parameter, "is no parameter of this request")
        if not path and field.name not in fields:
            raise _refused(parameter, "stands elsewhere in the request, not in the query")
        path.append(field)
        descriptor = field.message_type
    if descriptor is not None and descriptor.full_name not in _AS_TEXT:
        raise _refused(parameter, "is no single value: name the fields within it")
    return path


def _named(descriptor: Any, name: str) -> Any:
    """A field by its name in either spelling; None when there is none."""
    if descriptor is None:
        return None
    if (field := descriptor.fields_by_name.get(name)) is not None:
        return field
    return next((field for field in descriptor.fields if field.json_name == name), None)


def _json_value(field: Any, text: str, parameter: str) -> str | bool:
    """A parameter's text as protobuf JSON has it: only truth values are no text there."""
    if field.cpp_type != field.CPPTYPE_BOOL:
        return text
    if text not in ("true", "false"):
        raise _refused(parameter, "must be true or false")
    return text == "true"


def _refused(parameter: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"{parameter[:100]} {why}", field=parameter[:100], reason=BAD_QUERY)
