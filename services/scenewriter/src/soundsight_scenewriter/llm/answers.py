"""What the model is asked for: how its answers are read, and the JSON schemas sent along.

Reading is lenient where the schema is strict: a server may not enforce schemas, and what is missing
or named wrongly is then found by `checks` and asked for again with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field

from soundsight_kit.languagemodel.answers import Answer

LINE = 160
_SHORT = 80

Schema = dict[str, Any]


class _Lenient(Answer):
    model_config = ConfigDict(extra="ignore", frozen=True)


class PlaceAnswer(_Lenient):
    """A place."""

    name: str = ""
    setting: str = ""
    description: str = ""


class CastAnswer(_Lenient):
    """Somebody who recurs."""

    name: str = ""
    look: str = ""
    wardrobe: str = ""


class TreatmentAnswer(_Lenient):
    """What holds the film together."""

    title: str = ""
    logline: str = ""
    theme: str = ""
    look: str = ""
    period: str = ""
    palette: list[str] = Field(default_factory=list)
    places: list[PlaceAnswer] = Field(default_factory=list)
    cast: list[CastAnswer] = Field(default_factory=list)
    motifs: list[str] = Field(default_factory=list)


class ArcAnswer(_Lenient):
    """What each of some sections tells."""

    lines: list[str] = Field(default_factory=list)


class ShotAnswer(_Lenient):
    """One shot."""

    subject: str = ""
    action: str = ""
    detail: str = ""
    place: str = ""
    cast: list[str] = Field(default_factory=list)
    size: str = ""
    move: str = ""
    time: str = ""
    weather: str = ""
    mood: str = ""


class ShotsAnswer(_Lenient):
    """Some shots in a row, and the story up to their end."""

    shots: list[ShotAnswer] = Field(default_factory=list)
    so_far: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """The names that a shot may use."""

    places: tuple[str, ...]
    cast: tuple[str, ...]
    sizes: tuple[str, ...]
    moves: tuple[str, ...]
    times: tuple[str, ...]
    weathers: tuple[str, ...]


def _text(least: int, most: int) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most}


def _one_of(names: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(names)}


def _list(items: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def treatment_schema(
    settings: Sequence[str], places: int, *, titled: bool, coloured: bool, cast: bool
) -> Schema:
    """A treatment with so many places; `titled`, `coloured`, `cast`: what the model decides.

    `settings` are those that it chooses from; none where there is no choice.
    """
    properties: dict[str, Schema] = {}
    if titled:
        properties["title"] = _text(3, 60)
    properties |= {
        "logline": _text(20, 240),
        "theme": _text(5, LINE),
        "look": _text(10, LINE),
        "period": _text(3, _SHORT),
    }
    if coloured:
        properties["palette"] = _list({"type": "string", "pattern": "^#[0-9a-f]{6}$"}, 4, 5)
    place: dict[str, Schema] = {"name": _text(3, 50)}
    if settings:
        place["setting"] = _one_of(settings)
    place["description"] = _text(10, LINE)
    properties["places"] = _list(_object(**place), places, places)
    if cast:
        member = _object(name=_text(2, 40), look=_text(5, 120), wardrobe=_text(3, 100))
        properties["cast"] = _list(member, 1, 3)
    properties["motifs"] = _list(_text(3, 60), 1, 3)
    return _object(**properties)


def arc_schema(sections: int) -> Schema:
    """One line for each of so many sections."""
    return _object(lines=_list(_text(10, LINE), sections, sections))


def shot_schema(choices: Choices) -> Schema:
    """One shot with the names that exist."""
    properties = {
        "subject": _text(3, _SHORT),
        "action": _text(3, 120),
        "detail": _text(3, LINE),
        "place": _one_of(choices.places),
    }
    if choices.cast:
        properties["cast"] = _list(_one_of(choices.cast), 0, 2)
    properties |= {
        "size": _one_of(choices.sizes),
        "move": _one_of(choices.moves),
        "time": _one_of(choices.times),
        "weather": _one_of(choices.weathers),
        "mood": _text(3, 30),
    }
    return _object(**properties)


def shots_schema(choices: Choices, count: int) -> Schema:
    """So many shots, and the story so far."""
    return _object(shots=_list(shot_schema(choices), count, count), so_far=_text(10, 240))
