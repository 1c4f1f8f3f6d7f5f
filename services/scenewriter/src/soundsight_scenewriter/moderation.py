"""The moderation hook: an endpoint that sees every prompt before it is filmed.

It speaks OpenAI's moderations. Without one nothing is sent anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from soundsight_kit.errors import FailedPrecondition, Unavailable
from soundsight_scenewriter.backend import Backend
from soundsight_scenewriter.writing.film import Film, FilmScene, Treatment, Words
from soundsight_scenewriter.writing.prompts import compose_prompt
from soundsight_scenewriter.writing.vocabulary import vocabulary

_AT_ONCE = 32
_TIMEOUT_S = 30.0
_NO_KEY = "none"
FLAGGED = "PROMPT_FLAGGED"
_NEUTRAL_ACTION = "is seen from afar"
_MOST_NAMED = 10


class Moderator(Protocol):
    """Looks at texts."""

    async def objections(self, texts: Sequence[str]) -> list[str]:
        """What is held against each text; empty where nothing is."""
        ...


class NoModerator:
    """Holds nothing against anything."""

    async def objections(self, texts: Sequence[str]) -> list[str]:
        """Nothing, for each text."""
        return [""] * len(texts)


class ModerationEndpoint:
    """Asks an endpoint. Each text is sent once."""

    def __init__(self, url: str, model: str, api_key: str) -> None:
        self._url, self._model, self._key = url, model, api_key
        self._known: dict[str, str] = {}

    async def objections(self, texts: Sequence[str]) -> list[str]:
        """The categories that the endpoint flags.

        Raises Unavailable, MODERATION_UNAVAILABLE, when it does not answer: nothing goes unseen.
        """
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        for first in range(0, len(fresh), _AT_ONCE):
            some = fresh[first : first + _AT_ONCE]
            self._known.update(zip(some, await self._ask(some), strict=True))
        return [self._known[text] for text in texts]

    async def _ask(self, texts: list[str]) -> list[str]:
        from openai import APIError, AsyncOpenAI

        wanted: dict[str, Any] = {"input": texts, **({"model": self._model} if self._model else {})}
        try:
            async with AsyncOpenAI(
                base_url=self._url, api_key=self._key or _NO_KEY, timeout=_TIMEOUT_S
            ) as client:
                answer = await client.moderations.create(**wanted)
            results = list(answer.results)
            if len(results) == len(texts):
                return [_categories(result) for result in results]
            why = f"it judged {len(results)} of {len(texts)} texts"
        except (APIError, ValueError, AttributeError, TypeError) as error:
            why = str(error)[:200]
        raise Unavailable(
            f"the moderation at {self._url} cannot be asked ({why}); no prompt is filmed unseen: "
            "start it, or unset SOUNDSIGHT_SCENEWRITER_MODERATION_URL",
            reason="MODERATION_UNAVAILABLE",
        )


def _categories(result: Any) -> str:
    if not result.flagged:
        return ""
    categories = result.categories
    named = categories if isinstance(categories, dict) else categories.model_dump(by_alias=True)
    return ", ".join(name for name, held in named.items() if held) or "flagged"


def filmed_text(description: str, prompt: str) -> str:
    """What is looked at of a scene: all words that may be filmed."""
    return description if description == prompt else f"{description}\n{prompt}"


async def check_treatment(treatment: Treatment, moderator: Moderator) -> None:
    """Raises FailedPrecondition, PROMPT_FLAGGED, when the treatment is refused."""
    (objection,) = await moderator.objections([treatment_text(treatment)])
    if objection:
        raise FailedPrecondition(
            f"the moderation refuses the treatment ({objection}); change the brief, or the song's "
            "title and tags, that it follows from",
            reason=FLAGGED,
        )


def treatment_text(treatment: Treatment) -> str:
    """All words of a treatment."""
    people = (f"{m.name}, {m.look}, {m.wardrobe}" for m in treatment.cast)
    places = (f"{place.name}: {place.description}" for place in treatment.places)
    lines = (
        treatment.title, treatment.logline, treatment.theme, treatment.look, treatment.period,
        *places, *people, *treatment.motifs, *treatment.arc,
    )  # fmt: skip
    return "\n".join(line for line in lines if line)


async def moderated(film: Film, backend: Backend, moderator: Moderator) -> Film:
    """The film with a neutral scene in the place of each that is refused, and a note of it.

    Raises FailedPrecondition, PROMPT_FLAGGED, when the treatment, or a neutral scene, is refused.
    """
    await check_treatment(film.treatment, moderator)
    refused = await moderator.objections([_text(scene) for scene in film.scenes])
    flagged = {index: why for index, why in enumerate(refused) if why}
    if not flagged:
        return film
    neutral = {index: _neutral(film.scenes[index], backend) for index in flagged}
    for why in await moderator.objections([_text(scene) for scene in neutral.values()]):
        if why:
            raise FailedPrecondition(
                f"the moderation refuses even neutral scenes ({why}); change the brief",
                reason=FLAGGED,
            )
    scenes = tuple(neutral.get(index, scene) for index, scene in enumerate(film.scenes))
    named = [f"s{index + 1:03d} ({why})" for index, why in flagged.items()]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    note = (
        f"The moderation refused {', '.join(named[:_MOST_NAMED])}{more}: neutral scenes of their "
        "places took their place."
    )
    return replace(film, scenes=scenes, notes=(*film.notes, note))


def _text(scene: FilmScene) -> str:
    return filmed_text(scene.words.description, scene.prompt)


def _neutral(scene: FilmScene, backend: Backend) -> FilmScene:
    """The scene's world in the tables' own words: nothing in it is the caller's or a model's."""
    words = scene.staging.place.world.places[0]
    place = replace(scene.staging.place, name=words.name, description=words.description)
    staging = replace(scene.staging, place=place, mood="quiet")
    told = Words(words.name, _NEUTRAL_ACTION, "", f"{words.name} {_NEUTRAL_ACTION}.".capitalize())
    prompt = compose_prompt(
        staging, told, look="", period="", cast={}, backend=backend, tables=vocabulary()
    )
    return replace(scene, staging=staging, words=told, prompt=prompt)
