"""A clip as a sequence of pictures: scene and music in, Y'CbCr planes out."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soundsight_videogen.builtin.camera import CameraPath, camera_path
from soundsight_videogen.builtin.choice import Scene
from soundsight_videogen.builtin.colour import Palette, luminance
from soundsight_videogen.builtin.music import Cues, Drive, drive
from soundsight_videogen.builtin.painter import Grade, Painter, Patch, UniformValue

HUES = 5
# How much the music's level opens and closes the lens around the scene's own exposure.
_QUIET_EXPOSURE, _LOUD_EXPOSURE = 0.8, 1.2
# The mean lightness of a palette that leaves the exposure alone, and how much others move it.
_MIDDLE_KEY, _KEY_GAIN = 0.58, 3.5
# How far an onset zooms in, as a share of the focal length: felt rather than seen.
_PUNCH = 0.018
# How far thick air's contrast is raised, and the light that stays as it is, against the horizon's.
_FOG_CONTRAST, _PIVOT = 0.62, 0.75
_DARKEST_PIVOT, _BRIGHTEST_PIVOT = 0.05, 0.22
# Below this height things of a person's height reach over the horizon.
_LOW_CAMERA_M = 2.0


@dataclass(frozen=True, slots=True)
class Film:
    """A clip ready to be painted: per-frame values and what stays the same."""

    scene: Scene
    drive: Drive
    path: CameraPath
    time_offset_s: float

    @property
    def frames(self) -> int:
        """Frames of the clip, handles included."""
        return len(self.drive.time_s)


def plan_film(scene: Scene, cues: Cues, rate_hz: float) -> Film:
    """Computes every frame's drive and camera. Pure."""
    moved = drive(cues, rate_hz, scene.motion)
    path = camera_path(scene.camera, scene.world.rig, moved.time_s)
    punch = 1.0 + _PUNCH * moved.kick * (0.35 + 0.65 * moved.energy)
    return Film(
        scene=scene,
        drive=moved,
        path=replace(path, focal=path.focal * punch),
        # Every shot meets the world at another moment.
        time_offset_s=20.0 + 180.0 * scene.variation[0],
    )


def paint(
    film: Film, painter: Painter, width: int, height: int
) -> Generator[NDArray[np.uint8], None, None]:
    """Paints all frames in order: Y'CbCr (BT.709, 16 to 235), (height, width, 3), uint8.

    While the caller works on one frame, the driver paints the next.
    """
    painter.prepare(width, height)
    constants = scene_uniforms(film.scene)
    grade = scene_grade(film.scene)
    for frame in range(film.frames + 1):
        picture = painter.read() if frame > 0 else None
        if frame < film.frames:
            uniforms = {**constants, **frame_uniforms(film, frame, height)}
            patches = frame_patches(film, frame, width / height)
            light = grade.exposure * frame_exposure(film, frame)
            painter.draw(
                patches,
                uniforms,
                replace(grade, exposure=light),
                dither_seed=float(frame % 61) * 7.31,
            )
        if picture is not None:
            yield picture


def film_switches(film: Film) -> frozenset[str]:
    """The parts of a shader that a clip needs."""
    light = film.scene.light
    wanted = {
        "WITH_SUN": light.night < 0.9,
        "WITH_STARS": light.night > 0.3 and light.cloud < 0.8,
        "WITH_RAIN": light.rain > 0.0,
        "WITH_SNOW": light.snow > 0.0,
        "WITH_WET": light.wet > 0.0,
        "WITH_LOW_CAMERA": float(film.path.position[:, 1].min()) < _LOW_CAMERA_M,
    }
    kinds = film.scene.world.kinds
    # A switch may carry a value, as preprocessors have it.
    kind = {f"KIND {bisect(kinds, film.scene.place[0])}"} if kinds else set()
    return frozenset(name for name, needed in wanted.items() if needed) | kind


def frame_patches(film: Film, frame: int, aspect: float) -> list[Patch]:
    """The picture in two parts, above and below the horizon, each with its own shader.

    What is only ever seen on one side (water, mirrors; clouds, stars) costs nothing on the other.
    """
    shader, switches = film.scene.world.shader, film_switches(film)
    rows = film.path.basis[frame]
    # A ray through (x, y) rises by x * right.y * aspect + y * up.y + focal * forward.y.
    slope = (aspect * float(rows[0, 1]), float(rows[1, 1]))
    offset = float(film.path.focal[frame] * rows[2, 1])
    patches = []
    for side, sign in (("ABOVE_HORIZON", 1.0), ("BELOW_HORIZON", -1.0)):
        polygon = clip_picture((sign * slope[0], sign * slope[1]), sign * offset)
        if len(polygon) >= 3:
            patches.append(Patch(shader, switches | {side}, polygon))
    return patches


def clip_picture(slope: tuple[float, float], offset: float) -> list[tuple[float, float]]:
    """The part of the square from -1 to 1 where `slope . (x, y) + offset >= 0`, as a polygon.

    Sutherland and Hodgman's algorithm for one edge; empty when nothing is left.
    """
    corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
    heights = [slope[0] * x + slope[1] * y + offset for x, y in corners]
    kept: list[tuple[float, float]] = []
    for i, (corner, height) in enumerate(zip(corners, heights, strict=True)):
        after, after_height = corners[(i + 1) % 4], heights[(i + 1) % 4]
        if height >= 0.0:
            kept.append(corner)
        if (height >= 0.0) != (after_height >= 0.0):
            share = height / (height - after_height)
            kept.append(
                (
                    corner[0] + (after[0] - corner[0]) * share,
                    corner[1] + (after[1] - corner[1]) * share,
                )
            )
    return kept


def scene_uniforms(scene: Scene) -> dict[str, UniformValue | bytes]:
    """The uniforms of `common.glsl` that stay the same over a clip."""
    light, palette = scene.light, scene.palette
    features = np.zeros(5, dtype=np.float32)
    features[: len(scene.place_features)] = scene.place_features
    return {
        "shadow_colour": palette.shadow,
        "accent_a": palette.accents[0],
        "accent_b": palette.accents[1],
        "accent_c": palette.accents[2],
        "light_colour": palette.light,
        "sun_direction": light.sun_direction,
        "sun_colour": light.sun_colour,
        "zenith_colour": light.zenith,
        "middle_colour": light.middle,
        "horizon_colour": light.horizon,
        "ambient_colour": light.ambient,
        "fog_colour": light.fog_colour,
        "night": light.night,
        "cloud": light.cloud,
        "fog": light.fog,
        "rain": light.rain,
        "snow": light.snow,
        "wet": light.wet,
        "wind": light.wind,
        "storm": light.storm,
        "density": scene.density,
        "motion": scene.motion,
        "place": scene.place,
        "variation": scene.variation,
        "place_features": features.tobytes(),
    }


def frame_uniforms(film: Film, frame: int, height: int) -> dict[str, UniformValue | bytes]:
    """The uniforms of `common.glsl` that change from frame to frame."""
    drive_, path = film.drive, film.path
    focal = float(path.focal[frame])
    return {
        # Rows of the basis are columns for GLSL, which reads matrices column by column.
        "camera_basis": path.basis[frame].astype(np.float32).tobytes(),
        "camera_position": tuple(float(v) for v in path.position[frame]),
        "focal": focal,
        "pixel_angle": 2.0 / (height * focal),
        "time": film.time_offset_s + float(drive_.time_s[frame]),
        "energy": float(drive_.energy[frame]),
        "bass": float(drive_.bass[frame]),
        "heave": float(drive_.heave[frame]),
        "onset": float(drive_.onset[frame]),
        "beat": float(drive_.beat[frame]),
    }


def frame_exposure(film: Film, frame: int) -> float:
    """How far the music opens the lens: loud passages are brighter than quiet ones."""
    glow = float(film.drive.glow[frame])
    return _QUIET_EXPOSURE + (_LOUD_EXPOSURE - _QUIET_EXPOSURE) * glow


def _key(palette: Palette) -> float:
    """High key for light palettes, low key for dark ones, so that a section's mood is seen."""
    colours = palette.colours
    lightness = sum(luminance(colour) ** (1.0 / 3.0) for colour in colours) / len(colours)
    return min(max(math.exp(_KEY_GAIN * (lightness - _MIDDLE_KEY)), 0.8), 1.25)


def scene_grade(scene: Scene) -> Grade:
    """The grade that holds a film together: its palette's hues.

    Where the air is thick its contrast is higher, as a photographer's print of a foggy day is.
    """
    palette, light = scene.palette, scene.light
    exposure = light.exposure * _key(palette)
    hues, weights = [], []
    for colour in palette.colours:
        level = max(luminance(colour), 1e-3)
        hues.append(tuple(channel / level for channel in colour))
        # Near-black says little about hue.
        weights.append(min(1.0, level / 0.01))
    while len(hues) < HUES:
        hues.append((1.0, 1.0, 1.0))
        weights.append(0.0)
    shadow = max(luminance(palette.shadow), 1e-3)
    thick = max(light.fog**2, 0.6 * light.rain * (1.0 - light.storm), 0.5 * light.snow)
    middle = min(max(luminance(light.horizon), _DARKEST_PIVOT), _BRIGHTEST_PIVOT)
    return Grade(
        exposure=exposure,
        bloom=0.75 + 0.35 * light.night,
        contrast=_FOG_CONTRAST * (1.0 - 0.4 * light.night) * thick,
        pivot=_PIVOT * exposure * middle,
        hue_pull=0.58,
        hues=hues,
        hue_weights=weights,
        shadow_tone=tuple(min(channel / shadow, 3.0) for channel in palette.shadow),
    )
