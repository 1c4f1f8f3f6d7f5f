"""The worlds that the built-in renderer can film.

A new world is one shader file in `shaders/worlds/` and one entry here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand


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
    features     bits of `place_features` that the shader reads: probability of each
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
    features: tuple[float, ...] = field(default=())

    @property
    def shader(self) -> str:
        """File name of its fragment shader within `shaders/`."""
        return f"worlds/{self.name}.glsl"


def _words(strong: str, fair: str, weak: str) -> MappingProxyType[str, float]:
    return MappingProxyType(
        {
            word: weight
            for words, weight in ((strong, 3.0), (fair, 2.0), (weak, 0.7))
            for word in words.split()
        }
    )


_CITY: Final = World(
    name="city",
    words=_words(
        strong="city street avenue neon alley downtown skyline skyscraper urban metro subway",
        fair="traffic building tower rooftop asphalt crowd club taxi",
        weak="bar window car rain electric lights",
    ),
    times=(
        TimeOfDay.NIGHT,
        TimeOfDay.DUSK,
        TimeOfDay.DAWN,
        TimeOfDay.GOLDEN_HOUR,
        TimeOfDay.DAY,
    ),
    weathers=(
        Weather.RAIN,
        Weather.CLEAR,
        Weather.FOG,
        Weather.CLOUDY,
        Weather.SNOW,
        Weather.STORM,
    ),
    moves=(Move.TRAVEL, Move.PUSH_IN, Move.CRANE_UP, Move.PAN_RIGHT, Move.ORBIT, Move.PAN_LEFT),
    sizes=(Size.WIDE, Size.MEDIUM, Size.WIDE, Size.EXTREME_WIDE),
    angles=(Angle.EYE_LEVEL, Angle.LOW, Angle.EYE_LEVEL, Angle.HIGH),
    rig=Rig(
        stands=MappingProxyType(
            {
                Angle.EYE_LEVEL: Stand(2.3, 0.12),
                Angle.LOW: Stand(0.75, 0.24),
                Angle.HIGH: Stand(17.0, -0.08),
                Angle.AERIAL: Stand(92.0, -0.42),
                Angle.DUTCH: Stand(1.9, 0.18, 0.2),
            }
        ),
        focal=MappingProxyType(
            {
                Size.EXTREME_WIDE: 1.05,
                Size.WIDE: 1.35,
                Size.MEDIUM: 1.9,
                Size.CLOSE_UP: 2.7,
                Size.EXTREME_CLOSE_UP: 3.6,
            }
        ),
        heading_rad=0.16,
        lateral_m=4.2,
        start_z_m=1400.0,
        travel_m_s=6.5,
        push_m_s=2.2,
        pan_rate_rad_s=0.13,
        pan_range_rad=0.8,
        tilt_range_rad=0.5,
        crane_m_s=3.4,
        crane_range_m=26.0,
        orbit_m=8.0,
        orbit_distance_m=26.0,
    ),
    sun_spread_rad=0.5,
)

_OCEAN: Final = World(
    name="ocean",
    words=_words(
        strong="ocean sea tide wave shore coast beach island lighthouse sail boat ship surf",
        fair="horizon harbour harbor gull foam cliff water",
        weak="sky cloud sunset sunrise moonlight calm",
    ),
    times=(
        TimeOfDay.GOLDEN_HOUR,
        TimeOfDay.NIGHT,
        TimeOfDay.DAWN,
        TimeOfDay.DUSK,
        TimeOfDay.DAY,
    ),
    weathers=(
        Weather.CLEAR,
        Weather.CLOUDY,
        Weather.FOG,
        Weather.STORM,
        Weather.RAIN,
        Weather.SNOW,
    ),
    moves=(Move.TRAVEL, Move.PAN_RIGHT, Move.CRANE_UP, Move.PUSH_IN, Move.PAN_LEFT, Move.STATIC),
    sizes=(Size.WIDE, Size.EXTREME_WIDE, Size.WIDE, Size.MEDIUM),
    angles=(Angle.EYE_LEVEL, Angle.HIGH, Angle.LOW, Angle.EYE_LEVEL),
    rig=Rig(
        stands=MappingProxyType(
            {
                Angle.EYE_LEVEL: Stand(2.9, 0.03),
                Angle.LOW: Stand(1.7, 0.09),
                Angle.HIGH: Stand(9.0, -0.08),
                Angle.AERIAL: Stand(40.0, -0.3),
                Angle.DUTCH: Stand(2.6, 0.03, 0.16),
            }
        ),
        focal=MappingProxyType(
            {
                Size.EXTREME_WIDE: 1.1,
                Size.WIDE: 1.5,
                Size.MEDIUM: 2.2,
                Size.CLOSE_UP: 3.0,
                Size.EXTREME_CLOSE_UP: 4.0,
            }
        ),
        heading_rad=0.5,
        lateral_m=40.0,
        start_z_m=600.0,
        travel_m_s=4.0,
        push_m_s=2.0,
        pan_rate_rad_s=0.1,
        pan_range_rad=0.7,
        tilt_range_rad=0.35,
        crane_m_s=1.6,
        crane_range_m=14.0,
        orbit_m=24.0,
        orbit_distance_m=70.0,
    ),
    sun_spread_rad=math.radians(32.0),
    # island, sea stacks, sailing boat, lighthouse, birds
    features=(0.7, 0.4, 0.45, 0.35, 0.6),
)

WORLDS: Final[MappingProxyType[str, World]] = MappingProxyType(
    {world.name: world for world in (_CITY, _OCEAN)}
)
