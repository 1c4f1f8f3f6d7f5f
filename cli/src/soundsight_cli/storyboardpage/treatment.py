"""What holds the film together, on the page: title, story, look, colours, places, cast, motifs."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.common.v1.common_pb2 import Color
from soundsight.scenewriter.v1.storyboard_pb2 import CastMember, Place, Storyboard
from soundsight_cli import naming
from soundsight_cli.storyboardpage.elements import Child, described, el
from soundsight_cli.storyboardpage.words import count, hex_code

# First bytes of the kinds of pictures that every browser shows.
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def band(palette: Sequence[Color]) -> Element:
    """The film's colours across the top of the page."""
    colours = [el("i", style=f"background:{hex_code(colour)}") for colour in palette]
    return el("div", colours, class_="band", aria_hidden="true")


def header(song: SongAnalysis, board: Storyboard, file_name: str) -> Element:
    """Title, logline, and of what song it is."""
    treatment = board.treatment
    return el(
        "header",
        el("p", "Storyboard", class_="kicker"),
        el("h1", treatment.title or "Untitled", dir="auto"),
        el("p", treatment.logline, class_="logline", dir="auto") if treatment.logline else None,
        el("p", " · ".join(_facts(song, board, file_name)), class_="facts", dir="auto"),
    )


def _facts(song: SongAnalysis, board: Storyboard, file_name: str) -> list[str]:
    length_s = board.frames * board.frame_rate.den / board.frame_rate.num
    title, artist = song.metadata.title, song.metadata.artist
    facts = [f"{artist} – {title}" if title and artist else title or file_name]
    facts += [naming.clock(length_s), count(len(board.scenes), "scene")]
    if song.rhythm.tempo_bpm > 0:
        facts.append(f"{song.rhythm.tempo_bpm:.0f} BPM")
    if song.harmony.keys and (key := naming.key(song.harmony.keys[0])):
        facts.append(key)
    return facts


def treatment(board: Storyboard, pictures: Mapping[str, bytes]) -> list[Child]:
    """The treatment's parts; those that are empty are left out.

    `pictures` holds, by URI, the reference pictures that were fetched.
    """
    told = board.treatment
    rows = (
        ("Theme", told.theme),
        ("Look", told.look),
        ("Period", told.period),
        ("Motifs", _list(told.motifs) if told.motifs else None),
    )
    scenes = Counter(scene.place_id for scene in board.scenes)
    return [
        el(
            "section",
            el("h2", "Treatment"),
            described(rows),
            _swatches(told.palette),
        ),
        _cards("Places", [_place(place, scenes[place.id]) for place in told.places]),
        _cards("Cast", [_member(member, board, pictures) for member in told.cast]),
    ]


def notes(board: Storyboard) -> Element | None:
    """What a user should know before reading on."""
    if not board.notes:
        return None
    return el(
        "section", el("h2", "Notes of the writer"), _list(board.notes), class_="notes"
    )  # fmt: skip


def _list(texts: Sequence[str]) -> Element:
    return el("ul", [el("li", text, dir="auto") for text in texts])


def _swatches(palette: Sequence[Color]) -> Element | None:
    if not palette:
        return None
    return el(
        "ul",
        [
            el(
                "li",
                el("i", style=f"background:{hex_code(colour)}"),
                el("span", colour.name or "unnamed", dir="auto"),
                el("code", hex_code(colour)),
            )
            for colour in palette
        ],
        class_="swatches", aria_label="Palette",
    )  # fmt: skip


def _cards(name: str, cards: Sequence[Element]) -> Element | None:
    if not cards:
        return None
    return el("section", el("h2", name), el("div", cards, class_="cards"))


def _place(place: Place, scenes: int) -> Element:
    return el(
        "article",
        el("h3", place.name, dir="auto"),
        el("p", place.description, dir="auto"),
        el("p", f"{place.setting} · {count(scenes, 'scene')}", class_="aside", dir="auto"),
    )


def _member(member: CastMember, board: Storyboard, pictures: Mapping[str, bytes]) -> Element:
    scenes = sum(member.id in scene.cast_ids for scene in board.scenes)
    there = [pictures[ref.uri] for ref in member.reference_images if ref.uri in pictures]
    missing = len(member.reference_images) - len(there)
    shown = [
        el("img", src=source, alt=f"Reference picture of {member.name}")
        for source in map(_data_url, there)
        if source
    ]
    return el(
        "article",
        el("div", shown, class_="pictures") if shown else None,
        el("h3", member.name, dir="auto"),
        el("p", member.look, dir="auto") if member.look else None,
        el("p", "Wears ", el("bdi", member.wardrobe)) if member.wardrobe else None,
        el(
            "p",
            count(scenes, "scene"),
            f" · {count(missing, 'reference picture')} not shown" if missing else None,
            class_="aside",
        ),
    )


def _data_url(picture: bytes) -> str:
    """The picture in the page itself; empty for what is no picture that browsers show."""
    for start, kind in _PICTURES.items():
        if picture.startswith(start):
            return f"data:{kind};base64,{base64.b64encode(picture).decode()}"
    return ""
