"""What the song suggests: genre families, mood, worlds and the concept of the film."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.song import Song
from soundsight_scenewriter.writing.vocabulary import (
    ELSEWHERE,
    Concept,
    Family,
    Mood,
    Vocabulary,
    World,
)
from soundsight_scenewriter.writing.wishes import Understood

OTHER_FAMILY = "other"
_FILE_GENRE_WEIGHT = 1.2
_INSTRUMENT_WEIGHT = 0.5
_STYLE_WEIGHT = 1.5
# How far from its own mood a concept still fits; valence is the less certain of the two.
_VALENCE_SPREAD, _AROUSAL_SPREAD = 0.5, 0.38
_SHARPNESS = 1.5


@dataclass(frozen=True, slots=True)
class Taste:
    """What the film starts from. `families` has weights 0 to 1, the best one 1."""

    families: Mapping[str, float]
    valence: float
    arousal: float
    mode: int


def _word_in(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _hears(song: Song, family: Family) -> float:
    """How much a song's tags and its file's genre speak for a family of genres."""
    weight = 0.0
    for word in family.words:
        if song.genre and _word_in(word, song.genre):
            weight = max(weight, _FILE_GENRE_WEIGHT * (1.0 if word == song.genre else 0.8))
        for tag in song.tags:
            if _word_in(word, tag.word):
                factor = _INSTRUMENT_WEIGHT if tag.group == "instrument" else 1.0
                exact = 1.0 if word == tag.word else 0.6
                weight = max(weight, tag.weight * factor * exact)
    return weight


def taste(song: Song, tables: Vocabulary, wish: Understood) -> Taste:
    """Reads the song's genre and mood, moved by what the caller's style asks for."""
    heard = {name: _hears(song, family) for name, family in tables.families.items()}
    if wish.family:
        heard[wish.family] = _STYLE_WEIGHT
    best = max(heard.values())
    families = (
        {name: weight / best for name, weight in heard.items() if weight > 0.0}
        if best > 0.0
        else {OTHER_FAMILY: 1.0}
    )
    return Taste(
        families=families,
        valence=min(1.0, max(-1.0, song.valence + wish.valence)),
        arousal=min(1.0, max(-1.0, song.arousal + wish.arousal)),
        mode=song.mode,
    )


def leading_family(tables: Vocabulary, families: Mapping[str, float]) -> Family:
    """The family that a film's look is taken from; the first in the file among equals."""
    return max(tables.families.values(), key=lambda family: families.get(family.name, 0.0))


def nearest_mood(tables: Vocabulary, valence: float, arousal: float) -> Mood:
    """The mood words nearest to a point of the circumplex."""
    return min(
        tables.moods,
        key=lambda mood: math.hypot(mood.valence - valence, mood.arousal - arousal),
    )


def backend_worlds(tables: Vocabulary, settings: Sequence[str]) -> dict[str, World]:
    """The worlds that a backend can film, by its own words for them.

    A setting of the backend that no table knows becomes a world in the words of `elsewhere`.
    Without declared settings words decide: every world is open, by its own name.
    """
    if not settings:
        return {world.name: world for world in tables.worlds.values() if world.name != ELSEWHERE}
    known = {
        word: world
        for world in tables.worlds.values()
        if world.name != ELSEWHERE
        for word in (*world.synonyms, world.name)
    }
    found = {}
    for setting in settings:
        plain = setting.lower().replace("_", " ").replace("-", " ").strip()
        world = known.get(plain) or next(
            (known[word] for word in reversed(plain.split()) if word in known), None
        )
        found[setting] = world or tables.worlds[ELSEWHERE].named(plain)
    return found


def _world_weight(concept: Concept, world: World, families: Mapping[str, float],
                  tables: Vocabulary) -> float:  # fmt: skip
    """How well a concept plays in a world, given the music."""
    liked = _liked(world, families, tables)
    return concept.worlds.get(world.name, 0.0) * (0.4 + 0.6 * liked)


def _liked(world: World, families: Mapping[str, float], tables: Vocabulary) -> float:
    """How much the music's genres like a world."""
    return sum(
        weight * tables.families[name].worlds.get(world.name, 0.1)
        for name, weight in families.items()
    ) / sum(families.values())


def choose_concept(
    tables: Vocabulary, mood: Taste, worlds: Mapping[str, World], dice: Dice
) -> Concept:
    """One of the concepts that suit the song's mood, its genre and what can be filmed."""
    weights = []
    for concept in tables.concepts:
        distance = ((mood.valence - concept.valence) / _VALENCE_SPREAD) ** 2 + (
            (mood.arousal - concept.arousal) / _AROUSAL_SPREAD
        ) ** 2
        genre = max(mood.families.get(name, 0.0) for name in concept.genres)
        place = max(
            _world_weight(concept, world, mood.families, tables) for world in worlds.values()
        )
        if not set(concept.settled) <= {world.name for world in worlds.values()}:
            place = 0.0
        elif not any(world.name in tables.worlds for world in worlds.values()):
            place = 1.0  # no world is known at all: mood and genre alone decide
        weight = (math.exp(-distance / 2.0) + 0.01) * (0.25 + genre) * place
        weights.append(weight**_SHARPNESS)
    return dice.weighted(tables.concepts, weights)


def rank_settings(
    tables: Vocabulary, concept: Concept, mood: Taste, worlds: Mapping[str, World], dice: Dice
) -> list[str]:
    """The backend's settings, the concept's main one first, then those that go with it best."""
    weights = {
        setting: _world_weight(concept, world, mood.families, tables)
        for setting, world in worlds.items()
    }
    fitting = [setting for setting, weight in weights.items() if weight > 0.0]
    if not fitting:
        return [dice.pick(list(worlds))]
    ranked = []
    for name in concept.settled:
        settled = [setting for setting in fitting if worlds[setting].name == name]
        ranked += settled[:1]
        fitting = [setting for setting in fitting if setting not in settled[:1]]
    ranked += _drawn(weights, fitting, dice)
    # Few worlds tire the eye: the music's own favourites among the others follow.
    liked = {setting: _liked(world, mood.families, tables) for setting, world in worlds.items()}
    return [*ranked, *_drawn(liked, [name for name in worlds if name not in ranked], dice)]


def _drawn(weights: Mapping[str, float], names: Sequence[str], dice: Dice) -> list[str]:
    """The names in an order of chance, those of more weight rather first."""
    left, drawn = list(names), list[str]()
    while left:
        chosen = dice.weighted(left, [weights[name] ** 2 for name in left])
        left.remove(chosen)
        drawn.append(chosen)
    return drawn
