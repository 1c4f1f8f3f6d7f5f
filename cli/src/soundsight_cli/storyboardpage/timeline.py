"""The song from left to right: sections, energy, beats, and every shot as a link to its words."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from soundsight.analyzer.v1.analysis_pb2 import CurveKind, Section, SongAnalysis
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight_cli import naming
from soundsight_cli.plotting.look import section_colours
from soundsight_cli.storyboardpage.elements import el
from soundsight_cli.storyboardpage.words import CUTS, hex_code

_LEAST_WIDTH, _MOST_WIDTH, _WIDTH_PER_S = 1032.0, 6000.0, 5.0
_SECTIONS = (16.0, 22.0)
"""Top and height of a lane."""
_ENERGY = (44.0, 64.0)
_BEATS = (112.0, 16.0)
_SHOTS = (132.0, 54.0)
_HEIGHT = 206.0
# Ticks nearer than this run into each other.
_LEAST_GAP = 3.0
_LETTER = 6.6
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_LEAST_STEP = 56.0
_POINTS = 1200


def timeline(song: SongAnalysis, board: Storyboard) -> Element:
    """The film along its song. Parts of the analysis may be missing."""
    length_s = board.frames * board.frame_rate.den / board.frame_rate.num
    width = min(_MOST_WIDTH, max(_LEAST_WIDTH, _WIDTH_PER_S * length_s))
    scale = width / length_s
    return el(
        "svg",
        el("title", "The film along the song: sections, energy, beats and shots"),
        _clock(length_s, scale),
        _sections(song, length_s, scale),
        _energy(song, length_s, scale),
        _beats(song, scale, width),
        _shots(board, scale),
        class_="timeline",
        viewBox=f"0 0 {width:.0f} {_HEIGHT:.0f}",
        width=f"{width:.0f}",
        role="img",
    )


def section_name(section: Section) -> str:
    """Such as `B chorus`."""
    return f"{section.label} {naming.function(section)}".strip()


def _clock(length_s: float, scale: float) -> Element:
    step = next((step for step in _STEPS_S if step * scale >= _LEAST_STEP), _STEPS_S[-1])
    marks = []
    for second in range(0, int(length_s) + 1, step):
        x = second * scale
        if x + 30.0 > length_s * scale:
            break
        marks.append(el("line", x1=x, y1=4.0, x2=x, y2=_HEIGHT - 4.0, class_="rule"))
        marks.append(el("text", naming.clock(second), x=x + 3.0, y=11.0, class_="small"))
    return el("g", marks)


def _sections(song: SongAnalysis, length_s: float, scale: float) -> Element:
    colours = section_colours(section.label for section in song.sections)
    top, height = _SECTIONS
    made = []
    for section in song.sections:
        start, end = max(0.0, section.start_s), min(length_s, section.end_s)
        wide = max(0.0, end - start) * scale
        name = section_name(section)
        room = int((wide - 8.0) / _LETTER)
        shown = name if len(name) <= room else section.label if len(section.label) <= room else ""
        made.append(
            el(
                "g",
                el("title", f"{name}, {naming.clock(start)} to {naming.clock(end)}"),
                el(
                    "rect", x=start * scale, y=top, width=max(0.5, wide - 1.0), height=height,
                    rx=3.0, fill=colours[section.label],
                ),
                el("text", shown, x=start * scale + 6.0, y=top + 15.0, class_="on-colour")
                if shown
                else None,
            )
        )  # fmt: skip
    return el("g", made)


def _energy(song: SongAnalysis, length_s: float, scale: float) -> Element:
    top, height = _ENERGY
    curve = next((c for c in song.dynamics.curves if c.kind == CurveKind.CURVE_KIND_ENERGY), None)
    if curve is None or not len(curve.values) or not curve.hop_s > 0.0:
        return el("text", "energy not heard", x=4.0, y=top + 14.0, class_="small")
    values = np.nan_to_num(np.clip(np.asarray(curve.values, dtype=np.float64), 0.0, 1.0))
    times = np.arange(len(values)) * curve.hop_s
    at = np.linspace(0.0, length_s, min(_POINTS, max(2, len(values))))
    shown = np.interp(at, times, values)
    floor = top + height
    points = " ".join(
        f"{time * scale:.1f},{floor - height * value:.1f}"
        for time, value in zip(at, shown, strict=True)
    )
    return el(
        "g",
        el("title", "Energy of the song"),
        el("polygon", points=f"0,{floor} {points} {length_s * scale:.1f},{floor}", class_="energy"),
    )


def _beats(song: SongAnalysis, scale: float, width: float) -> Element:
    """Downbeats are tall; plain beats are left out where they would run into each other."""
    top, height = _BEATS
    beats = [beat for beat in song.rhythm.beats if 0.0 <= beat.time_s * scale <= width]
    dense = len(beats) > 1 and width / len(beats) < _LEAST_GAP
    bars = [beat for beat in beats if beat.position == 1]
    every = 1
    while bars and width / (len(bars) / every) < _LEAST_GAP:
        every *= 2
    tall, low = "", ""
    for beat in bars[::every]:
        tall += f"M{beat.time_s * scale:.1f} {top}v{height}"
    for beat in () if dense else beats:
        if beat.position != 1:
            low += f"M{beat.time_s * scale:.1f} {top + height / 2}v{height / 2}"
    return el(
        "g",
        el("title", "Beats; the tall ones are downbeats"),
        el("path", d=tall, class_="downbeats") if tall else None,
        el("path", d=low, class_="beats") if low else None,
    )


def _shots(board: Storyboard, scale: float) -> Element:
    """All shots; numbers that would run into each other are left out."""
    frame_s = board.frame_rate.den / board.frame_rate.num
    free = 0.0
    made = []
    for number, scene in enumerate(board.scenes, 1):
        x = scene.start_frame * frame_s * scale
        numbered = x >= free
        if numbered:
            free = x + 8.0 + _LETTER * len(str(number))
        made.append(_shot(scene, number, frame_s, scale, numbered=numbered))
    return el("g", made)


def _shot(scene: Scene, number: int, frame_s: float, scale: float, *, numbered: bool) -> Element:
    """A shot's stretch of the film in its own colours, darkest at the bottom."""
    x, wide = scene.start_frame * frame_s * scale, scene.frames * frame_s * scale
    top, height = _SHOTS
    colours = [hex_code(colour) for colour in scene.shot.palette] or ["#888888"]
    share = height / len(colours)
    bands = [
        el(
            "rect", x=x, y=top + share * at, width=max(0.6, wide - 1.0), height=share + 0.3,
            fill=colour,
        )
        for at, colour in enumerate(reversed(colours))
    ]  # fmt: skip
    start = naming.clock(scene.start_frame * frame_s, decimals=2)
    told = f"{scene.id}, {start}, {CUTS.get(scene.cut_reason, '')}\n{scene.description}"
    name = None
    if numbered:
        name = el("text", str(number), x=x + 1.0, y=top + height + 14.0, class_="shot-number")
    return el("a", el("title", told), bands, name, href=f"#shot-{number}")
