"""What a whole brief comes to: one reading of its texts, and what the rules cannot do with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from soundsight_scenewriter.backend import Backend
from soundsight_scenewriter.brief import Brief
from soundsight_scenewriter.song import Song
from soundsight_scenewriter.texts import clean, joined
from soundsight_scenewriter.writing.vocabulary import ELSEWHERE, Vocabulary, World, vocabulary
from soundsight_scenewriter.writing.wishes import Understood, content_words, understand

_CLAUSE_END = re.compile(r"[.,;:!?]")
_SETTING_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """A brief as the rules understand it.

    `overall` holds for the whole film, `sections` for single ones (by index), `banned` holds in
    its `not_...` sets what must never be shown, `banned_words` the words to avoid. `objects` are
    must-haves that have to be shown as things, `skies` must-haves that are weather or hours.
    """

    overall: Understood
    sections: Mapping[int, Understood]
    banned: Understood
    banned_words: frozenset[str]
    objects: tuple[str, ...]
    skies: tuple[Understood, ...]
    must_worlds: tuple[str, ...]
    notes: tuple[str, ...]


def read_wishes(brief: Brief, backend: Backend) -> Wanted:
    """Understands all texts of a brief, and notes what the rules cannot honour."""
    notes: list[str] = []
    banned, banned_words = _banned(brief.never_show)
    overall = understand(f"{brief.style}. {brief.setting}")
    overall = _without(overall, banned, "brief.style", notes)
    if not backend.reads_words and overall.unknown:
        known_setting = set(understand(brief.setting).unknown)
        words = [words for words in overall.unknown if words not in known_setting]
        if words:
            notes.append(
                f"Style words that the rules do not know ({joined(words)}) are kept in the look, "
                "but this backend draws from fields and does not read them."
            )
    sections = {}
    for index, text in brief.section_wishes.items():
        wish = _without(understand(text), banned, f"the wish for section {index}", notes)
        sections[index] = _over(wish, overall)
        if wish.unknown and not backend.reads_words:
            notes.append(
                f"Of the wish for section {index} the rules could not use: "
                f"{joined(wish.unknown)}. This backend draws from fields alone."
            )
    objects, skies, must_worlds = [], [], []
    for text in brief.must_have:
        wish = understand(text)
        if wish.unknown or not (wish.weather or wish.time or wish.worlds):
            objects.append(text)
        elif wish.worlds:
            must_worlds += wish.worlds
        else:
            skies.append(_without(wish, banned, f"must_have {text!r}", notes))
    if objects and not backend.reads_words:
        notes.append(
            f"Must be seen, but cannot be drawn by this backend: {joined(objects)}. A backend that "
            "reads prompts can film it."
        )
    notes += _standing_notes(brief, backend)
    return Wanted(
        overall=overall,
        sections=sections,
        banned=banned,
        banned_words=banned_words,
        objects=tuple(objects) if backend.reads_words else (),
        skies=tuple(skies),
        must_worlds=tuple(must_worlds),
        notes=tuple(notes),
    )


def _banned(never_show: Sequence[str]) -> tuple[Understood, frozenset[str]]:
    """What must never be shown; each entry names a thing, so that a plain word bans it."""
    banned = Understood()
    words: set[str] = set()
    for text in never_show:
        wish = understand(text)
        banned.not_weathers |= {wish.weather, *wish.not_weathers} - {""}
        banned.not_times |= {wish.time, *wish.not_times} - {""}
        banned.not_worlds |= {
            world.name
            for world in vocabulary().worlds.values()
            # `the sea` forbids the world, `waves` only what has waves in it.
            if content_words(text) in (content_words(world.name), content_words(world.article))
        }
        words |= content_words(text)
    return banned, frozenset(words)


def _without(wish: Understood, banned: Understood, where: str, notes: list[str]) -> Understood:
    """A wish without what must never be shown, which is the stronger wish."""
    kept = wish
    if wish.weather in banned.not_weathers:
        notes.append(f"{where} asks for {wish.weather}, which never_show forbids: left out.")
        kept = replace(kept, weather="")
    if wish.time in banned.not_times:
        notes.append(f"{where} asks for {wish.time}, which never_show forbids: left out.")
        kept = replace(kept, time="")
    return kept


def _over(wish: Understood, base: Understood) -> Understood:
    """A section's wish; where it says nothing, what holds for the whole film."""
    return replace(
        wish,
        weather=wish.weather or base.weather,
        time=wish.time or base.time,
        size=wish.size or base.size,
        size_step=wish.size_step or base.size_step,
        angle=wish.angle or base.angle,
        move=wish.move or base.move,
        density=wish.density or base.density,
        motion=wish.motion or base.motion,
        mood=wish.mood or base.mood,
    )


def _standing_notes(brief: Brief, backend: Backend) -> list[str]:
    notes = []
    if brief.language and not brief.language.lower().startswith("en"):
        notes.append(
            f"The rules writer writes English; texts in {brief.language} need the language model."
        )
    if brief.story:
        notes.append(
            "The story became logline and arc; the rules writer does not stage it scene by scene."
        )
    if brief.cast and not backend.reads_words:
        notes.append(
            "This backend does not film people: the cast is in the treatment, not in the scenes."
        )
    return notes


def concept_notes(brief: Brief, song: Song) -> list[str]:
    """What became of the wish for the audio model's concept."""
    if not brief.wants_concept:
        return []
    if not song.concept_summary and not song.concept_sections:
        return ["The analysis has no concept of an audio model: the film is written from labels."]
    return ["The audio model's concept became logline and arc; the rules writer does not stage it."]


def open_worlds(
    worlds: Mapping[str, World],
    wanted: Wanted,
    brief: Brief,
    backend: Backend,
    tables: Vocabulary,
    notes: list[str],
) -> dict[str, World]:
    """The settings that the film may play in: the caller's, else all that are not forbidden."""
    asked = understand(brief.setting)
    if brief.setting and not backend.settings:
        # Words decide: the caller's own are the setting, with the pictures of a world they name.
        known = next((name for name in asked.worlds if name in tables.worlds), "")
        short = clean(_CLAUSE_END.split(brief.setting)[0], _SETTING_CHARACTERS) or brief.setting
        world = tables.worlds[known] if known else tables.worlds[ELSEWHERE].named(short)
        return {short: world}
    allowed = {
        setting: world
        for setting, world in worlds.items()
        if world.name not in wanted.banned.not_worlds
    }
    if not allowed:
        notes.append("never_show forbids every place that this backend can film: ignored.")
        allowed = dict(worlds)
    named = asked.worlds if brief.setting else wanted.overall.worlds
    chosen = {setting: world for setting, world in allowed.items() if world.name in named}
    exact = {
        setting: world
        for setting, world in allowed.items()
        if brief.setting and setting.lower() in brief.setting.lower()
    }
    chosen = exact or chosen
    if brief.setting and not chosen:
        notes.append(
            f"This backend cannot film {brief.setting!r}; it films {joined(list(worlds))}."
        )
    return chosen or allowed
