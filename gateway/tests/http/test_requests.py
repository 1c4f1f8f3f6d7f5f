"""Paths, queries and bodies become the requests that they mean, or are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from soundsight.render.v1 import render_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway.http.requests import request_of
from soundsight_gateway.http.rules import Rule, rules_of
from soundsight_kit.errors import InvalidArgument

RULES: dict[str, Rule] = {
    rule.method.name: rule
    for rule in rules_of(render_pb2.DESCRIPTOR.services_by_name["RenderService"])
}
PARENT = {"parent": "projects/demo"}
NAME = {"name": "projects/demo/renders/one"}


def made(method: str, path: dict[str, str], query: Any = (), body: bytes = b"") -> Any:
    return request_of(RULES[method], path, MultiDict(query), body)


def test_a_body_is_the_field_that_the_annotation_names() -> None:
    """The rest of the request stands in the path and the query, in either spelling."""
    spec = {"seed": "7", "frameRate": {"num": 24, "den": 1}, "quality": "QUALITY_DRAFT"}
    body = json.dumps({"spec": spec, "labels": {"team": "a"}}).encode()
    query = [("renderId", "one"), ("request_id", "two")]
    request = made("CreateRender", PARENT, query, body)
    assert (request.parent, request.render_id, request.request_id) == (
        "projects/demo",
        "one",
        "two",
    )
    assert request.render.spec.seed == 7
    assert request.render.spec.frame_rate.num == 24
    assert dict(request.render.labels) == {"team": "a"}


def test_the_path_has_the_last_word() -> None:
    """What stands in the path is what is meant, whatever the body says."""
    body = b'{"name": "projects/demo/renders/other", "sceneId": "s1", "seed": 3}'
    request = made("RegenerateScene", NAME, body=body)
    assert request == render_pb2.RegenerateSceneRequest(**NAME, scene_id="s1", seed=3)


def test_a_body_may_be_missing() -> None:
    """Whoever has nothing to add sends nothing."""
    assert made("CancelRender", NAME) == render_pb2.CancelRenderRequest(**NAME)
    assert made("CreateRender", PARENT).HasField("render")


@given(
    st.builds(
        render_pb2.ListRendersRequest,
        parent=st.just("projects/demo"),
        page_size=st.integers(-(2**31), 2**31 - 1),
        page_token=st.text(),
        filter=st.text(),
    )
)
def test_queries_say_what_bodies_would(request: render_pb2.ListRendersRequest) -> None:
    """Any value of any field arrives as it was."""
    query = {"pageSize": str(request.page_size), "page_token": request.page_token}
    assert made("ListRenders", PARENT, {**query, "filter": request.filter}) == request


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("previews=true", "previews", True),
        ("previews=false", "previews", False),
        ("afterSequence=9007199254740993", "after_sequence", 2**53 + 1),
    ],
)
def test_numbers_and_truth_values_are_read(query: str, field: str, value: object) -> None:
    """Exactly: numbers of 64 bits are no floating-point numbers on the way."""
    name, _, text = query.partition("=")
    assert getattr(made("WatchRender", NAME, {name: text}), field) == value


def test_a_mask_is_one_text() -> None:
    """Field masks are written as JSON has them."""
    path = {"name": f"{NAME['name']}/storyboard"}
    request = made("UpdateStoryboard", path, {"updateMask": "treatment,scenes"}, b"{}")
    assert list(request.update_mask.paths) == ["treatment", "scenes"]


@pytest.mark.parametrize(
    ("method", "path", "query", "why"),
    [
        ("ListRenders", PARENT, [("size", "1")], "no parameter"),
        ("ListRenders", PARENT, [("pageSize", "many")], "does not fit"),
        ("ListRenders", PARENT, [("pageSize", "1"), ("pageSize", "2")], "more than once"),
        ("ListRenders", PARENT, [("pageSize", "1"), ("page_size", "2")], "more than once"),
        ("ListRenders", PARENT, [("parent", "projects/other")], "not in the query"),
        ("ListRenders", PARENT, [("pageSize.x", "1")], "no parameter"),
        ("ListRenders", PARENT, [("", "1")], "no parameter"),
        ("WatchRender", NAME, [("previews", "1")], "true or false"),
        ("CancelRender", NAME, [("name", "x")], "not in the query"),
        ("CreateRender", PARENT, [("render.spec.seed", "1")], "not in the query"),
    ],
)
def test_what_a_query_cannot_mean_is_refused(
    method: str, path: dict[str, str], query: list[tuple[str, str]], why: str
) -> None:
    """With the parameter's name, and nothing is guessed."""
    with pytest.raises(InvalidArgument, match=why) as raised:
        made(method, path, query)
    assert raised.value.reason == "BAD_QUERY"
    assert raised.value.field_violations[0][0] == query[-1][0]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b'{"unknown": 1}',
        b'{"spec": {"seed": 1, "seed": 2}}',
        b'{"spec": {"seed": 1.5}}',
        b'{"spec": {"quality": "QUALITY_NONE"}}',
        b'{"labels": [1]}',
        b'{"spec":' * 200 + b"1" + b"}" * 200,
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    """Whatever is wrong with it, the caller is told."""
    with pytest.raises(InvalidArgument) as raised:
        made("CreateRender", PARENT, body=body)
    assert raised.value.reason == "UNREADABLE_REQUEST"


def test_a_body_where_none_is_taken_is_refused() -> None:
    """It would be left unread otherwise."""
    with pytest.raises(InvalidArgument, match="no body"):
        made("GetRender", NAME, body=b"{}")


@given(st.builds(r.Render, labels=st.dictionaries(st.text(), st.text(), max_size=3)))
def test_bodies_hold_any_text(render: r.Render) -> None:
    """Labels of any letters arrive as they were."""
    body = json.dumps({"labels": dict(render.labels)}).encode()
    assert made("CreateRender", PARENT, body=body).render == render


@pytest.mark.parametrize("body", [{"x" * 100_000: 1}, {"spec": {"quality": "x" * 100_000}}])
def test_what_is_wrong_is_told_in_short(body: Any) -> None:
    """However much of it there is, not all is sent back."""
    with pytest.raises(InvalidArgument) as raised:
        made("CreateRender", PARENT, body=json.dumps(body).encode())
    assert len(raised.value.message) < 2000
