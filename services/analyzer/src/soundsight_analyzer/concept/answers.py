"""What the audio language model must answer with, and when its film will not do."""

from __future__ import annotations

from collections.abc import Collection

from soundsight_kit.languagemodel.answers import Answer, Text, Unfit, check_text


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
