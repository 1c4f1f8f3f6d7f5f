"""Names, filters and page tokens are parsed strictly."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import listing, names
from soundsight_kit.errors import InvalidArgument

FILMING, FAILED = r.RENDER_STATE_FILMING, r.RENDER_STATE_FAILED


@pytest.mark.parametrize(
    "name",
    [
        "",
        "projects/demo",
        "projects/demo/renders/",
        "projects/demo/renders/abc",
        "projects/demo/renders/../../x",
        "projects/Demo/renders/abcd",
        "projects/demo/renders/abcd/",
        "projects/demo/renders/-abcd",
        "projects/demo/renders/abcd\n",
        "/projects/demo/renders/abcd",
        "projects/demo/render/abcd",
        "projects/demo/renders/" + "a" * 64,
    ],
)
def test_a_name_of_another_form_is_refused(name: str) -> None:
    """No part of a name may be left out, added, or hold another character."""
    with pytest.raises(InvalidArgument) as caught:
        names.parse_render(name)
    assert caught.value.field_violations[0][0] == "name"


def test_a_name_gives_back_what_it_was_made_of() -> None:
    """Formatting and parsing are inverse."""
    ref = names.RenderRef("demo", names.new_render_id())
    assert names.parse_render(ref.name) == ref
    assert names.parse_storyboard(f"{ref.name}/storyboard") == ref
    assert names.RenderRef.of_workflow(f"{ref.workflow_id}/s001/key/1") == ref


def test_new_render_ids_are_valid_and_differ() -> None:
    """The server's own ids obey the rule for ids."""
    made = {names.new_render_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(names.check_render_id(one, "render_id") == one for one in made)


@pytest.mark.parametrize("text", ["", "x", "{0}", "123e4567e89b12d3a456426614174000"])
def test_a_request_id_is_a_uuid(text: str) -> None:
    """Only the usual form with hyphens counts."""
    with pytest.raises(InvalidArgument):
        names.check_request_id(text, "request_id")


@pytest.mark.parametrize(
    ("text", "states", "labels"),
    [
        ("", None, {}),
        ("state = FILMING", {FILMING}, {}),
        ("state=RENDER_STATE_FAILED", {FAILED}, {}),
        ('labels.team = "a \\"b\\""', None, {"team": 'a "b"'}),
        ('state = failed AND labels.x = "1" AND labels.y.z = ""', {FAILED}, {"x": "1", "y.z": ""}),
        ("state = FAILED AND state = FILMING", set(), {}),
        ('labels.x = "1" AND labels.x = "2"', set(), {"x": "1"}),
    ],
)
def test_filters_mean_what_they_say(
    text: str, states: set[int] | None, labels: dict[str, str]
) -> None:
    """Terms joined by AND all hold; contradicting ones match nothing."""
    parsed = listing.parse_filter(text)
    assert (parsed.states, parsed.labels) == (states, labels)


@pytest.mark.parametrize(
    "text",
    [
        "state",
        "state = FLYING",
        "labels.x = 1",
        "state = FAILED OR state = FILMING",
        'labels.x = "\0"',
        "name = x",
        "state = FAILED AND",
        "state = FAILED state = FAILED",
        'labels.X = "1"',
        "x" * 2001,
    ],
)
def test_a_filter_that_is_not_understood_is_refused(text: str) -> None:
    """Nothing is ignored, since a filter that lets too much through looks like an answer."""
    with pytest.raises(InvalidArgument) as caught:
        listing.parse_filter(text)
    assert caught.value.field_violations[0][0] == "filter"


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_an_invalid_argument(text: str) -> None:
    """No filter crashes the parser."""
    with contextlib.suppress(InvalidArgument):
        listing.parse_filter(text)


@given(st.text(max_size=60))
def test_a_foreign_page_token_is_refused(token: str) -> None:
    """Only tokens of the same list are taken."""
    mine = listing.write_token(listing.Cursor(5, "abcd"), "demo|")
    assert listing.read_token(mine, "demo|") == listing.Cursor(5, "abcd")
    with pytest.raises(InvalidArgument):
        listing.read_token(mine, "demo|state = FAILED")
    if token:
        with pytest.raises(InvalidArgument):
            listing.read_token(token, "demo|")


@pytest.mark.parametrize(
    "cursor", [(2**63, "abcd"), (-1, "abcd"), (5, "a\0cd"), (5, "\ud800bcd"), (5, "")]
)
def test_a_forged_page_token_is_refused(cursor: tuple[int, str]) -> None:
    """What no render can be called, and no time, is not asked of the database."""
    forged = listing.write_token(listing.Cursor(*cursor), "demo|")
    with pytest.raises(InvalidArgument):
        listing.read_token(forged, "demo|")


def test_a_page_token_of_any_depth_is_refused() -> None:
    """A token that nests deeper than a parser follows is one that nobody wrote."""
    nested = base64.urlsafe_b64encode(b"[" * 50_000).decode().rstrip("=")
    with pytest.raises(InvalidArgument):
        listing.read_token(nested, "demo|")
