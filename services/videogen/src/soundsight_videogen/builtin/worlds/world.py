"""What a world is to the renderer: a shader and what may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size


@dataclass(frozen=True, slots=True)
class World:
    """A world: a fragment shader and what may be asked of it.

    name         the `setting` that chooses it, and its shader's file name
    words        words of a prompt that choose it, with their weight
    times        times of day, the one for "you choose" first
    weathers     weathers, the one for "you choose" first
    moves        camera moves that suit it when nobody asks for one
    sizes        shot sizes that suit it when nobody asks for one
    angles       camera angles that suit it when nobody asks for one
    sun_spread_rad  how far from straight ahead the sun may stand
    aims_at_sun  whether long lenses are turned towards the sun: the rest may be empty
    moon_elevation_rad  how low and how high a place's moon may stand; None: as everywhere
    features     bits of `place_features` that the shader reads: probability of each
    kinds        where in `place.x` one kind of place ends and the next begins: the shader of each
                 is compiled for itself, with KIND defined, and pays for no other
    """

    name: str
    words: MappingProxyType[str, float]
    times: tuple[TimeOfDay, ...]
    weathers: tuple[Weather, ...]
    moves: tuple[Move, ...]
    sizes: tuple[Size, ...]
    angles: tuple[Angle, ...]
    rig: Rig
    sun_spread_rad: float
    aims_at_sun: bool = False
    moon_elevation_rad: tuple[float, float] | None = None
    features: tuple[float, ...] = field(default=())
    kinds: tuple[float, ...] = field(default=())

    @property
    def shader(self) -> str:
        """File name of its fragment shader within `shaders/`."""
        return f"worlds/{self.name}.glsl"


def world_words(strong: str, fair: str, weak: str) -> MappingProxyType[str, float]:
    """Words of a prompt that choose a world, with their weights, from lists between spaces."""
    return MappingProxyType(
        {
            word: weight
            for words, weight in ((strong, 3.0), (fair, 2.0), (weak, 0.7))
            for word in words.split()
        }
    )
