"""Every scene on the page, under its section of the song: a sketch, the words, the prompt."""

from __future__ import annotations

from itertools import groupby
from xml.etree.ElementTree import Element

from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight_cli import naming
from soundsight_cli.plotting.look import section_colours
from soundsight_cli.storyboardpage.elements import Child, described, el
from soundsight_cli.storyboardpage.frames import sketch
from soundsight_cli.storyboardpage.timeline import section_name
from soundsight_cli.storyboardpage.words import CUTS, camera, sky, transition

Numbered = tuple[int, Scene]


def scenes(song: SongAnalysis, board: Storyboard) -> list[Child]:
    """The scenes in order, a heading for each section that they play in."""
    frame_s = board.frame_rate.den / board.frame_rate.num
    arc = {point.section_index: point.text for point in board.treatment.arc}
    colours = section_colours(section.label for section in song.sections)
    places = {place.id: place.name for place in board.treatment.places}
    cast = {member.id: member.name for member in board.treatment.cast}
    made: list[Child] = []
    numbered = enumerate(board.scenes, 1)
    for index, group in groupby(numbered, key=lambda one: one[1].section_index):
        shots = list(group)
        known = 0 <= index < len(song.sections)
        section = song.sections[index] if known else None
        name = section_name(section) if section is not None else f"Section {index}"
        colour = colours[section.label] if section is not None else "#888888"
        made.append(
            el(
                "section",
                el(
                    "h3",
                    el("i", style=f"background:{colour}"),
                    name,
                    el("small", f"section {index} · {_span(shots, frame_s)}"),
                ),
                el("p", arc[index], class_="arc", dir="auto") if arc.get(index) else None,
                [_scene(number, scene, frame_s, places, cast) for number, scene in shots],
                class_="part",
            )
        )
    return made


def _span(shots: list[Numbered], frame_s: float) -> str:
    last = shots[-1][1]
    start_s = shots[0][1].start_frame * frame_s
    end_s = (last.start_frame + last.frames) * frame_s
    return f"{naming.clock(start_s)} to {naming.clock(end_s)}"


def _scene(
    number: int, scene: Scene, frame_s: float, places: dict[str, str], cast: dict[str, str]
) -> Element:
    shot = scene.shot
    start = naming.clock(scene.start_frame * frame_s, decimals=2)
    where = places.get(scene.place_id) or shot.setting
    seen = [name for name in (cast.get(one) for one in scene.cast_ids) if name]
    facts = (
        ("Camera", camera(shot.camera)),
        ("Place", where),
        ("Sky", sky(shot)),
        ("Mood", shot.mood),
        ("Cast", ", ".join(seen)),
    )
    return el(
        "article",
        el("figure", sketch(scene, number)),
        el(
            "div",
            el(
                "p",
                el("b", str(number)),
                el("span", start, class_="clock"),
                f"{scene.frames * frame_s:.2f} s · {scene.frames} frames",
                class_="when",
            ),
            el("p", scene.description, class_="told", dir="auto"),
            described(facts),
            el("p", " · ".join(filter(None, _cut(scene))), class_="aside"),
            _prompt(scene),
            class_="words",
        ),
        class_="scene", id=f"shot-{number}",
    )  # fmt: skip


def _cut(scene: Scene) -> tuple[str, ...]:
    takes = "continues the shot before" if scene.continues_previous else ""
    return (CUTS.get(scene.cut_reason, ""), transition(scene.transition_in), takes)


def _prompt(scene: Scene) -> Element:
    """What the video backend is told, and the numbers that make the scene again."""
    shot = scene.shot
    rows = (
        ("Prompt", shot.prompt),
        ("Negative prompt", shot.negative_prompt),
        ("Setting", shot.setting),
        ("Subject", shot.subject),
        ("Action", shot.action),
        ("Density, motion", f"{shot.density:.2f}, {shot.motion:.2f}"),
        ("Scene, seed", f"{scene.id}, {scene.seed}"),
        ("Place seed", str(shot.place_seed)),
    )
    return el(
        "details",
        el("summary", "Prompt and seed"),
        described(rows),
    )
