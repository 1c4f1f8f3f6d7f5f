"""The description's schemas take the protobuf JSON of every message, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

import pytest
from google.protobuf import any_pb2, json_format, timestamp_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openapi.checking import Checker
from soundsight.render.v1 import artifacts_pb2, render_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight_gateway import http
from soundsight_gateway.http.problems import problem_of
from soundsight_kit import errors

DESCRIPTION: Final[dict[str, Any]] = json.loads(
    resources.files(http).joinpath("openapi.json").read_text()
)
CHECKER: Final = Checker(DESCRIPTION)
ANSWERS: Final = (
    r.Render,
    r.RenderEvent,
    r.RenderEstimate,
    render_pb2.ListRendersResponse,
    storyboard_pb2.Storyboard,
    artifacts_pb2.UploadResponse,
    artifacts_pb2.GetUploadResponse,
)
"""What the API answers with."""

NO_OBJECTS: Final = ("Any", "Timestamp")
"""Messages whose JSON is not an object of their fields."""

# The messages


def kinds_in(kind: Any) -> Iterator[Any]:
    """The types of messages that one holds, itself first; repeatedly, when it holds one often."""
    yield kind
    for field in kind.fields:
        inner = field.message_type
        if inner is not None and not inner.GetOptions().map_entry and inner.name not in NO_OBJECTS:
            yield from kinds_in(inner)


KINDS: Final = list(
    {kind.full_name: kind for answer in ANSWERS for kind in kinds_in(answer.DESCRIPTOR)}.values()
)


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), max_size=6)


def edges(field: Any) -> list[Any]:
    """Values of a field that is no message: those whose JSON is of a kind of its own."""
    if field.enum_type is not None:
        return [value.number for value in field.enum_type.values]
    values: dict[int, list[Any]] = {
        FieldDescriptor.TYPE_BOOL: [False, True],
        FieldDescriptor.TYPE_BYTES: [b"", b"\xff", b"\xfb\xef", b"abc"],
        FieldDescriptor.TYPE_DOUBLE: [0.0, -0.5, 5e-324, 1.7e308, math.inf, -math.inf, math.nan],
        FieldDescriptor.TYPE_INT32: [0, 7, -(2**31), 2**31 - 1],
        FieldDescriptor.TYPE_INT64: [0, 7, -(2**63), 2**63 - 1],
        FieldDescriptor.TYPE_STRING: ["", "a", "\x00", "é\u2028"],
    }
    return values[field.type]


def made(kind: Any) -> Any:
    """A message of a type, with nothing but what is required."""
    message: Any = GetMessageClass(kind)()
    for name in DESCRIPTION["components"]["schemas"][kind.name].get("required", ()):
        (field,) = [field for field in kind.fields if field.json_name == name]
        if field.message_type is None:
            setattr(message, field.name, edges(field)[1])
        else:
            getattr(message, field.name).CopyFrom(made(field.message_type))
            getattr(message, field.name).SetInParent()
    return message


@st.composite
def filled(draw: st.DrawFn, kind: Any, depth: int = 4) -> Any:
    """Any message of a type that the gateway may send: what is required is there, times are times,
    and details are messages."""
    if kind.name == "Timestamp":
        nanos = draw(st.integers(0, 999_999_999))
        return timestamp_pb2.Timestamp(seconds=draw(st.integers(0, 2**37)), nanos=nanos)
    if kind.name == "Any":
        packed = any_pb2.Any()
        packed.Pack(error_details_pb2.ErrorInfo(reason=draw(texts()), metadata={"a": "b"}))
        return packed
    message = made(kind)
    given_already = {field.name for field, _ in message.ListFields()}
    for field in kind.fields:
        if not draw(st.booleans()) or (field.message_type is not None and not depth):
            continue
        held = getattr(message, field.name)
        if field.message_type is None:
            value = st.sampled_from(edges(field))
            if field.is_repeated:
                held.extend(draw(st.lists(value, max_size=3)))
            elif field.name not in given_already:
                setattr(message, field.name, draw(value))
        elif field.message_type.GetOptions().map_entry:
            held.update(draw(st.dictionaries(texts(), texts(), max_size=2)))
        elif field.is_repeated:
            held.extend(draw(st.lists(filled(field.message_type, depth - 1), max_size=2)))
        else:
            held.CopyFrom(draw(filled(field.message_type, depth - 1)))
            held.SetInParent()
    return message


def as_json(message: Message) -> Any:
    return json.loads(json_format.MessageToJson(message))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_each_value_of_each_field_is_described(kind: Any) -> None:
    """The least and the largest, those that JSON has no numeral for, and every one of an enum."""
    for field in kind.fields:
        for value in [] if field.message_type else edges(field):
            message = made(kind)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            elif value or field.json_name not in as_json(message):
                setattr(message, field.name, value)
            assert CHECKER.complaints(kind.name, as_json(message)) == [], (field.name, value)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_the_gateway_may_send_is_described(answer: type[Message], data: st.DataObject) -> None:
    """Whatever an answer holds, its JSON keeps its schema."""
    message = data.draw(filled(answer.DESCRIPTOR))
    assert CHECKER.complaints(answer.__name__, as_json(message)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_what_no_contract_has_is_refused(kind: Any) -> None:
    """An unknown name, in whatever message it stands, is neither described nor read."""
    value = as_json(made(kind))
    assert CHECKER.complaints(kind.name, value) == []
    assert CHECKER.complaints(kind.name, {**value, "unknown": 1})
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict({"unknown": 1}, GetMessageClass(kind)())


SONG: Final[dict[str, Any]] = {"spec": {"song": {"uri": "s3://b/projects/demo/s"}}}


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        (r.Render, SONG, {"spec": {"song": {}, "quality": "QUALITY_BEST"}}),
        (r.Render, {**SONG, "state": "RENDER_STATE_QUEUED"}, {**SONG, "state": "QUEUED"}),
        (r.Render, {**SONG, "sequence": "7"}, {**SONG, "sequence": "seven"}),
        (r.Render, {**SONG, "labels": {"a": "b"}}, {**SONG, "labels": {"a": 1}}),
        (
            r.Render,
            {**SONG, "createTime": "2026-11-27T03:04:05.678Z"},
            {**SONG, "createTime": "yesterday"},
        ),
        (r.Render, {**SONG, "notes": ["a"]}, {**SONG, "notes": "a"}),
        (
            r.Render,
            {**SONG, "error": {"details": [{"@type": "type.googleapis.com/google.rpc.Help"}]}},
            {**SONG, "error": {"details": [{"reason": "A"}]}},
        ),
        (r.RenderEvent, {"stateChange": {}}, {"stateChange": {}, "progress": {}}),
        (r.RenderEvent, {"preview": {"image": "AAAA"}}, {"preview": {"image": 7}}),
        (r.RenderEvent, {"progress": {"fraction": "NaN"}}, {"progress": {"fraction": "half"}}),
        (
            storyboard_pb2.Storyboard,
            {"scenes": [{"frames": 24}]},
            {"scenes": [{"frames": 24.5}]},
        ),
        (storyboard_pb2.Storyboard, {"frameRate": {"num": 24}}, {"frameRate": 24}),
    ],
)
def test_what_is_wrong_is_refused(kind: type[Message], good: Any, wrong: Any) -> None:
    """By the schema as by the parser, which both take the same with a right value."""
    assert CHECKER.complaints(kind.__name__, good) == []
    json_format.ParseDict(good, kind())
    assert CHECKER.complaints(kind.__name__, wrong)
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict(wrong, kind())


def test_a_render_without_a_song_is_refused() -> None:
    """What the contracts require is required; what the server says is for reading alone."""
    assert CHECKER.complaints("Render", {}) and CHECKER.complaints("Render", {"spec": {}})
    properties = DESCRIPTION["components"]["schemas"]["Render"]["properties"]
    read_only = {name for name, said in properties.items() if said.get("readOnly")}
    assert read_only == set(properties) - {"labels", "spec"}


# Problems

SIMPLE: Final = [
    errors.InvalidArgument,
    errors.FailedPrecondition,
    errors.ResourceExhausted,
    errors.Unavailable,
    errors.Internal,
]


@given(
    st.sampled_from(SIMPLE),
    texts(),
    st.dictionaries(texts(), texts(), max_size=2),
    st.lists(st.tuples(texts(), texts()), max_size=2),
    st.none() | st.floats(0, 1e6),
    st.none() | st.tuples(texts(), texts()),
)
def test_problems_are_described(
    kind: type[errors.SoundsightError],
    message: str,
    metadata: dict[str, str],
    violations: list[tuple[str, str]],
    retry_after_s: float | None,
    resource: tuple[str, str] | None,
) -> None:
    """Whatever an error holds, its problem keeps the schema."""
    error = kind(
        message,
        metadata=metadata,
        field_violations=violations,
        retry_after_s=retry_after_s,
        resource=resource,
    )
    assert CHECKER.complaints("Problem", json.loads(json.dumps(problem_of(error)))) == []


@pytest.mark.parametrize(
    "changed", [{"code": "BROKEN"}, {"status": "404"}, {"violations": [{"field": "a"}]}]
)
def test_what_is_no_problem_is_refused(changed: dict[str, Any]) -> None:
    """A code that is none, a status in words, a violation without a description."""
    problem = problem_of(errors.NotFound("render", "projects/demo/renders/r-1"))
    assert CHECKER.complaints("Problem", problem) == []
    assert CHECKER.complaints("Problem", {**problem, **changed})
