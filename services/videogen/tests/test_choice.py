"""A shot's fields and words choose the world and its parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from videogen_requests import AMBER, NEON, scene

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather, atmosphere
from soundsight_videogen.builtin.camera import (
    Angle,
    CameraPlan,
    Move,
    Size,
    camera_path,
)
from soundsight_videogen.builtin.choice import ShotFields, choose_scene, choose_world, numbers
from soundsight_videogen.builtin.colour import palette_from_srgb
from soundsight_videogen.builtin.film import clip_picture
from soundsight_videogen.builtin.shaders import shader_source
from soundsight_videogen.builtin.worlds import WORLDS


@pytest.mark.parametrize(
    ("words", "world"),
    [
        ("A lonely taxi crosses the neon avenue", "city"),
        ("Waves break at the foot of the lighthouse", "ocean"),
        ("skyscrapers after rain", "city"),
        ("Sailing boats beyond the island", "ocean"),
    ],
)
def test_words_choose_the_world(words: str, world: str) -> None:
    """Without a setting the words decide, singular or plural."""
    assert choose_world("", words, 0).name == world


def test_the_setting_outweighs_the_words() -> None:
    """A named setting is filmed whatever the prompt says."""
    assert choose_world("ocean", "neon city street traffic", 0).name == "ocean"


def test_words_choose_time_and_weather() -> None:
    """Fields that were left open follow the prompt."""
    foggy = scene(setting="city", words="A street at dawn in thick fog")
    assert foggy.light == atmosphere(
        TimeOfDay.DAWN,
        Weather.FOG,
        foggy.palette,
        sun_azimuth_rad=math.atan2(foggy.light.sun_direction[0], foggy.light.sun_direction[2]),
    )


def test_the_moon_over_the_sea_is_low_and_nowhere_else() -> None:
    """A 75 mm lens that looks along the water sees it; each place has its own."""
    night = {"time_of_day": TimeOfDay.NIGHT, "weather": Weather.CLEAR}
    heights = {
        math.degrees(math.asin(scene(setting="ocean", place_seed=seed, **night)
                               .light.sun_direction[1]))
        for seed in range(8)
    }  # fmt: skip
    assert len(heights) == 8
    assert all(4.0 < height < 10.0 for height in heights)
    assert scene(setting="desert", **night).light.sun_direction[1] > math.sin(math.radians(15.0))


def test_thick_air_is_darker_the_higher_one_looks() -> None:
    """By day fog takes more of the zenith's light than of the horizon's; at night it takes none."""

    def share(when: TimeOfDay) -> float:
        clear, foggy = (
            scene(setting="city", time_of_day=when, weather=weather).light
            for weather in (Weather.CLOUDY, Weather.FOG)
        )
        return (sum(foggy.zenith) / sum(foggy.horizon)) / (sum(clear.zenith) / sum(clear.horizon))

    assert share(TimeOfDay.DAWN) < 0.9 * share(TimeOfDay.NIGHT)


def test_a_place_is_the_same_whoever_films_it() -> None:
    """The place follows from its seed alone, the camera from the shot's."""
    one = scene(setting="city", place_seed=5, seed=1)
    other = scene(setting="city", place_seed=5, seed=2)
    assert one.place == other.place
    assert one.light == other.light
    assert one.camera.variation != other.camera.variation
    assert scene(setting="city", place_seed=6, seed=1).place != one.place


def test_every_combination_can_be_chosen() -> None:
    """No world, time, weather, move, size or angle is without light or a camera."""
    time_s = np.linspace(0.0, 3.0, 72)
    for world in WORLDS.values():
        for when in TimeOfDay:
            for weather in Weather:
                light = scene(setting=world.name, time_of_day=when, weather=weather).light
                colours = np.array([light.zenith, light.middle, light.horizon, light.ambient])
                assert np.isfinite(colours).all() and colours.min() >= 0.0
        for move in Move:
            for angle in Angle:
                for size in Size:
                    plan = CameraPlan(move, size, angle, 0.0, (0.1, 0.9, 0.5, 0.7))
                    path = camera_path(plan, world.rig, time_s)
                    assert np.isfinite(path.position).all()
                    assert path.position[:, 1].min() > 0.2


def test_cameras_are_orthonormal_and_continuous() -> None:
    """Right, up and forward stay at right angles, and no frame turns or leaps."""
    time_s = np.linspace(0.0, 4.0, 96)
    for move in Move:
        plan = CameraPlan(move, Size.WIDE, Angle.DUTCH, 0.0, (0.3, 0.6, 0.2, 0.8))
        path = camera_path(plan, WORLDS["city"].rig, time_s)
        identity = path.basis @ path.basis.transpose(0, 2, 1)
        assert np.allclose(identity, np.eye(3), atol=1e-9)
        assert np.abs(np.diff(path.position, axis=0)).max() < 0.5
        assert np.abs(np.diff(path.basis, axis=0)).max() < 0.02


def test_moves_move_as_they_say() -> None:
    """A crane rises, a pan turns, travel goes forward, and static stays."""
    time_s = np.linspace(0.0, 3.0, 72)

    def path(move: Move) -> tuple[np.ndarray, np.ndarray]:
        plan = CameraPlan(move, Size.WIDE, Angle.EYE_LEVEL, 0.0, (0.5, 0.5, 0.5, 0.5))
        result = camera_path(plan, WORLDS["ocean"].rig, time_s)
        return result.position, result.basis[:, 2]

    position, forward = path(Move.CRANE_UP)
    assert position[-1, 1] - position[0, 1] > 2.0
    _, forward = path(Move.PAN_RIGHT)
    assert forward[-1, 0] - forward[0, 0] > 0.2
    position, _ = path(Move.TRAVEL)
    assert position[-1, 2] - position[0, 2] > 8.0
    position, forward = path(Move.STATIC)
    assert np.ptp(position, axis=0).max() == 0.0
    assert np.ptp(forward, axis=0).max() == 0.0


def test_palettes_of_three_to_five_colours() -> None:
    """Roles are taken from the colours given; other counts are refused."""
    for colours in (NEON, AMBER, AMBER[:3]):
        palette = palette_from_srgb(colours)
        assert set(palette.accents) <= set(palette.colours)
        assert palette.shadow == palette.colours[0]
    with pytest.raises(ValueError, match="3 to 5"):
        palette_from_srgb(NEON[:2])


def test_numbers_depend_on_everything() -> None:
    """Other purposes, names or seeds give other numbers, within 0 and 1."""
    seen = {numbers(p, n, s) for p in ("a", "b") for n in ("x", "y") for s in (0, 1, 2**63 - 1)}
    assert len(seen) == 12
    assert all(0.0 <= value < 1.0 for four in seen for value in four)


def test_the_picture_is_split_at_the_horizon() -> None:
    """Both parts together are the whole picture, and each is on its own side."""

    def area(polygon: list[tuple[float, float]]) -> float:
        pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
        return 0.5 * sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)

    for slope, offset in (((0.2, 1.0), 0.3), ((0.0, 1.0), 3.0), ((-1.0, 0.1), 0.0)):
        above = clip_picture(slope, offset)
        below = clip_picture((-slope[0], -slope[1]), -offset)
        assert area(above) + area(below) == pytest.approx(4.0)
        for x, y in above:
            assert slope[0] * x + slope[1] * y + offset >= -1e-9


def test_every_world_has_its_shader() -> None:
    """Each registered world's shader is packaged, and its includes are resolved."""
    for world in WORLDS.values():
        text = shader_source(world.shader, ["WITH_RAIN"])
        assert "#include" not in text
        assert "void main()" in text
        assert text.startswith("#version 330\n#define WITH_RAIN\n")


def test_defaults_suit_a_shot_that_says_nothing() -> None:
    """An empty shot is still a scene."""
    assert choose_scene(ShotFields()).world.name in WORLDS
