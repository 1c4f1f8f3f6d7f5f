"""What a person's words mean to the rules: keywords of the tables, with plain negation.

The rules know words, not sentences. What they did not understand is handed back, so that it can
be said instead of being dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache

from soundsight_scenewriter.writing.vocabulary import (
    ELSEWHERE,
    NamedColour,
    Vocabulary,
    Wish,
    vocabulary,
)

_WORD = re.compile(r"[^\W_]+(?:['&-][^\W_]+)*")
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\band\b|\bthen\b|\bbut\b")
_ORDERS = frozenset(
    {"please", "add", "show", "put", "make", "let", "give", "with", "have", "use", "there", "it"}
)
_NEGATIONS = frozenset({"no", "not", "without", "never", "less", "stop", "fewer", "remove", "drop"})


@dataclass(slots=True)
class Understood:
    """What was understood of a text. Empty or 0 means that nothing was said about it.

    `unknown` holds the words without meaning to the rules, clause by clause; `unknown_clauses`
    the clauses of which nothing was understood, without the words that give an order.
    """

    weather: str = ""
    time: str = ""
    size: str = ""
    size_step: int = 0
    angle: str = ""
    move: str = ""
    density: float = 0.0
    motion: float = 0.0
    lightness: float = 0.0
    chroma: float = 0.0
    warmth: float = 0.0
    valence: float = 0.0
    arousal: float = 0.0
    mood: str = ""
    family: str = ""
    worlds: list[str] = field(default_factory=list)
    colours: list[NamedColour] = field(default_factory=list)
    not_weathers: set[str] = field(default_factory=set)
    not_times: set[str] = field(default_factory=set)
    not_worlds: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    unknown_clauses: list[str] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether any of it was understood."""
        return any(getattr(self, item.name) for item in fields(self) if "unknown" not in item.name)


@cache
def _lexicon() -> Mapping[tuple[str, ...], tuple[str, object]]:
    """Phrases of one or more words, and what they stand for."""
    tables: Vocabulary = vocabulary()
    entries: dict[tuple[str, ...], tuple[str, object]] = {}
    for colour in tables.colours:
        entries[tuple(_WORD.findall(colour.name))] = ("colour", colour)
    for plain, name in (
        ("red", "scarlet"), ("blue", "cobalt"), ("green", "emerald"), ("yellow", "lemon"),
        ("pink", "rose"), ("purple", "violet"), ("brown", "umber"), ("grey", "slate"),
        ("gray", "slate"), ("golden", "gold"),
    ):  # fmt: skip
        found = next(colour for colour in tables.colours if colour.name == name)
        entries[(plain,)] = ("colour", found)
    for world in tables.worlds.values():
        if world.name != ELSEWHERE:
            for word in (world.name, *world.synonyms):
                entries[tuple(_WORD.findall(word))] = ("world", world.name)
    for wish in tables.wishes:
        for word in wish.words:
            entries[tuple(_WORD.findall(word))] = ("wish", wish)
    return entries


def _clauses(text: str) -> Iterator[list[str]]:
    for clause in _CLAUSE_END.split(text.lower().replace("’", "'")):
        words = _WORD.findall(clause)
        if words:
            yield words


def understand(text: str) -> Understood:
    """Reads a text: later words win over earlier ones, a negation before a word turns it round."""
    found = Understood()
    lexicon = _lexicon()
    fillers = vocabulary().fillers
    longest = max(len(phrase) for phrase in lexicon)
    for words in _clauses(text):
        index, unknown, known = 0, [], False
        while index < len(words):
            for length in range(min(longest, len(words) - index), 0, -1):
                meaning = lexicon.get(tuple(words[index : index + length]))
                if meaning is not None:
                    negated = any(word in _NEGATIONS for word in words[max(0, index - 2) : index])
                    _note(found, *meaning, negated=negated)
                    known = True
                    index += length
                    break
            else:
                if words[index] not in fillers:
                    unknown.append(words[index])
                index += 1
        if unknown:
            found.unknown.append(" ".join(unknown))
            if not known:
                found.unknown_clauses.append(" ".join(_without_order(words)))
    return found


def _without_order(words: list[str]) -> list[str]:
    """`add a whale` becomes `a whale`."""
    start = 0
    while start < len(words) - 1 and words[start] in _ORDERS:
        start += 1
    return words[start:]


def _note(found: Understood, kind: str, meaning: object, *, negated: bool) -> None:
    if isinstance(meaning, NamedColour):
        if not negated:
            found.colours.append(meaning)
    elif isinstance(meaning, Wish):
        _note_wish(found, meaning, negated=negated)
    elif negated:
        found.not_worlds.add(str(meaning))
    elif str(meaning) not in found.worlds:
        found.worlds.append(str(meaning))


def _note_wish(found: Understood, wish: Wish, *, negated: bool) -> None:
    if negated:
        if wish.weather:
            found.not_weathers.add(wish.weather)
        if wish.time:
            found.not_times.add(wish.time)
    else:
        for name in ("weather", "time", "size", "angle", "move", "mood", "family"):
            value = getattr(wish, name)
            if value:
                setattr(found, name, value)
    sign = -1 if negated else 1
    for name in ("size_step", "density", "motion", "lightness", "chroma", "warmth", "valence",
                 "arousal"):  # fmt: skip
        setattr(found, name, getattr(found, name) + sign * getattr(wish, name))


@lru_cache(maxsize=4096)
def content_words(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, lower case, without a possessive or plural s."""
    fillers = vocabulary().fillers
    words = (word.removesuffix("'s") for word in _WORD.findall(text.lower().replace("’", "'")))
    return frozenset(
        word[:-1] if len(word) > 3 and word.endswith("s") else word
        for word in words
        if word not in fillers
    )
