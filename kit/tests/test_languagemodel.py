"""Answers of language models are read in the habits they have, and prompts know their version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundsight_kit.languagemodel.answers import Answer, Text, Unfit, check_text, parse
from soundsight_kit.languagemodel.endpoint import estimated_tokens
from soundsight_kit.languagemodel.prompts import Prompts, missing_prompt


class Line(Answer):
    """One text."""

    text: Text


WORDS = st.text(min_size=1, max_size=40).filter(lambda word: word.isprintable() and " " not in word)
TEXTS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)


@given(TEXTS, st.sampled_from(["{}", "```json\n{}\n```", "```\n{}```", "<think>{{}}?</think>{}"]))
def test_an_answer_is_read_whatever_is_around_it(text: str, around: str) -> None:
    """Fences and thoughts around the JSON change nothing of what is read."""
    said = json.dumps({"text": text}, ensure_ascii=True)
    assert parse(Line, around.format(said)).text == text


@given(st.text(max_size=300))
def test_what_is_no_answer_is_unfit(content: str) -> None:
    """Any other content is told to be unfit, never another error."""
    with pytest.raises(Unfit):
        parse(Line, content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<think>I shall never stop", "empty"),
        ('{"text": "\\ud800"}', "JSON"),
        ('{"text": ""}', "text"),
        ('{"text": "a", "more": 1}', "more"),
        ('{"text": "a"', "JSON"),
    ],
)
def test_the_reason_is_told(content: str, why: str) -> None:
    """The message says what is wrong, for the model to do better."""
    with pytest.raises(Unfit, match=why):
        parse(Line, content)


def test_circles_and_repeats_are_unfit() -> None:
    """A sentence said three times, and a text that another part has, will not do."""
    check_text("Rain. Rain. Wind.", {"snow."})
    with pytest.raises(Unfit, match="over and over"):
        check_text("Rain. Rain. Rain.")
    with pytest.raises(Unfit, match="repeated"):
        check_text("Snow.", {"snow."})


def test_prompts_know_their_version(tmp_path: Path) -> None:
    """The version follows the texts; slots are filled once, whatever is put in them."""
    (tmp_path / "ask.md").write_text("Say $what to $whom.\n")
    prompts = Prompts(tmp_path, ["ask"])
    assert prompts.fill("ask", what="$whom", whom="me") == "Say $whom to me."
    (tmp_path / "ask.md").write_text("Tell $what to $whom.\n")
    assert Prompts(tmp_path, ["ask"]).version != prompts.version
    assert missing_prompt(tmp_path, ["ask", "other"]) == "other.md"
    assert not missing_prompt(tmp_path, ["ask"])


@given(st.text(max_size=500))
def test_tokens_are_estimated_by_bytes(text: str) -> None:
    """No text is estimated at fewer tokens than a quarter of its bytes."""
    assert estimated_tokens(text) >= len(text.encode()) / 4
