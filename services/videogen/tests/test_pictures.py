"""What the pictures must be, whatever is asked for: seen by measuring them."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from videogen_requests import AMBER, FPS, ICE, NEON, U8, music, pictures, relative_luminance, scene

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Size
from soundsight_videogen.builtin.choice import Scene
from soundsight_videogen.builtin.finish import Finisher
from soundsight_videogen.builtin.painter import Painter
from soundsight_videogen.builtin.worlds import WORLDS

PALETTES = (NEON, AMBER, ICE)
# The hardest for tones: all of its colours are of one hue, and most are dark.
RED = ((26, 12, 14), (91, 31, 34), (178, 58, 46), (226, 89, 59), (243, 217, 196))
# Each world is seen in as many skies and through as many cameras as four scenes can hold.
CAMERAS: tuple[dict[str, Any], ...] = (
    {},
    {"move": Move.CRANE_UP, "angle": Angle.HIGH},
    {"move": Move.ORBIT, "angle": Angle.DUTCH, "motion": 1.0, "density": 0.9},
    {"move": Move.TRAVEL, "angle": Angle.AERIAL, "size": Size.WIDE, "density": 0.1},
)
SCENES: list[dict[str, Any]] = [
    {
        "setting": world.name,
        "time_of_day": world.times[number % len(world.times)],
        "weather": world.weathers[(number + shift) % len(world.weathers)],
        "palette": PALETTES[(number + shift) % len(PALETTES)],
        # Every scene is another place of its world.
        "place_seed": 10 * shift + number,
        **camera,
    }
    for shift, world in enumerate(WORLDS.values())
    for number, camera in enumerate(CAMERAS)
]
NAMES = [f"{s['setting']}-{s['time_of_day'].value}-{s['weather'].value}" for s in SCENES]

every_scene = pytest.mark.parametrize("fields", SCENES, ids=NAMES)


def oklab_hue_rad(rgb: U8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hue and chroma of pixels (n, 3) in Oklab (Björn Ottosson, 2020)."""
    v = rgb.astype(np.float64) / 255.0
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    to_lms = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929],
         [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_ab = np.array(
        [[1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    a, b = to_ab @ np.cbrt(to_lms @ linear.T)
    return np.arctan2(b, a), np.hypot(a, b)


@every_scene
def test_pictures_are_neither_black_white_flat_nor_clipped(
    painter: Painter, fields: dict[str, Any]
) -> None:
    """A picture has light, darkness and detail, and few pixels at either end."""
    picture = next(pictures(painter, scene(**fields), music(2)))
    luma = picture.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    assert 12.0 < luma.mean() < 225.0
    assert np.percentile(luma, 98) - np.percentile(luma, 2) > 25.0
    assert (picture.max(axis=2) >= 254).mean() < 0.08
    assert (picture.max(axis=2) <= 1).mean() < 0.08
    # Detail: neighbours differ somewhere in most of the picture's 12 x 12 tiles.
    detail = np.abs(np.diff(luma, axis=1))[:, :180].reshape(9, 12, 15, 12).mean(axis=(1, 3))
    assert (detail > 0.12).mean() > 0.6


def luma_of(painter: Painter, **fields: Any) -> NDArray[np.float32]:
    """A scene's first picture as luma (BT.709), 0 to 255."""
    picture = next(pictures(painter, scene(**fields), music(2)))
    weights = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    luma: NDArray[np.float32] = picture.astype(np.float32) @ weights
    return luma


@pytest.mark.parametrize("setting", ["city", "desert", "forest", "ocean"])
@pytest.mark.parametrize("hour", [TimeOfDay.DAWN, TimeOfDay.GOLDEN_HOUR, TimeOfDay.DUSK])
@pytest.mark.parametrize("size", [Size.WIDE, Size.CLOSE_UP])
def test_fog_keeps_a_full_range_of_tones(
    painter: Painter, setting: str, hour: TimeOfDay, size: Size
) -> None:
    """In fog near things are dark and the light is bright, whatever the lens and the palette."""
    for number, palette in enumerate((*PALETTES, RED)):
        luma = luma_of(
            painter, setting=setting, time_of_day=hour, weather=Weather.FOG, size=size,
            angle=Angle.EYE_LEVEL, palette=palette, place_seed=number, seed=3 * number,
        )  # fmt: skip
        assert np.percentile(luma, 95) - np.percentile(luma, 5) >= 90.0, number
        assert luma.mean() < 150.0, number


@pytest.mark.parametrize("weather", [Weather.CLEAR, Weather.CLOUDY, Weather.FOG])
@pytest.mark.parametrize("size", [Size.WIDE, Size.MEDIUM, Size.CLOSE_UP])
def test_the_sea_at_night_is_not_one_tone(painter: Painter, weather: Weather, size: Size) -> None:
    """Light and dark lie apart, and most of a picture is not the same grey as its middle tone."""
    for number, palette in enumerate((*PALETTES, RED)):
        luma = luma_of(
            painter, setting="ocean", time_of_day=TimeOfDay.NIGHT, weather=weather, size=size,
            angle=Angle.EYE_LEVEL, palette=palette, place_seed=number, seed=5 * number + 1,
        )  # fmt: skip
        assert np.percentile(luma, 95) - np.percentile(luma, 5) >= 45.0, number
        assert (np.abs(luma - np.median(luma)) <= 6.0).mean() < 0.45, number


@every_scene
def test_pictures_move_with_the_music_and_rest_in_silence(
    painter: Painter, fields: dict[str, Any]
) -> None:
    """With energy no two frames are alike; without it all of them are."""

    def change(energy: float) -> NDArray[np.float64]:
        frames = [p.astype(np.int16) for p in pictures(painter, scene(**fields), music(5, energy))]
        return np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(frames)])

    assert change(0.6).min() > 0.15
    # The dither of 8-bit levels is all that may differ.
    assert change(0.0).max() < 0.9


@every_scene
def test_nothing_pops_inside_a_clip(painter: Painter, fields: dict[str, Any]) -> None:
    """Without accents in the music no frame differs from the one before far more than others."""
    even = replace(music(18), onset=np.zeros(18, dtype=np.uint8))
    frames = [p.astype(np.int16) for p in pictures(painter, scene(**fields), even)]
    change = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(frames)])
    assert change.max() < 3.0 * np.median(change) + 2.0


def there_and_back(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest change that is undone again, in either direction, per tile; time comes first."""

    def peak(curve: NDArray[np.float32]) -> NDArray[np.float32]:
        rise = curve - np.minimum.accumulate(curve, axis=0)
        fall = curve - np.minimum.accumulate(curve[::-1], axis=0)[::-1]
        undone: NDArray[np.float32] = np.minimum(rise, fall).max(axis=0)
        return undone

    return np.maximum(peak(light), peak(-light))


@every_scene
def test_beats_never_flash(painter: Painter, fields: dict[str, Any]) -> None:
    """Never more than a quarter of the picture changes by a flash's step, however loud it is.

    A general flash (WCAG 2.3.1) is a pair of opposing changes of a tenth of the brightest
    relative luminance, where the darker is below 0.8, over a quarter of the screen.
    """
    luminance = np.stack(
        [
            relative_luminance(p).reshape(12, 9, 16, 12).mean(axis=(1, 3))
            for p in pictures(painter, scene(**fields), music(FPS, energy=1.0, beat_every=6))
        ]
    )
    window = FPS // 3
    for start in range(len(luminance) - window):
        part = luminance[start : start + window]
        flashing = (there_and_back(part) >= 0.1) & (part.min(axis=0) < 0.8)
        assert flashing.mean() < 0.25


@every_scene
def test_pictures_move_most_on_the_onsets(painter: Painter, fields: dict[str, Any]) -> None:
    """The frame of an onset differs more from the one before than those in between do."""
    frames = [p.astype(np.int16) for p in pictures(painter, scene(**fields), music(30))]
    change = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(frames)])
    assert np.mean(change[[11, 23]]) > np.median(change)


def test_beats_are_visible(painter: Painter) -> None:
    """The street's lights are brighter on a beat than between beats."""
    street = {"setting": "city", "time_of_day": TimeOfDay.NIGHT, "weather": Weather.RAIN}
    still = scene(**street, move=Move.STATIC)
    cues = music(24, energy=0.6, beat_every=12)
    light = [float(relative_luminance(p).mean()) for p in pictures(painter, still, cues)]
    assert np.mean([light[12], light[13]]) > 1.01 * np.mean(light[8:11])


@pytest.mark.parametrize("setting", WORLDS)
@pytest.mark.parametrize("palette", [NEON, AMBER, ICE], ids=["neon", "amber", "ice"])
def test_the_palette_is_respected(painter: Painter, setting: str, palette: Any) -> None:
    """Most of a picture's colour lies near the hues of its palette."""
    picture = next(pictures(painter, scene(setting=setting, palette=palette), music(2)))
    hue, chroma = oklab_hue_rad(picture.reshape(-1, 3))
    wanted, strength = oklab_hue_rad(np.array(palette, dtype=np.uint8))
    wanted = wanted[strength > 0.02]
    apart = np.abs(np.angle(np.exp(1j * (hue[:, None] - wanted[None, :])))).min(axis=1)
    near = apart < np.radians(32)
    assert (chroma * near).sum() / chroma.sum() > 0.75


def digest(painter: Painter, chosen: Scene) -> str:
    """Names the first frames of a scene."""
    sha = hashlib.sha256()
    for picture in pictures(painter, chosen, music(3)):
        sha.update(picture.tobytes())
    return sha.hexdigest()


@pytest.mark.parametrize("setting", WORLDS)
def test_the_same_shot_gives_the_same_frames(painter: Painter, setting: str) -> None:
    """Painting twice, with another scene between, gives equal pixels."""
    chosen = scene(setting=setting, seed=4, place_seed=2)
    first = digest(painter, chosen)
    digest(painter, scene(setting=setting, seed=5, place_seed=9))
    assert digest(painter, chosen) == first


@pytest.mark.parametrize("setting", WORLDS)
def test_another_seed_place_or_camera_gives_another_picture(painter: Painter, setting: str) -> None:
    """Each of them changes a good part of the picture."""
    base: dict[str, Any] = {
        "setting": setting, "seed": 1, "place_seed": 1, "move": Move.TRAVEL,
        "angle": Angle.EYE_LEVEL, "size": Size.WIDE, "time_of_day": WORLDS[setting].times[0],
        "weather": Weather.CLEAR,
    }  # fmt: skip

    def first(**changed: Any) -> NDArray[np.int16]:
        return next(pictures(painter, scene(**{**base, **changed}), music(2))).astype(np.int16)

    original = first()
    for changed in ({"seed": 2}, {"place_seed": 2}, {"angle": Angle.HIGH}, {"size": Size.CLOSE_UP},
                    {"time_of_day": WORLDS[setting].times[1]}, {"palette": AMBER}):  # fmt: skip
        assert np.abs(first(**changed) - original).mean() > 4.0, changed


def test_grain_is_the_same_for_a_seed_and_frame_only() -> None:
    """The same frame of the same clip has the same grain; other frames and seeds have others."""
    grey = np.full((54, 96, 3), 128, dtype=np.uint8)

    def luma(seed: int, frame: int) -> U8:
        return Finisher(192, 108, 8, seed).finish(grey, frame)[:108].copy()

    assert np.array_equal(luma(1, 3), luma(1, 3))
    assert not np.array_equal(luma(1, 3), luma(1, 4))
    assert not np.array_equal(luma(1, 3), luma(2, 3))
    assert 0.5 < luma(1, 3).std() < 4.0
    assert abs(luma(1, 3).mean() - 128.0) < 0.5


def test_finished_frames_keep_the_colours() -> None:
    """Enlarging and I420 change neither luma nor chroma of even areas, at any ratio."""
    picture = np.empty((36, 64, 3), dtype=np.uint8)
    picture[...] = (90, 110, 160)
    for size in ((128, 72), (96, 54), (64, 36), (48, 28)):
        frame = Finisher(*size, 1, 1).finish(picture, 0)
        width, height = size
        quarter = width * height // 4
        flat = frame.reshape(-1)
        assert flat.size == width * height * 3 // 2
        assert abs(flat[: width * height].mean() - 90.0) < 1.0
        assert np.all(flat[width * height : width * height + quarter] == 110)
        assert np.all(flat[width * height + quarter :] == 160)
