"""Composes prompts in the backend's dialect: subject first, facts of the film in every prompt.

The grammatical subject of the first sentence is what gets filmed. Facts that hold for the whole
film (place, look, colours) are put in by code, because they drift when each scene restates them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from soundsight_scenewriter.backend import Backend, PromptStyle
from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.texts import as_sentence, capitalised, joined
from soundsight_scenewriter.writing.film import Staging, Words
from soundsight_scenewriter.writing.vocabulary import Vocabulary

# What is left out first when a prompt is too long comes last.
_PRIORITY = ("core", "place", "sky", "look", "camera", "colours", "detail", "mood", "period")
# The order in which a prompt says them.
_ORDER = ("core", "detail", "place", "sky", "camera", "mood", "look", "colours", "period")


def compose_prompt(
    staging: Staging,
    words: Words,
    *,
    look: str,
    period: str,
    cast: Mapping[str, CastMember],
    backend: Backend,
    tables: Vocabulary,
) -> str:
    """The prompt of one shot, never longer than the backend's `max_characters`."""
    if backend.style is PromptStyle.FIELDS:
        return _shorten(_fields(staging, words), backend.max_characters)
    parts = _parts(staging, words, look, period, cast, backend, tables)
    sentences = backend.style is PromptStyle.SENTENCES
    kept: dict[str, str] = {}
    for name in _PRIORITY:
        text = parts.get(name, "")
        if not text:
            continue
        longer = {**kept, name: text}
        if backend.max_characters and len(_join(longer, sentences)) > backend.max_characters:
            if name == "core":
                return _shorten(_join(longer, sentences), backend.max_characters)
            continue
        kept = longer
    return _join(kept, sentences)


def _parts(
    staging: Staging,
    words: Words,
    look: str,
    period: str,
    cast: Mapping[str, CastMember],
    backend: Backend,
    tables: Vocabulary,
) -> dict[str, str]:
    place, camera = staging.place, staging.camera
    parts = {"core": f"{_subject(words, cast)} {words.action}".strip(), "detail": words.detail}
    if words.subject == place.name:
        parts["place"] = place.description
    else:
        parts["place"] = f"{place.name}: {place.description}"
    if place.world.has_sky:
        hour, weather = tables.time_phrases[staging.time], tables.weather_phrases[staging.weather]
        parts["sky"] = f"{hour}, {weather}"
    if backend.camera_words:
        phrases = (
            tables.sizes[camera.size],
            tables.angles[camera.angle],
            tables.moves[camera.move],
        )
        parts["camera"] = ", ".join(word.phrase for word in phrases)
    parts["mood"] = f"{staging.mood} mood"
    parts["look"] = look
    parts["colours"] = "colours " + joined([colour.name for colour in staging.palette])
    parts["period"] = period
    return parts


def _subject(words: Words, cast: Mapping[str, CastMember]) -> str:
    """The subject, with what a member of the cast looks like."""
    if not words.cast_ids:
        return words.subject
    member = cast[words.cast_ids[0]]
    looks = [
        text for text in (member.look, member.wardrobe and f"wearing {member.wardrobe}") if text
    ]
    return f"{words.subject}, {', '.join(looks)}," if looks else words.subject


def _join(parts: Mapping[str, str], sentences: bool) -> str:
    ordered = [parts[name] for name in _ORDER if name in parts]
    if sentences:
        return " ".join(as_sentence(text) for text in ordered)
    return ", ".join(text.strip().rstrip(".").replace(". ", ", ") for text in ordered)


def _fields(staging: Staging, words: Words) -> str:
    """The fields in words, for people: backends of this style do not read it."""
    camera = staging.camera
    values = {
        "setting": staging.place.setting,
        "place": staging.place.name,
        "subject": words.subject,
        "action": words.action,
        "time": staging.time,
        "weather": staging.weather,
        "camera": f"{camera.size} {camera.move} {camera.angle}",
        "mood": staging.mood,
    }
    return "; ".join(f"{name}: {value}".replace("_", " ") for name, value in values.items())


def _shorten(text: str, most_characters: int) -> str:
    """The text up to a whole word within the bound; 0 means no bound."""
    if not most_characters or len(text) <= most_characters:
        return text
    cut = text[:most_characters]
    if text[most_characters] != " " and " " in cut:
        cut = cut[: cut.rindex(" ")]
    return cut.rstrip(" ,;:")


def negative_prompt(never_show: Sequence[str], backend: Backend, tables: Vocabulary) -> str:
    """What must not be seen, the caller's words first; empty for backends that take none."""
    if not backend.negative_prompt:
        return ""
    return ", ".join(_unique([*never_show, *tables.negatives]))


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def place_sentence(name: str, description: str) -> str:
    """How a person is told of a place."""
    return f"{capitalised(name)}: {description}"
