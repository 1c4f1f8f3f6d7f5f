"""What a model must answer with, and what is wrong with an answer that will not do."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

_MOST_CHARACTERS = 4_000
_SENTENCE = re.compile(r"[^.!?。！？]+[.!?。！？]*")
_MOST_REPEATS = 2
_THOUGHT = re.compile(r"\s*<think>.*?(</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_MOST_CHARACTERS)
]


class Answer(BaseModel):
    """An answer in JSON; nothing but its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


AnswerT = TypeVar("AnswerT", bound=Answer)


class Unfit(ValueError):
    """An answer that will not do; the message tells the model why, and a person."""


def parse(kind: type[AnswerT], content: str) -> AnswerT:
    """The answer in a message; raises Unfit.

    Two habits are allowed, since servers without JSON schemas let models have them: thoughts in
    `<think>` tags before the answer, and a fence of Markdown around it.
    """
    text = _THOUGHT.sub("", content, count=1).strip() if "<think>" in content else content.strip()
    if not text:
        raise Unfit("the answer was empty")
    fenced = _FENCE.fullmatch(text)
    try:
        return kind.model_validate_json(fenced[1] if fenced else text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the answer"
        raise Unfit(f"the answer was not the JSON asked for: {where}: {first['msg']}") from None


def check_text(text: str, others: Collection[str] = ()) -> None:
    """Raises Unfit for a text that goes in circles, or is another part's, word for word."""
    sentences = [each.strip().casefold() for each in _SENTENCE.findall(text) if each.strip()]
    if any(sentences.count(each) > _MOST_REPEATS for each in set(sentences)):
        raise Unfit("the answer said the same sentence over and over")
    if text.casefold() in others:
        raise Unfit("the answer repeated the text of another part")
