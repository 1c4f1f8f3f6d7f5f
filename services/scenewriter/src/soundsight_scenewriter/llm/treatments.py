"""The treatment in the model's words, on the outline that the rules decided.

How many places there are, which section plays where, the cast and the colours that the caller gave:
that stays. The model names and describes, and chooses settings among those that can be filmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from soundsight_kit.languagemodel.answers import Unfit
from soundsight_scenewriter.brief import Brief, CastMember
from soundsight_scenewriter.llm.answers import (
    ArcAnswer,
    PlaceAnswer,
    TreatmentAnswer,
    arc_schema,
    treatment_schema,
)
from soundsight_scenewriter.llm.asking import Asker, Hear, NoAnswer
from soundsight_scenewriter.llm.checks import check_arc, faults_of_treatment
from soundsight_scenewriter.llm.material import (
    section_line,
    song_facts,
    sung_line,
    treatment_lines,
    wishes,
)
from soundsight_scenewriter.llm.prompting import language_of
from soundsight_scenewriter.llm.untrusted import as_data
from soundsight_scenewriter.requests import WriteOrder
from soundsight_scenewriter.song import Section
from soundsight_scenewriter.writing.colour import Rgb, from_hex, to_lch
from soundsight_scenewriter.writing.concepts import Outline
from soundsight_scenewriter.writing.film import Place, Treatment
from soundsight_scenewriter.writing.palette import FEWEST_COLOURS, MOST_COLOURS, given_palette
from soundsight_scenewriter.writing.places import strand_at
from soundsight_scenewriter.writing.taste import backend_worlds
from soundsight_scenewriter.writing.vocabulary import World, vocabulary
from soundsight_scenewriter.writing.wanted import open_worlds

_TOKENS, _TOKENS_PER_PLACE, _TOKENS_PER_SECTION = 500, 110, 60
_FEWEST_SECTIONS, _MOST_SECTIONS = 2, 10
_SUNG_CHARACTERS = 160
_FEWEST_CHARACTERS, _AROUND_TOKENS = 400, 1_200
_NAME, _LINE, _LOGLINE, _ARC = 60, 200, 300, 400
# Colours that are all nearly as light as each other draw no picture.
_LEAST_CONTRAST = 0.3


@dataclass(frozen=True, slots=True)
class _Decides:
    """What the model decides of the treatment; the rest is the caller's or the song's."""

    title: bool
    palette: bool
    cast: bool
    settings: Mapping[str, World]


async def write_treatment(
    asker: Asker, order: WriteOrder, line: Outline, hear: Hear, objection: str = ""
) -> Outline:
    """The outline with the model's treatment; its arc is still that of the rules.

    Raises as `Asker.ask` does.
    """
    song, brief = order.song, order.brief
    decides = _decides(order, line)
    places = line.treatment.places
    # One alone is the caller's own words, and no choice.
    settings = tuple(decides.settings) if len(decides.settings) > 1 else ()
    # Texts of any length must leave the better part of the context free.
    most = max(_FEWEST_CHARACTERS, (asker.context_tokens - _AROUND_TOKENS) // 2)
    values = {
        "song": song_facts(song, order.sung, brief, labels=order.reads_labels, most=most),
        "wishes": wishes(brief, most),
        "language": language_of(brief.language),
        "count": str(len(places)),
        "places": "; ".join(_use_of_place(order, line, index) for index in range(len(places))),
        "settings": f', "setting" (one of: {", ".join(settings)})' if settings else "",
        "title": '- "title": of the film, one to five words\n' if decides.title else "",
        "palette": (
            '- "palette": four or five colours like "#0a1f44", from dark to light\n'
            if decides.palette
            else ""
        ),
        "cast": (
            '- "cast": one to three who are seen again, each with "name", "look" and "wardrobe"\n'
            if decides.cast
            else ""
        ),
    }
    parsed: list[tuple[TreatmentAnswer, dict[str, str]]] = []

    def check(found: TreatmentAnswer) -> None:
        faults = faults_of_treatment(
            found,
            places=len(places),
            titled=decides.title,
            cast=decides.cast,
            banned=line.wanted.banned_words,
        )
        parsed.append((found, faults))
        if faults:
            told = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
            raise Unfit(as_data(told, _ARC))

    try:
        await asker.ask(
            "treatment",
            values,
            TreatmentAnswer,
            treatment_schema(
                settings,
                len(places),
                titled=decides.title,
                coloured=decides.palette,
                cast=decides.cast,
            ),
            step="treatment",
            answer_tokens=_TOKENS + _TOKENS_PER_PLACE * len(places),
            objection=objection,
            check=check,
            hear=hear,
        )
    except NoAnswer:
        if not parsed:
            raise
    # The last one has heard all objections; of none at all the one with the fewest faults is best.
    answer, faults = min(reversed(parsed), key=lambda each: len(each[1]))
    notes = [f"The story is longer than the language model was shown: {most} characters of it."]
    notes = notes if len(brief.story) > most else []
    notes += (
        f"The rules wrote the {name} of the treatment: of the language model's, {fault}."
        for name, fault in faults.items()
    )
    told = _merged(line, answer, brief, decides, frozenset(faults))
    return replace(line, treatment=told, notes=(*line.notes, *notes))


async def write_arc(asker: Asker, order: WriteOrder, line: Outline, hear: Hear) -> Outline:
    """The outline with the model's arc: a line per section, some sections at a time.

    Raises as `Asker.ask` does.
    """
    sections = order.song.sections
    arc: list[str] = []
    room = (asker.context_tokens - _AROUND_TOKENS) // (2 * _TOKENS_PER_SECTION)
    at_once = max(_FEWEST_SECTIONS, min(_MOST_SECTIONS, room))
    for first in range(0, len(sections), at_once):
        some = sections[first : first + at_once]
        told = [
            f"{number}. {section_line(section, order.song, order.brief, _place(line, section))}"
            + _sung(order, section.start_s, section.end_s)
            for number, section in enumerate(some, 1)
        ]
        if arc:
            told.insert(0, f"Before: {as_data(arc[-1], _ARC)}")
        count = len(some)

        def check(found: ArcAnswer, count: int = count) -> None:
            check_arc(found.lines, count, line.wanted.banned_words)

        answer = await asker.ask(
            "arc",
            {
                "treatment": treatment_lines(line.treatment),
                "sections": "\n".join(told),
                "language": language_of(order.brief.language),
                "count": str(count),
            },
            ArcAnswer,
            arc_schema(count),
            step=f"arc {first}",
            answer_tokens=100 + _TOKENS_PER_SECTION * count,
            check=check,
            hear=hear,
        )
        arc += [as_data(text, _ARC) for text in answer.lines]
    return replace(line, treatment=replace(line.treatment, arc=tuple(arc)))


def _decides(order: WriteOrder, line: Outline) -> _Decides:
    tables = vocabulary()
    worlds = open_worlds(
        backend_worlds(tables, order.backend.settings),
        line.wanted,
        order.brief,
        order.backend,
        tables,
        [],
    )
    return _Decides(
        title=not order.song.title,
        palette=not order.brief.palette,
        cast=order.backend.reads_words and not order.brief.cast,
        settings=worlds,
    )


def _use_of_place(order: WriteOrder, line: Outline, index: int) -> str:
    """What a place is for: the sections that play there."""
    functions = dict.fromkeys(
        str(order.song.sections[part.section_index].function).replace("_", " ")
        for part in line.parts
        if line.place_of[part.label] == index
    )
    named = [name for name in functions if name != "unknown"]
    return f"{index + 1}: {' and '.join(named) or 'parts of the song'}"


def _place(line: Outline, section: Section) -> str:
    middle_s = (section.start_s + section.end_s) / 2.0
    part = line.parts[strand_at(line.parts, middle_s)]
    return line.treatment.places[line.place_of[part.label]].name


def _sung(order: WriteOrder, start_s: float, end_s: float) -> str:
    text = sung_line(order.sung, start_s, end_s, _SUNG_CHARACTERS)
    return f". {text}" if text else ""


def _merged(
    line: Outline,
    answer: TreatmentAnswer,
    brief: Brief,
    decides: _Decides,
    faulty: frozenset[str],
) -> Treatment:
    """The treatment with the model's fields, those in `faulty` as the rules have them."""
    made = line.treatment
    look = as_data(answer.look, _LINE)
    places = made.places
    if "places" not in faulty:
        places = tuple(
            _place_of(place, found, decides.settings)
            for place, found in zip(made.places, answer.places, strict=True)
        )
    wanted = {place.world.name for place in made.places} & set(line.wanted.must_worlds)
    if not wanted <= {place.world.name for place in places}:
        # Somewhere that must be seen: then settings stay, and only names and words change.
        places = tuple(
            replace(place, name=new.name, description=new.description)
            for place, new in zip(made.places, places, strict=True)
        )
    heard = replace(
        made,
        title=as_data(answer.title, _NAME) if decides.title else made.title,
        logline=as_data(answer.logline, _LOGLINE),
        theme=as_data(answer.theme, _LINE),
        look=f"{brief.style.rstrip('.')}; {look}" if brief.style else look,
        period=as_data(answer.period, _NAME),
        palette=_palette(answer.palette, made.palette) if decides.palette else made.palette,
        places=places,
        cast=_cast(answer) if decides.cast else made.cast,
        motifs=(
            *brief.must_have,
            *(as_data(motif, _NAME) for motif in answer.motifs if motif.strip()),
        ),
    )
    return replace(heard, **{name: getattr(made, name) for name in faulty})


def _place_of(place: Place, answer: PlaceAnswer, settings: Mapping[str, World]) -> Place:
    setting = answer.setting if answer.setting in settings else place.setting
    world = settings.get(setting, place.world)
    return replace(
        place,
        name=as_data(answer.name, _NAME).rstrip("."),
        description=as_data(answer.description, _LINE).rstrip("."),
        setting=setting,
        world=world,
        actions=place.actions if world is place.world else world.places[0].actions,
    )


def _cast(answer: TreatmentAnswer) -> tuple[CastMember, ...]:
    return tuple(
        CastMember(
            f"cast-{number}",
            as_data(member.name, _NAME).rstrip("."),
            as_data(member.look, _LINE).rstrip("."),
            as_data(member.wardrobe, _LINE).rstrip("."),
        )
        for number, member in enumerate(answer.cast[:3], 1)
    )


def _palette(codes: list[str], otherwise: tuple[Rgb, ...]) -> tuple[Rgb, ...]:
    """The model's colours where they are colours, and apart; the rules' otherwise."""
    digits = "0123456789abcdef"
    valid = [
        code
        for code in dict.fromkeys(code.strip().lower() for code in codes)
        if len(code) == 7 and code[0] == "#" and all(digit in digits for digit in code[1:])
    ]
    colours = tuple(from_hex(code) for code in valid[:MOST_COLOURS])
    if len(colours) < FEWEST_COLOURS:
        return otherwise
    lightness = [to_lch(colour).lightness for colour in colours]
    if max(lightness) - min(lightness) < _LEAST_CONTRAST:
        return otherwise
    return given_palette(colours, vocabulary())
