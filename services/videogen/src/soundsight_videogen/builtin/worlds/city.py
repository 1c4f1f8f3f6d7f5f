"""The city: a street canyon of shops, neon and traffic."""

from __future__ import annotations

from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand
from soundsight_videogen.builtin.worlds.world import World, world_words

CITY = World(
    name="city",
    words=world_words(
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
