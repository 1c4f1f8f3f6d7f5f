"""Routes are what the contract's annotations say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

from soundsight.render.v1 import render_pb2
from soundsight_gateway.http.rules import Rule, rules_of

SERVICE = render_pb2.DESCRIPTOR.services_by_name["RenderService"]


def test_every_annotated_method_has_its_route() -> None:
    """All of the render service, each under its own name."""
    rules = list(rules_of(SERVICE))
    assert [rule.method.name for rule in rules] == [method.name for method in SERVICE.methods]
    assert all(rule.full_method.startswith(f"/{SERVICE.full_name}/") for rule in rules)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/projects/demo/renders", "ListRenders"),
        ("/v1/projects/demo/renders/r-1", "GetRender"),
        ("/v1/projects/demo/renders/r-1:watch", "WatchRender"),
        ("/v1/projects/demo/renders/r-1/storyboard", "GetStoryboard"),
        ("/v1/projects/demo/renders/r-1:unknown", None),
        ("/v1/projects/demo/renders/", None),
        ("/v1/projects/demo/other/renders", None),
        ("/v1/projects//renders", None),
        ("/v1/renders/r-1", None),
    ],
)
def test_a_path_belongs_to_one_method(path: str, method: str | None) -> None:
    """A verb behind a colon is never taken for a part of a name."""
    found = [
        rule.method.name
        for rule in rules_of(SERVICE)
        if rule.verb == "GET" and re.fullmatch(rule.path("(?P<{name}>{regex})"), path)
    ]
    assert found == ([] if method is None else [method])


def _service(**http: str) -> Rule:
    """A service with one method of the given annotation; returns its rule."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    file.dependency.append("google/api/annotations.proto")
    file.message_type.add(name="M").field.add(name="a", number=1, type=9, label=1)
    method = file.service.add(name="S").method.add(name="Do", input_type=".t.M", output_type=".t.M")
    options: Any = method.options
    rule = options.Extensions[annotations_pb2.http]
    for name, value in http.items():
        setattr(rule, name, value)
    pool = descriptor_pool.DescriptorPool()
    for known in ("google/protobuf/descriptor", "google/api/http", "google/api/annotations"):
        copy = descriptor_pb2.FileDescriptorProto()
        descriptor_pool.Default().FindFileByName(f"{known}.proto").CopyToProto(copy)
        pool.Add(copy)
    pool.Add(file)
    (found,) = rules_of(pool.FindServiceByName("t.S"))
    return found


@pytest.mark.parametrize(
    ("template", "path"),
    [("/v1/{a}", "/v1/[^/:]+"), ("/v1/{a=x.y/*}:go", "/v1/x\\.y/[^/:]+:go"), ("/v1/a", "/v1/a")],
)
def test_templates_become_patterns(template: str, path: str) -> None:
    """A variable without a pattern is one segment; literals stand for themselves."""
    assert _service(get=template).path("{regex}") == path


@pytest.mark.parametrize("http", [{"get": "/v1/{a=**}"}, {"get": "/a", "response_body": "a"}])
def test_what_is_not_understood_is_no_route(http: dict[str, str]) -> None:
    """An annotation that needs more fails at start, not in somebody's call."""
    with pytest.raises(ValueError, match="not understood"):
        _service(**http)
