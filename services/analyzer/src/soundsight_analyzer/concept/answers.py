"""What the model must answer with, and what is wrong with an answer that will not do."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

_MOST_CHARACTERS = 4_000
_SENTENCE = re.compile(r"[^.!?。！？]+[.!?。！？]*")
_MOST_REPEATS = 2

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_MOST_CHARACTERS)
]


class Answer(BaseModel):
    """An answer in JSON; nothing but its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Passage(Answer):
    """One text."""

    text: Text


class PartText(Answer):
    """What one part tells."""

    number: int
    text: Text


class Film(Answer):
    """The whole and its parts."""

    summary: Text
    parts: list[PartText]


class Unfit(ValueError):
    """An answer that will not do; the message tells the model why, and a person."""


def parse(kind: type[Answer], content: str) -> Any:
    """The answer in a message; raises Unfit.

    Servers without JSON schemas let models wrap their JSON in a fence of Markdown: that is allowed.
    """
    text = content.strip()
    if not text:
        raise Unfit("the answer was empty")
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text, re.DOTALL)
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


def check_film(film: Film, numbers: Collection[int]) -> None:
    """Raises Unfit unless there is one text for each part, and no two alike."""
    if sorted(part.number for part in film.parts) != sorted(numbers):
        wanted = ", ".join(str(number) for number in sorted(numbers))
        raise Unfit(f"the answer must have one text for each of the parts {wanted}")
    seen: set[str] = set()
    for part in film.parts:
        check_text(part.text, seen)
        seen.add(part.text.casefold())
    check_text(film.summary)
