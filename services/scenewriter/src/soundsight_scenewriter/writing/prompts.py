"""Composes prompts in the backend's dialect: subject first, facts of the film in every prompt.

The grammatical subject of the first sentence is what gets filmed. Facts that hold for the whole
film (place, look, colours) are put in by code, because they drift when each scene restates them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from soundsight_scenewriter.backend import Backend, PromptStyle
from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.texts import as_sentence, joined
from soundsight_scenewriter.writing.film import Staging, Words
from soundsight_scenewriter.writing.vocabulary import Vocabulary

# What holds for the whole film, in its shortest words, is kept before the longer words of anything;
# what a prompt that is too long loses first comes last.
_FACTS = ("core", "place", "period", "colours", "look")
_EXTRAS = ("detail", "mood")
_PRIORITY = (*_FACTS, "sky", "camera", *_EXTRAS)
# The order in which a prompt says them.
_ORDER = ("core", "detail", "place", "sky", "camera", "mood", "look", "colours", "period")
_SHORT_LOOK_CHARACTERS = 100


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
    """The prompt of one shot, never longer than the backend's `max_characters`.

    Each part has a long form and perhaps shorter ones. Short forms are taken until everything that
    fits has been said; then what room is left lengthens them. No word is cut, unless not even the
    first one fits.
    """
    most = backend.max_characters
    if backend.style is PromptStyle.FIELDS:
        return _shorten(_fields(staging, words), most)
    forms = _forms(staging, words, look, period, cast, backend, tables)
    sentences = backend.style is PromptStyle.SENTENCES

    def fits(parts: Mapping[str, str]) -> bool:
        return not most or len(_join(parts, sentences)) <= most

    kept: dict[str, str] = {}
    for name in _PRIORITY:
        if name in _EXTRAS and any(fact not in kept for fact in _FACTS if fact in forms):
            continue
        for text in reversed(forms.get(name, ())):
            if fits({**kept, name: text}):
                kept[name] = text
                break
    for name in _PRIORITY:
        # The longest form that there is room for.
        for text in forms.get(name, ()) if name in kept else ():
            if fits({**kept, name: text}):
                kept[name] = text
                break
    if "core" not in kept:
        return _shorten(_join({"core": forms["core"][-1]}, sentences), most)
    return _join(kept, sentences)


def _forms(
    staging: Staging,
    words: Words,
    look: str,
    period: str,
    cast: Mapping[str, CastMember],
    backend: Backend,
    tables: Vocabulary,
) -> dict[str, tuple[str, ...]]:
    """What each part can say, its longest form first; parts with nothing to say are left out."""
    place, camera = staging.place, staging.camera
    colours = [colour.name for colour in staging.palette]
    phrases = (tables.sizes[camera.size], tables.angles[camera.angle], tables.moves[camera.move])
    hour, weather = tables.time_phrases[staging.time], tables.weather_phrases[staging.weather]
    told = f"{place.name}: {place.description}"
    own = words.subject == place.name
    forms = {
        "core": (_core(words, cast),),
        "detail": (words.detail,),
        "place": (place.description,) if own else (told, place.name),
        "sky": (f"{hour}, {weather}",) if place.world.has_sky else (),
        "camera": (
            (", ".join(word.phrase for word in phrases), phrases[0].phrase)
            if backend.camera_words
            else ()
        ),
        "mood": (f"{staging.mood} mood",),
        "look": (look, _shorten(look.split(";")[0], _SHORT_LOOK_CHARACTERS)),
        "colours": (
            "colours " + joined(colours),
            # The darkest, the middle one and the lightest carry a palette.
            "colours " + joined(_unique([colours[0], colours[len(colours) // 2], colours[-1]])),
        )
        if colours
        else (),
        "period": (period,),
    }
    made = {name: tuple(filter(None, _unique(texts))) for name, texts in forms.items()}
    return {name: texts for name, texts in made.items() if texts}


def _core(words: Words, cast: Mapping[str, CastMember]) -> str:
    """Who or what is filmed, with what somebody of the cast looks like, and the action."""
    subject = words.subject
    for member in (cast[one] for one in words.cast_ids[:1] if one in cast):
        looks = [
            text for text in (member.look, member.wardrobe and f"wearing {member.wardrobe}") if text
        ]
        subject = f"{subject}, {', '.join(looks)}," if looks else subject
    return f"{subject} {words.action}".strip()


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
    """What must not be seen, the caller's words first; empty for backends that take none.

    Of what is too long for the backend whole items are left out, the last ones first.
    """
    if not backend.negative_prompt:
        return ""
    made = ""
    for item in _unique([*never_show, *tables.negatives]):
        longer = f"{made}, {item}" if made else item
        if backend.max_characters and len(longer) > backend.max_characters:
            break
        made = longer
    return made


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
