"""The caller's wishes, checked once: bounds, colours, indices, control characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from soundsight.common.v1 import common_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight_kit.errors import InvalidArgument
from soundsight_scenewriter.planning.types import Pace
from soundsight_scenewriter.texts import check_text
from soundsight_scenewriter.writing.colour import Rgb

# As wide as what a gateway lets through: no film fails at its writer for the length of a wish.
STYLE_CHARACTERS = 2_000
SETTING_CHARACTERS = 2_000
STORY_CHARACTERS = 10_000
ITEM_CHARACTERS = 500
LOOK_CHARACTERS = 2_000
WISH_CHARACTERS = 2_000
NAME_CHARACTERS = 200
NOTE_CHARACTERS = 2_000
MOST_ITEMS = 64
MOST_CAST = 32
MOST_COLOURS = 5
MOST_WISHES = 500
MOST_ANTICIPATION_FRAMES = 3

_PACES = {
    pb.Pace.PACE_UNSPECIFIED: Pace.STANDARD,
    pb.Pace.PACE_CALM: Pace.CALM,
    pb.Pace.PACE_STANDARD: Pace.STANDARD,
    pb.Pace.PACE_FAST: Pace.FAST,
}


@dataclass(frozen=True, slots=True)
class CastMember:
    """Somebody or something that appears again."""

    id: str
    name: str
    look: str
    wardrobe: str
    reference_images: tuple[common_pb2.ArtifactRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Brief:
    """What the caller wishes; empty means that nothing was said."""

    style: str = ""
    setting: str = ""
    story: str = ""
    palette: tuple[Rgb, ...] = ()
    cast: tuple[CastMember, ...] = ()
    must_have: tuple[str, ...] = ()
    never_show: tuple[str, ...] = ()
    language: str = ""
    pace: Pace = Pace.STANDARD
    wants_concept: bool = False
    reads_concept: bool = True
    section_wishes: Mapping[int, str] = field(default_factory=dict)
    anticipation_frames: int = 0


def read_brief(brief: pb.Brief, sections: int) -> Brief:
    """The brief of a request for a song with so many sections.

    Raises InvalidArgument with a path that begins with `brief`.
    """
    if brief.pace not in _PACES:
        raise InvalidArgument(f"brief.pace {brief.pace} is not a pace.", field="brief.pace")
    if brief.pipeline not in pb.Pipeline.values():
        raise InvalidArgument(
            f"brief.pipeline {brief.pipeline} is not a pipeline.", field="brief.pipeline"
        )
    if not 0 <= brief.cut_anticipation_frames <= MOST_ANTICIPATION_FRAMES:
        raise InvalidArgument(
            f"brief.cut_anticipation_frames is {brief.cut_anticipation_frames}; it must be 0 to "
            f"{MOST_ANTICIPATION_FRAMES}.",
            field="brief.cut_anticipation_frames",
        )
    return Brief(
        style=check_text(brief.style, "brief.style", STYLE_CHARACTERS),
        setting=check_text(brief.setting, "brief.setting", SETTING_CHARACTERS),
        story=check_text(brief.story, "brief.story", STORY_CHARACTERS),
        palette=_palette(brief.palette),
        cast=_cast(brief.cast),
        must_have=_items(brief.must_have, "brief.must_have"),
        never_show=_items(brief.never_show, "brief.never_show"),
        language=check_text(brief.language, "brief.language", NAME_CHARACTERS),
        pace=_PACES[brief.pace],
        wants_concept=brief.pipeline in (pb.Pipeline.PIPELINE_CONCEPT, pb.Pipeline.PIPELINE_BOTH),
        reads_concept=brief.pipeline != pb.Pipeline.PIPELINE_LABELS,
        section_wishes=_section_wishes(brief.section_wishes, sections),
        anticipation_frames=brief.cut_anticipation_frames,
    )


def _at_most(count: int, most: int, path: str) -> None:
    if count > most:
        raise InvalidArgument(f"{path} has {count} entries; at most {most} are read.", field=path)


def _palette(colours: Iterable[common_pb2.Color]) -> tuple[Rgb, ...]:
    read = []
    for index, colour in enumerate(colours):
        path = f"brief.palette[{index}]"
        for name in ("red", "green", "blue"):
            if not 0 <= getattr(colour, name) <= 255:
                raise InvalidArgument(
                    f"{path}.{name} is {getattr(colour, name)}; it must be 0 to 255.",
                    field=f"{path}.{name}",
                )
        name = check_text(colour.name, f"{path}.name", NAME_CHARACTERS)
        read.append(Rgb(colour.red, colour.green, colour.blue, name))
    _at_most(len(read), MOST_COLOURS, "brief.palette")
    return tuple(read)


def _cast(members: Iterable[storyboard_pb2.CastMember]) -> tuple[CastMember, ...]:
    read: list[CastMember] = []
    for index, member in enumerate(members):
        path = f"brief.cast[{index}]"
        name = check_text(member.name, f"{path}.name", NAME_CHARACTERS)
        look = check_text(member.look, f"{path}.look", LOOK_CHARACTERS)
        if not name and not look:
            raise InvalidArgument(f"{path} needs a name or a look.", field=f"{path}.name")
        given = check_text(member.id, f"{path}.id", NAME_CHARACTERS) or f"cast-{index + 1}"
        if any(given == other.id for other in read):
            raise InvalidArgument(f"{path}.id {given} is there twice.", field=f"{path}.id")
        read.append(
            CastMember(
                id=given,
                name=name or look,
                look=look,
                wardrobe=check_text(member.wardrobe, f"{path}.wardrobe", LOOK_CHARACTERS),
                reference_images=tuple(member.reference_images),
            )
        )
    _at_most(len(read), MOST_CAST, "brief.cast")
    return tuple(read)


def _items(texts: Iterable[str], path: str) -> tuple[str, ...]:
    read = [
        check_text(text, f"{path}[{index}]", ITEM_CHARACTERS) for index, text in enumerate(texts)
    ]
    _at_most(len(read), MOST_ITEMS, path)
    return tuple(text for text in read if text)


def _section_wishes(wishes: Iterable[pb.SectionWish], sections: int) -> dict[int, str]:
    read: dict[int, str] = {}
    for index, wish in enumerate(wishes):
        path = f"brief.section_wishes[{index}]"
        if not 0 <= wish.section_index < sections:
            raise InvalidArgument(
                f"{path}.section_index is {wish.section_index}, but the song has {sections} "
                "sections, counted from 0.",
                field=f"{path}.section_index",
            )
        text = check_text(wish.text, f"{path}.text", WISH_CHARACTERS)
        if text:
            before = read.get(wish.section_index)
            read[wish.section_index] = f"{before}, {text}" if before else text
    _at_most(len(read), MOST_WISHES, "brief.section_wishes")
    return read
