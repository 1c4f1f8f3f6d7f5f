"""What a whole brief comes to: one reading of its texts, and what the rules cannot do with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from soundsight_scenewriter.backend import Backend
from soundsight_scenewriter.brief import Brief
from soundsight_scenewriter.song import Song
from soundsight_scenewriter.texts import clean, joined
from soundsight_scenewriter.writing.conflicts import (
    allowed_must_haves,
    barred_members,
    forbidding,
    style_notes,
)
from soundsight_scenewriter.writing.vocabulary import ELSEWHERE, Vocabulary, World, vocabulary
from soundsight_scenewriter.writing.wishes import Understood, content_words, understand

_CLAUSE_END = re.compile(r"[.,;:!?]")
_SETTING_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """A brief as the rules understand it.

    `overall` holds for the whole film, `sections` for single ones (by index), `banned` holds in
    its `not_...` sets what must never be shown, `banned_words` the words to avoid. `must_have`
    are the must-haves that may be shown: of these `objects` have to be shown as things, `skies`
    are weather or hours, `must_worlds` places. `barred_cast` are the ids of who may not be shown.
    """

    overall: Understood
    sections: Mapping[int, Understood]
    banned: Understood
    banned_words: frozenset[str]
    objects: tuple[str, ...]
    skies: tuple[Understood, ...]
    must_worlds: tuple[str, ...]
    notes: tuple[str, ...]
    must_have: tuple[str, ...] = ()
    barred_cast: frozenset[str] = frozenset()


def read_wishes(brief: Brief, backend: Backend) -> Wanted:
    """Understands all texts of a brief, and notes what the rules cannot honour."""
    notes: list[str] = style_notes(brief)
    must_have, refused = allowed_must_haves(brief)
    barred_cast, barred = barred_members(brief.cast, brief)
    notes += [*refused, *barred]
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
        entry = forbidding(text, brief.never_show)
        if entry and wish.unknown:
            notes.append(
                f"The wish for section {index} names what never_show forbids ({entry!r}): it is "
                "not shown as a thing."
            )
            wish = replace(wish, unknown=[], unknown_clauses=[])
        sections[index] = _over(wish, overall)
        notes += _unused(wish, index)
        if wish.unknown and not backend.reads_words:
            notes.append(
                f"Of the wish for section {index} the rules could not use: "
                f"{joined(wish.unknown)}. This backend draws from fields alone."
            )
    objects, skies, must_worlds = [], [], []
    for text in must_have:
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
        must_have=must_have,
        barred_cast=barred_cast,
    )


def _unused(wish: Understood, index: int) -> list[str]:
    """What of a section's wish the rules understand and have no means for."""
    kinds = {
        "its place": bool(wish.worlds or wish.not_worlds),
        "its colours": bool(wish.colours or wish.lightness or wish.chroma or wish.warmth),
        "its style of music": bool(wish.family),
    }
    unused = [kind for kind, asked in kinds.items() if asked]
    if not unused:
        return []
    note = (
        f"Of the wish for section {index}, {joined(unused)} could not be granted: places and "
        "colours hold for all sections that sound alike. Wish them for the whole film."
    )
    return [note]


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
    elif not backend.reference_images and any(one.reference_images for one in brief.cast):
        notes.append(
            "This backend takes no reference pictures: the cast is filmed from its words alone."
        )
    if brief.never_show and backend.reads_words:
        if not backend.negative_prompt:
            notes.append(
                "This backend takes no negative prompt: what never_show names is kept out of the "
                "texts, but the model may still put it into a picture."
            )
        elif 0 < backend.max_characters < len(", ".join(dict.fromkeys(brief.never_show))):
            notes.append(
                "never_show is longer than this backend's prompts may be: its last entries are not "
                "in the negative prompt. Shorten it."
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

    def meant(among: Mapping[str, World]) -> dict[str, World]:
        exact = {
            setting: world
            for setting, world in among.items()
            if brief.setting and setting.lower() in brief.setting.lower()
        }
        return exact or {name: world for name, world in among.items() if world.name in named}

    chosen = meant(allowed)
    if brief.setting and not chosen:
        if meant(worlds):
            notes.append(
                f"The setting {brief.setting!r} is what never_show forbids: the film plays in "
                f"{joined(list(allowed), 'or')}."
            )
        else:
            notes.append(
                f"This backend cannot film {brief.setting!r}; it films {joined(list(worlds))}."
            )
    return chosen or allowed
