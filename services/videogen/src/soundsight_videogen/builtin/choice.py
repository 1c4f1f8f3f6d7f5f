"""From what a shot says to what is drawn: world, palette, light, camera. Pure."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from soundsight_videogen.builtin.atmosphere import Atmosphere, TimeOfDay, Weather, atmosphere
from soundsight_videogen.builtin.camera import Angle, CameraPlan, Move, Size
from soundsight_videogen.builtin.colour import Palette, palette_from_srgb
from soundsight_videogen.builtin.worlds import WORLDS, World

T = TypeVar("T")
Four = tuple[float, float, float, float]

DEFAULT_PALETTE = ((10, 12, 28), (52, 28, 92), (196, 44, 120), (64, 190, 220), (246, 214, 168))


@dataclass(frozen=True, slots=True)
class ShotFields:
    """What a shot says; None and empty texts leave the choice to the renderer."""

    setting: str = ""
    words: str = ""
    time_of_day: TimeOfDay | None = None
    weather: Weather | None = None
    move: Move | None = None
    size: Size | None = None
    angle: Angle | None = None
    lens_mm: float = 0.0
    palette: Sequence[tuple[int, int, int]] = ()
    density: float = 0.5
    motion: float = 0.5
    place_seed: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything about a clip's picture that is not the music."""

    world: World
    palette: Palette
    light: Atmosphere
    camera: CameraPlan
    density: float
    motion: float
    place: Four
    place_features: tuple[float, ...]
    variation: Four


_TIME_WORDS = {
    TimeOfDay.DAWN: ("dawn", "sunrise", "daybreak", "first light", "morning"),
    TimeOfDay.DAY: ("noon", "midday", "daylight", "afternoon", "bright day"),
    TimeOfDay.GOLDEN_HOUR: ("golden hour", "sunset", "low sun", "evening sun"),
    TimeOfDay.DUSK: ("dusk", "twilight", "blue hour", "nightfall"),
    TimeOfDay.NIGHT: ("night", "midnight", "moonlight", "moonlit", "neon", "stars"),
}

_WEATHER_WORDS = {
    Weather.STORM: ("storm", "thunder", "tempest", "lightning"),
    Weather.RAIN: ("rain", "drizzle", "downpour", "wet street", "puddle"),
    Weather.SNOW: ("snow", "blizzard", "frost"),
    Weather.FOG: ("fog", "mist", "haze", "smoke"),
    Weather.CLOUDY: ("cloud", "overcast", "grey sky", "gray sky"),
    Weather.CLEAR: ("clear", "cloudless", "blue sky", "starry"),
}


def choose_scene(shot: ShotFields) -> Scene:
    """Chooses what a shot's fields and words leave open.

    The place (its houses, its sun, its islands) follows from `place_seed` alone, so that a chorus
    comes back to where it was; where the camera stands follows from `seed`.
    """
    world = choose_world(shot.setting, shot.words, shot.place_seed)
    place = numbers("place", world.name, shot.place_seed)
    place_more = numbers("features", world.name, shot.place_seed)
    variation = numbers("variation", world.name, shot.seed)
    taste = numbers("taste", world.name, shot.seed)
    time_of_day = (
        shot.time_of_day
        or _mentioned(_TIME_WORDS, shot.words)
        or _pick(world.times, place_more[0] ** 2)
    )
    weather = (
        shot.weather
        or _mentioned(_WEATHER_WORDS, shot.words)
        or _pick(world.weathers, place_more[1] ** 2)
    )
    palette = palette_from_srgb(shot.palette or DEFAULT_PALETTE)
    sun_azimuth_rad = (2.0 * place_more[2] - 1.0) * world.sun_spread_rad
    chances = (*place[2:], *place_more, *place[:2])
    return Scene(
        world=world,
        palette=palette,
        light=atmosphere(
            time_of_day,
            weather,
            palette,
            sun_azimuth_rad=sun_azimuth_rad,
            moon_elevation_rad=_between(world.moon_elevation_rad, place_more[3]),
        ),
        camera=CameraPlan(
            move=shot.move or _pick(world.moves, taste[0]),
            size=shot.size or _pick(world.sizes, taste[1]),
            angle=shot.angle or _pick(world.angles, taste[2]),
            lens_mm=shot.lens_mm,
            variation=variation,
            aim_rad=sun_azimuth_rad if world.aims_at_sun else 0.0,
        ),
        density=min(max(shot.density, 0.0), 1.0),
        motion=min(max(shot.motion, 0.0), 1.0),
        place=place,
        place_features=tuple(
            1.0 if chance < likely else 0.0
            for chance, likely in zip(chances, world.features, strict=False)
        ),
        variation=numbers("detail", world.name, shot.seed),
    )


def choose_world(setting: str, words: str, place_seed: int) -> World:
    """The world that a setting names; otherwise the one whose words are said most.

    Words that fit no world leave it to the place's seed, so that a place never changes.
    """
    named = WORLDS.get(setting.strip().lower())
    if named is not None:
        return named
    said = re.findall(r"[a-z]+", f"{setting} {setting} {words}".lower())
    scores = {
        name: sum(max(world.words.get(word, 0.0), world.words.get(_singular(word), 0.0))
                  for word in said)
        for name, world in WORLDS.items()
    }  # fmt: skip
    best = max(scores.values())
    if best <= 0.0:
        return _pick(tuple(WORLDS.values()), numbers("world", "", place_seed)[0])
    return WORLDS[next(name for name, score in scores.items() if score == best)]


def numbers(purpose: str, name: str, seed: int) -> Four:
    """Four numbers in [0, 1) that depend on all arguments and nothing else.

    Multiples of 2^-24, so that they are exact as 32-bit floats on the way to a shader.
    """
    digest = hashlib.sha256(f"{purpose}/{name}/{seed}".encode()).digest()
    a, b, c, d = (word >> 8 for word in struct.unpack(">4I", digest[:16]))
    return a / 2**24, b / 2**24, c / 2**24, d / 2**24


def _pick(options: Sequence[T], where: float) -> T:
    return options[min(math.floor(where * len(options)), len(options) - 1)]


def _between(ends: tuple[float, float] | None, where: float) -> float | None:
    return None if ends is None else ends[0] + (ends[1] - ends[0]) * where


def _mentioned(vocabulary: Mapping[T, Sequence[str]], words: str) -> T | None:
    """The entry with a word or phrase that begins earliest in the text, if any."""
    text = words.lower()
    found = [
        (match.start(), order, entry)
        for order, (entry, phrases) in enumerate(vocabulary.items())
        for phrase in phrases
        if (match := re.search(rf"\b{re.escape(phrase)}", text)) is not None
    ]
    return min(found, key=lambda item: item[:2])[2] if found else None


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") else word
