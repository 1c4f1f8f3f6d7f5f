"""A language model by a script: it answers any JSON schema, the same request always the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from soundsight_kit.testing_languagemodel import Reply, ScriptedModel, says, serving_model

__all__ = [
    "MODEL",
    "Reply",
    "WritingModel",
    "count_of",
    "says",
    "system_of",
    "user_of",
    "writing_model",
]

MODEL = "scripted/writer"

_SYLLABLES = [
    "ba",
    "do",
    "fi",
    "gu",
    "ka",
    "le",
    "mo",
    "nu",
    "pa",
    "ri",
    "so",
    "tu",
    "va",
    "wo",
    "zi",
]
_DOES = """trembles glimmers collapses drifts unfolds hums spins dissolves shivers climbs leans
sways flickers rattles sinks rises scatters breathes freezes blooms"""
_WHERE = """beneath pale curtains
beside wet gravel
above sleeping rooftops
behind tall reeds
near burning candles
under swinging cables
along empty benches
across shallow puddles
inside dusty glass
against green shutters
between parked trams
over stacked crates"""


@dataclass
class WritingModel(ScriptedModel):
    """A model that writes nonsense by the schema, in words that differ from shot to shot."""

    name: str = MODEL

    def answer(self, body: dict[str, Any]) -> Reply:
        """A valid answer that follows from the request alone."""
        told = json.dumps([body["messages"], body["seed"]], sort_keys=True)
        schema = body["response_format"]["json_schema"]["schema"]
        return says(json.dumps(made(schema, random.Random(told))))


def made(schema: dict[str, Any], dice: random.Random, name: str = "") -> Any:
    """A value of a schema, with words that read like its property's name asks."""
    if "enum" in schema:
        return dice.choice(schema["enum"])
    kind = schema["type"]
    if kind == "object":
        return {key: made(value, dice, key) for key, value in schema["properties"].items()}
    if kind == "array":
        count = dice.randint(schema["minItems"], schema["maxItems"])
        values = [made(schema["items"], dice, name) for _ in range(count)]
        return list(dict.fromkeys(values)) if "enum" in schema["items"] else values
    if "pattern" in schema:
        return f"#{dice.randrange(1 << 24):06x}"
    return _words(name, dice)[: schema["maxLength"]]


def _words(name: str, dice: random.Random) -> str:
    """Invented things that do something somewhere: no two alike."""
    first, second = _invented(dice), _invented(dice)
    does = dice.choice(_DOES.split())
    where = f"{dice.choice(_WHERE.splitlines())} of {_invented(dice)} {_invented(dice)}"
    if name in ("subject", "name", "title"):
        return f"the {first} {second}"
    if name == "action":
        return f"{does} {where}"
    return first if name == "mood" else f"a {first} {second} {does} {where}"


def _invented(dice: random.Random) -> str:
    return "".join(dice.choice(_SYLLABLES) for _ in range(4))


def count_of(body: dict[str, Any]) -> int:
    """How many shots a request asks for; 0 for other requests."""
    schema = body["response_format"]["json_schema"]["schema"]
    shots = schema["properties"].get("shots")
    return int(shots["minItems"]) if shots else 0


def system_of(body: dict[str, Any]) -> str:
    """A request's system prompt."""
    assert body["messages"][0]["role"] == "system"
    return str(body["messages"][0]["content"])


def user_of(body: dict[str, Any]) -> str:
    """All that a request says after its system prompt."""
    return "\n".join(str(message["content"]) for message in body["messages"][1:])


@contextmanager
def writing_model() -> Iterator[WritingModel]:
    """A running server on the loopback interface."""
    model = WritingModel()
    with serving_model(model):
        yield model
