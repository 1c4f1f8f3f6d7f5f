"""What is wrong with what the model wrote, in words that it and a person understand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence, Set
from typing import Final

from soundsight_kit.languagemodel.answers import Unfit, check_text
from soundsight_scenewriter.llm.answers import CastAnswer, PlaceAnswer, ShotAnswer, TreatmentAnswer
from soundsight_scenewriter.llm.untrusted import as_data, quoted
from soundsight_scenewriter.texts import as_sentence
from soundsight_scenewriter.writing.told import Told
from soundsight_scenewriter.writing.wishes import content_words

_FEWEST_WORDS = 4
_PHRASE_WORDS = 4
# What models write where they have nothing to say.
_HOLLOW: Final = frozenset(
    ("string", "subject", "action", "detail", "text", "example", "placeholder", "lorem", "ipsum",
     "n/a", "none", "null", "todo", "tbd")
)  # fmt: skip
_YEAR = re.compile(r"\b(1[5-9]\d\d|20\d\d)s?\b")
_BROKEN = "\ufffd"
_WORDS = re.compile(r"[^\W_]+(?:/[^\W_]+)?")
_LEAST_LETTERS = 0.6
_LEAST_DISTINCT, _ENOUGH_WORDS = 0.5, 8
_FAULT_CHARACTERS = 200


def describe(shot: ShotAnswer) -> str:
    """A shot as its scene is described: one sentence of subject and action, one of detail."""
    first = as_sentence(f"{shot.subject} {shot.action}".strip())
    return f"{first} {as_sentence(shot.detail)}".strip()


def fault_of_shot(
    shot: ShotAnswer,
    *,
    places: Sequence[str],
    cast: Sequence[str],
    banned: Set[str],
    period: str,
    must_show: str,
    told: Told,
    asked: Set[str] = frozenset(),
) -> str:
    """Why a shot will not do; empty when it will. `asked` holds the phrases of the question."""
    description = describe(shot)
    words = content_words(description)
    if not content_words(shot.subject) or not shot.action.strip():
        return "subject and action must both say something"
    if len(words) < _FEWEST_WORDS or _is_hollow(shot.subject) or _is_hollow(shot.action):
        return "it says next to nothing"
    fault = _fault_of_text(description, banned) or _fault_of_text(shot.mood, banned)
    if fault:
        return fault
    if asked and phrases(description) & asked:
        return "it repeats the question"
    if shot.place not in places:
        return f"there is no place {shot.place!r}: it is one of {', '.join(places)}"
    unknown = [name for name in shot.cast if name not in cast]
    if unknown:
        known = f"one of {', '.join(cast)}" if cast else "nobody"
        return f"there is no {unknown[0]!r} in the cast: it is {known}"
    elsewhere = [
        place
        for place in places
        if place != shot.place and place.casefold() in description.casefold()
    ]
    if elsewhere and shot.place.casefold() not in description.casefold():
        return f"it plays at {shot.place!r} but tells of {elsewhere[0]!r}"
    years = [year for year in _YEAR.findall(description) if year not in period]
    if years and _YEAR.search(period):
        return f"it speaks of {years[0]}, but the film plays in {period}"
    if must_show and not content_words(must_show) & words:
        return "it does not show what must be seen in it"
    if not told.is_new(description):
        return "it repeats an earlier shot: show something else"
    return ""


def faults_of_treatment(
    answer: TreatmentAnswer, *, places: int, titled: bool, cast: bool, banned: Set[str]
) -> dict[str, str]:
    """What is wrong with a treatment, by the name of the field; fields that will do are absent."""
    faults: dict[str, str] = {}
    fields = [(name, getattr(answer, name)) for name in ("logline", "theme", "look", "period")]
    if titled:
        fields.append(("title", answer.title))
    for name, text in fields:
        faults[name] = _fault_of_field(text, banned)
    faults["places"] = _fault_of_list(
        answer.places, [place.description for place in answer.places], banned, places
    )
    if cast:
        looks = [member.look for member in answer.cast]
        faults["cast"] = _fault_of_list(answer.cast, looks, banned, max(1, len(answer.cast)))
        worn = " ".join(member.wardrobe for member in answer.cast)
        faults["cast"] = faults["cast"] or _fault_of_text(worn, banned)
    faults["motifs"] = next(filter(None, (_fault_of_text(m, banned) for m in answer.motifs)), "")
    if len({motif.strip().casefold() for motif in answer.motifs}) < len(answer.motifs):
        faults["motifs"] = faults["motifs"] or "no two motifs may be the same"
    return {name: fault for name, fault in faults.items() if fault}


def _fault_of_field(text: str, banned: Set[str]) -> str:
    if not content_words(text) or _is_hollow(text):
        return "it says nothing"
    return _fault_of_text(text, banned)


def _fault_of_list(
    named: Sequence[PlaceAnswer | CastAnswer], texts: Sequence[str], banned: Set[str], count: int
) -> str:
    """What is wrong with places or people: each needs a name of its own and a text."""
    if len(named) != count:
        return f"there must be exactly {count}, not {len(named)}"
    names = [each.name.strip().casefold() for each in named]
    if len(set(names)) < len(names):
        return "each needs a name of its own"
    faults = (_fault_of_field(text, banned) for text in [*names, *texts])
    return next(filter(None, faults), "")


def check_arc(lines: Sequence[str], count: int, banned: Set[str]) -> None:
    """Raises Unfit unless there is one line for each section, no two alike."""
    if len(lines) != count:
        raise Unfit(f"there must be exactly {count} lines, not {len(lines)}")
    if len({line.strip().casefold() for line in lines}) < count:
        raise Unfit("no two sections may have the same line")
    for line in lines:
        if not content_words(line):
            raise Unfit("a line says nothing")
        fault = _fault_of_text(line, banned)
        if fault:
            raise Unfit(f"in {quoted(line, 60)}: {fault}")


def _fault_of_text(text: str, banned: Set[str]) -> str:
    seen = sorted(content_words(text) & banned)
    if seen:
        return f"{', '.join(seen)} must never be shown"
    if _BROKEN in text:
        return "it holds broken characters"
    signs = [sign for sign in text if not sign.isspace()]
    # Marks on letters, as many scripts write their vowels, count as letters.
    letters = [sign for sign in signs if sign.isalpha() or unicodedata.category(sign)[0] == "M"]
    if len(letters) < _LEAST_LETTERS * len(signs):
        return "it is not made of words"
    if "_" in text:
        return "it joins words with underscores: write it as people read"
    words = _plain_words(text)
    if len(words) >= _ENOUGH_WORDS and len(set(words)) < _LEAST_DISTINCT * len(words):
        return "it says the same words over and over"
    try:
        check_text(text)
    except Unfit:
        return "it says the same sentence over and over"
    return ""


def phrases(text: str) -> frozenset[str]:
    """All runs of four words in a text: what is there twice was copied."""
    words = _plain_words(text)
    return frozenset(
        " ".join(words[at : at + _PHRASE_WORDS]) for at in range(len(words) - _PHRASE_WORDS + 1)
    )


def _is_hollow(text: str) -> bool:
    words = _plain_words(text)
    return bool(words) and all(word in _HOLLOW for word in words)


def _plain_words(text: str) -> list[str]:
    return _WORDS.findall(text.casefold())


def joined_objections(objections: Iterable[tuple[int, str]]) -> str:
    """What was wrong with single shots of an answer, by their numbers."""
    told = "; ".join(
        f"shot {number}: {as_data(why, _FAULT_CHARACTERS)}" for number, why in objections
    )
    return f"Your last answer will not do: {told}. Write these shots anew." if told else ""
