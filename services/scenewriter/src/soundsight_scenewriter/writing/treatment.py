"""Writes the treatment: title, logline, look, cast, motifs and the arc over the sections."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set

from soundsight_scenewriter.brief import Brief, CastMember
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.song import Function, Song
from soundsight_scenewriter.texts import as_sentence, capitalised, clean
from soundsight_scenewriter.writing.film import Place
from soundsight_scenewriter.writing.places import Strand, strand_at
from soundsight_scenewriter.writing.taste import Taste, leading_family, nearest_mood
from soundsight_scenewriter.writing.vocabulary import Concept, Vocabulary
from soundsight_scenewriter.writing.wishes import content_words

_LOGLINE_CHARACTERS = 300
_ARC_CHARACTERS = 400
_LOUD_FROM = 0.65
_MOTIFS = 2
# Lines tried for a section before one is told again.
_TRIES = 16
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


def write_title(
    song: Song, tables: Vocabulary, concept: Concept, mood: Taste, hour: str, dice: Dice
) -> str:
    """The song's own title, else one made from mood and concept."""
    if song.title:
        return song.title
    adjectives = nearest_mood(tables, mood.valence, mood.arousal).adjectives
    noun, other, *_ = dice.shuffled(concept.nouns)
    # Two words of a noun are a title already: a third would be one too many.
    patterns = [
        pattern
        for pattern in tables.title_patterns
        if "{adjective}" not in pattern or " " not in noun
    ]
    pattern = dice.pick(patterns)
    return (
        pattern.format(
            adjective=dice.pick(adjectives), noun=noun, other=other, hour=tables.title_hours[hour]
        )
        .replace("The The ", "The ")
        .replace(" the The ", " the ")
    )


def sentences(text: str) -> list[str]:
    """A text's sentences."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def write_logline(concept: Concept, places: Sequence[Place], told: str, dice: Dice) -> str:
    """One sentence that tells the film: the first of a story that was given, else the concept's."""
    if told:
        return clean(sentences(told)[0], _LOGLINE_CHARACTERS)
    main, second = places[0].name, places[min(1, len(places) - 1)].name
    return dice.pick(concept.loglines).format(
        a=main, b=second, A=capitalised(main), B=capitalised(second)
    )


def write_look(tables: Vocabulary, mood: Taste, style: str, banned: Set[str], dice: Dice) -> str:
    """Light, texture and lens of the leading genre, after the caller's own style.

    Nothing has a word of `banned` in it, unless there is nothing else.
    """
    family = leading_family(tables, mood.families)
    choices = (without(banned, texts) for texts in (family.light, family.texture, family.lens))
    made = "; ".join([dice.pick(texts) for texts in choices])
    return f"{style.rstrip('.')}; {made}" if style else made


def without(banned: Set[str], texts: Sequence[str]) -> Sequence[str]:
    """The texts that have no banned word in them; all of them when none is left."""
    return [text for text in texts if not content_words(text) & banned] or texts


def write_period(tables: Vocabulary, mood: Taste, dice: Dice) -> str:
    """When the film plays."""
    return dice.pick(leading_family(tables, mood.families).periods)


def write_cast(brief: Brief, concept: Concept, *, films_people: bool) -> tuple[CastMember, ...]:
    """The caller's cast, else the concept's figure where people can be filmed."""
    if brief.cast:
        return brief.cast
    if not films_people:
        return ()
    figure = concept.figure
    return (CastMember("cast-1", figure.name, figure.look, figure.wardrobe),)


def write_motifs(
    concept: Concept, must_have: Sequence[str], banned: Set[str], dice: Dice
) -> tuple[str, ...]:
    """What must be seen by the caller's wish, then two things of the concept's."""
    return (*must_have, *dice.shuffled(without(banned, concept.motifs))[:_MOTIFS])


def write_arc(
    song: Song,
    tables: Vocabulary,
    concept: Concept,
    parts: Sequence[Strand],
    places: Sequence[Place],
    place_of: Mapping[str, int],
    brief: Brief,
    told: str,
    dice: Dice,
) -> tuple[str, ...]:
    """What each section tells: the caller's wish, the given story's share, or the drama's lines."""
    pools = {
        name: {kind: dice.shuffled(lines) for kind, lines in tables.arcs[name].items()}
        for name in (concept.drama, "again")
    }
    story = _spread(sentences(told), len(song.sections))
    used: Counter[str] = Counter()
    arc = []
    for section in song.sections:
        middle_s = (section.start_s + section.end_s) / 2.0
        place = places[place_of[parts[strand_at(parts, middle_s)].label]]
        wished = brief.section_wishes.get(section.index, "")
        heard = song.concept_sections.get(section.index, "") if brief.reads_concept else ""
        given = [as_sentence(text) for text in (wished, story[section.index] or heard) if text]
        if given:
            arc.append(clean(" ".join(given), _ARC_CHARACTERS))
            continue
        loud = section.energy >= _LOUD_FROM
        for _ in range(_TRIES):
            line = _line(pools, concept.drama, section.function, used, loud=loud)
            text = line.format(place=place.name, Place=capitalised(place.name))
            if text not in arc:
                break
        arc.append(text)
    return tuple(arc)


def _line(
    arcs: Mapping[str, Mapping[str, Sequence[str]]],
    drama: str,
    function: Function,
    used: Counter[str],
    *,
    loud: bool,
) -> str:
    """The next line for a section: its function's own, then a verse's or chorus's, then more."""
    common = "chorus" if loud else "verse"
    kind = common if function is Function.UNKNOWN else str(function)
    for name in (kind, common):
        lines = arcs[drama][name]
        if used[name] < len(lines):
            used[name] += 1
            return lines[used[name] - 1]
    pool = "loud" if loud else "quiet"
    used[pool] += 1
    return arcs["again"][pool][(used[pool] - 1) % len(arcs["again"][pool])]


def _spread(told: Sequence[str], sections: int) -> list[str]:
    """Sentences of a story over the sections, in order; empty where there are too few."""
    shares: list[list[str]] = [[] for _ in range(sections)]
    for index, sentence in enumerate(told):
        shares[index * sections // len(told)].append(sentence)
    return [" ".join(share) for share in shares]
