"""A sketch of each shot, as on a paper storyboard: framing, camera, hour, weather, colours.

It draws what the storyboard decides and nothing else: the height of the horizon is the camera's
angle, the size of the subject the shot's size, the arrows its move, the colours its palette. What
the subject looks like the words say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from soundsight.scenewriter.v1.storyboard_pb2 import Scene
from soundsight.videogen.v1 import shot_pb2
from soundsight_cli.storyboardpage.elements import el
from soundsight_cli.storyboardpage.words import camera, hex_code, sky

WIDTH, HEIGHT = 160.0, 90.0

_HORIZONS = {shot_pb2.CAMERA_ANGLE_LOW: 70.0, shot_pb2.CAMERA_ANGLE_HIGH: 24.0}
_HORIZON, _LEVEL, _TILT_DEGREES = 52.0, 0.0, -9.0
# How tall the subject stands in the frame.
_HEIGHTS = {
    shot_pb2.SHOT_SIZE_EXTREME_WIDE: 9.0,
    shot_pb2.SHOT_SIZE_WIDE: 22.0,
    shot_pb2.SHOT_SIZE_MEDIUM: 48.0,
    shot_pb2.SHOT_SIZE_CLOSE_UP: 84.0,
    shot_pb2.SHOT_SIZE_EXTREME_CLOSE_UP: 150.0,
}
# Which colours the sky runs between, from above to the horizon: -1 is the lightest.
_SKIES = {
    shot_pb2.TIME_OF_DAY_DAWN: (1, -2),
    shot_pb2.TIME_OF_DAY_DAY: (-2, -1),
    shot_pb2.TIME_OF_DAY_GOLDEN_HOUR: (2, -1),
    shot_pb2.TIME_OF_DAY_DUSK: (0, 2),
    shot_pb2.TIME_OF_DAY_NIGHT: (0, 1),
}
# Where sun or moon stands under a clear sky: (x, y, radius, colour).
_LIGHTS = {
    shot_pb2.TIME_OF_DAY_DAWN: (118.0, 46.0, 6.0, -1),
    shot_pb2.TIME_OF_DAY_DAY: (122.0, 14.0, 6.0, -1),
    shot_pb2.TIME_OF_DAY_GOLDEN_HOUR: (40.0, 40.0, 8.0, -1),
    shot_pb2.TIME_OF_DAY_NIGHT: (120.0, 18.0, 5.0, -1),
}
_DEFAULT_PALETTE = ("#1c2230", "#4a566b", "#8d99ae", "#e4e8ee")


def sketch(scene: Scene, number: int) -> Element:
    """The sketch of a scene; `number` tells its names in the page from those of the others."""
    shot = scene.shot
    colours = tuple(hex_code(colour) for colour in shot.palette) or _DEFAULT_PALETTE
    horizon = _HORIZONS.get(shot.camera.angle, _HORIZON)
    aerial = shot.camera.angle == shot_pb2.CAMERA_ANGLE_AERIAL
    turned = f"rotate({_TILT_DEGREES} 80 45)"
    world = [
        *(_ground_from_above(colours) if aerial else _sky_and_ground(shot, colours, horizon)),
        *_weather(shot, colours),
        _subject(scene, colours, 45.0 if aerial else horizon, number),
    ]
    return el(
        "svg",
        el("title", f"Sketch: {camera(shot.camera)}; {sky(shot)}"),
        _sky_gradient(shot, colours, number),
        el(
            "g",
            world if aerial else [_sky(number), *world],
            transform=turned if shot.camera.angle == shot_pb2.CAMERA_ANGLE_DUTCH else None,
        ),
        el("g", _move(shot.camera.move), class_="move"),
        class_="sketch",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
    )


def _tone(colours: Sequence[str], at: int) -> str:
    return colours[max(-len(colours), min(at, len(colours) - 1))]


def _sky_gradient(shot: shot_pb2.Shot, colours: Sequence[str], number: int) -> Element:
    above, below = _SKIES.get(shot.time_of_day, (1, -1))
    return el(
        "defs",
        el(
            "linearGradient",
            el("stop", offset="0", stop_color=_tone(colours, above)),
            el("stop", offset="1", stop_color=_tone(colours, below)),
            id=f"sky-{number}", x1="0", y1="0", x2="0", y2="1",
        ),
    )  # fmt: skip


def _sky(number: int) -> Element:
    return el("rect", x=-20.0, y=-20.0, width=200.0, height=130.0, fill=f"url(#sky-{number})")


def _sky_and_ground(
    shot: shot_pb2.Shot, colours: Sequence[str], horizon: float
) -> list[Element | None]:
    light = _LIGHTS.get(shot.time_of_day)
    clear = shot.weather == shot_pb2.WEATHER_CLEAR
    sun = None
    if light is not None and clear:
        x, y, radius, tone = light
        sun = el("circle", cx=x, cy=min(y, horizon - 4.0), r=radius, fill=_tone(colours, tone))
    ways = "".join(
        f"M{80.0 + 16.0 * step:.0f} {horizon:.0f}L{80.0 + 70.0 * step:.0f} 100"
        for step in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
    )
    depth = el("path", d=ways, stroke=_tone(colours, 1), stroke_width=0.6)
    ground = el(
        "rect", x=-20.0, y=horizon, width=200.0, height=130.0 - horizon, fill=_tone(colours, 0)
    )
    return [sun, ground, depth]


def _ground_from_above(colours: Sequence[str]) -> list[Element | None]:
    """A plan of blocks and ways: one looks straight down."""
    ways = [
        el("line", x1=x, y1=-5.0, x2=x + 8.0, y2=95.0, stroke=_tone(colours, 1), stroke_width=2.0)
        for x in (18.0, 52.0, 88.0, 126.0)
    ] + [
        el("line", x1=-5.0, y1=y, x2=165.0, y2=y - 6.0, stroke=_tone(colours, 1), stroke_width=2.0)
        for y in (22.0, 50.0, 78.0)
    ]
    ground = el("rect", x=0.0, y=0.0, width=WIDTH, height=HEIGHT, fill=_tone(colours, 0))
    return [ground, *ways]


def _subject(scene: Scene, colours: Sequence[str], horizon: float, number: int) -> Element:
    """Somebody of the cast as head and shoulders, anything else as a ball."""
    height = _HEIGHTS.get(scene.shot.camera.size, 48.0)
    near = height > 60.0
    # On a third of the frame, now left, now right; what is near fills the middle.
    x = 80.0 if near else (58.0 if number % 2 else 102.0)
    foot = 45.0 + height / 2.0 if near else horizon + 0.35 * height
    fill = _tone(colours, -2)
    style: dict[str, object] = {"fill": fill, "stroke": _tone(colours, 0), "stroke_width": 0.8}
    if not scene.cast_ids:
        radius = 0.4 * height
        shadow = None
        if not near:
            shadow = el(
                "ellipse", cx=x, cy=foot, rx=radius, ry=0.12 * height, fill="#000", opacity=0.45
            )
        return el("g", shadow, el("circle", cx=x, cy=foot - radius, r=radius, **style))
    head = el("circle", cx=x, cy=foot - 0.78 * height, r=0.2 * height, **style)
    top, wide = foot - 0.5 * height, 0.36 * height
    shoulders = el(
        "path",
        d=(
            f"M{x - wide:.1f} {foot:.1f} C{x - wide:.1f} {top:.1f} {x + wide:.1f} {top:.1f} "
            f"{x + wide:.1f} {foot:.1f} Z"
        ),
        **style,
    )
    return el("g", shoulders, head)


def _weather(shot: shot_pb2.Shot, colours: Sequence[str]) -> list[Element]:
    light = _tone(colours, -1)
    kind = shot.weather
    if kind in (shot_pb2.WEATHER_RAIN, shot_pb2.WEATHER_STORM):
        lean = 5.0 if kind == shot_pb2.WEATHER_RAIN else 14.0
        falls = "".join(f"M{x:.0f} {y:.0f}l{-lean:.0f} 10" for x, y in _scattered(34))
        drops = [el("path", d=falls, stroke=light, stroke_width=0.6, opacity=0.7)]
        bolt = "M112 0 L104 20 L110 20 L100 44"
        if kind == shot_pb2.WEATHER_STORM:
            drops.append(el("path", d=bolt, fill="none", stroke=light, stroke_width=1.4))
        return drops
    if kind == shot_pb2.WEATHER_SNOW:
        flakes = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in _scattered(40))
        return [
            el(
                "path",
                d=flakes,
                stroke=light,
                stroke_width=2.0,
                stroke_linecap="round",
                opacity=0.85,
            )
        ]
    if kind == shot_pb2.WEATHER_FOG:
        return [
            el("rect", x=-20.0, y=y, width=200.0, height=9.0, fill=light, opacity=0.22)
            for y in (30.0, 44.0, 58.0, 72.0)
        ]
    if kind == shot_pb2.WEATHER_CLOUDY:
        return [
            el("ellipse", cx=x, cy=y, rx=rx, ry=5.0, fill=light, opacity=0.35)
            for x, y, rx in ((34.0, 12.0, 30.0), (92.0, 8.0, 36.0), (140.0, 16.0, 26.0))
        ]
    return []


def _scattered(count: int) -> list[tuple[float, float]]:
    """Places over the frame, even and without a pattern (golden-ratio sequence)."""
    return [(165.0 * math.modf(0.618034 * n)[0], 90.0 * n / count - 4.0) for n in range(count)]


def _arrow(path: str) -> list[Element]:
    """An arrow that can be seen on any picture: light on a dark seam. The page defines its head."""
    return [
        el("path", d=path, class_="seam"),
        el("path", d=path, class_="line", marker_end="url(#arrow-head)"),
    ]


_ARROWS: Mapping[int, tuple[str, ...]] = {
    shot_pb2.CAMERA_MOVE_PAN_LEFT: ("M118 80 H44",),
    shot_pb2.CAMERA_MOVE_PAN_RIGHT: ("M42 80 H116",),
    shot_pb2.CAMERA_MOVE_TILT_UP: ("M146 70 Q154 45 146 22",),
    shot_pb2.CAMERA_MOVE_TILT_DOWN: ("M146 20 Q154 45 146 68",),
    shot_pb2.CAMERA_MOVE_CRANE_UP: ("M146 74 V20", "M14 74 V20"),
    shot_pb2.CAMERA_MOVE_CRANE_DOWN: ("M146 16 V70", "M14 16 V70"),
    shot_pb2.CAMERA_MOVE_PUSH_IN: (
        "M8 6 L34 21", "M152 6 L126 21", "M8 84 L34 69", "M152 84 L126 69",
    ),
    shot_pb2.CAMERA_MOVE_PULL_OUT: (
        "M36 22 L12 8", "M124 22 L148 8", "M36 68 L12 82", "M124 68 L148 82",
    ),
    shot_pb2.CAMERA_MOVE_TRAVEL: ("M66 86 L77 68", "M94 86 L83 68"),
    shot_pb2.CAMERA_MOVE_ORBIT: ("M34 62 C44 86 116 86 124 63",),
    shot_pb2.CAMERA_MOVE_HANDHELD: ("M52 81 L62 77 L70 84 L80 77 L88 84 L98 78 L108 81",),
}  # fmt: skip


def _move(move: int) -> list[Element]:
    return [part for path in _ARROWS.get(move, ()) for part in _arrow(path)]
