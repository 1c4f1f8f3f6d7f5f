"""The mountains: a knife edge, a valley of cloud, a north face, a pass with a lake."""

from __future__ import annotations

import math
from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand
from soundsight_videogen.builtin.worlds.world import World, world_words

MOUNTAINS = World(
    name="mountains",
    words=world_words(
        strong="mountain alps peak summit glacier valley ridge hill highland fjord avalanche",
        fair="hill cliff canyon volcano snowfield pass climber lake pine eagle slope",
        weak="snow rock ice cloud sky cold wind high",
    ),
    times=(
        TimeOfDay.DAWN,
        TimeOfDay.GOLDEN_HOUR,
        TimeOfDay.DUSK,
        TimeOfDay.DAY,
        TimeOfDay.NIGHT,
    ),
    weathers=(
        Weather.CLEAR,
        Weather.CLOUDY,
        Weather.SNOW,
        Weather.FOG,
        Weather.STORM,
        Weather.RAIN,
    ),
    moves=(Move.TRAVEL, Move.CRANE_UP, Move.PAN_RIGHT, Move.PUSH_IN, Move.ORBIT, Move.PAN_LEFT),
    sizes=(Size.WIDE, Size.EXTREME_WIDE, Size.WIDE, Size.MEDIUM),
    angles=(Angle.EYE_LEVEL, Angle.HIGH, Angle.LOW, Angle.EYE_LEVEL),
    rig=Rig(
        stands=MappingProxyType(
            {
                Angle.EYE_LEVEL: Stand(3.2, 0.1),
                Angle.LOW: Stand(1.6, 0.17),
                Angle.HIGH: Stand(16.0, 0.0),
                Angle.AERIAL: Stand(90.0, -0.2),
                Angle.DUTCH: Stand(3.0, 0.11, 0.15),
            }
        ),
        focal=MappingProxyType(
            {
                Size.EXTREME_WIDE: 1.1,
                Size.WIDE: 1.5,
                Size.MEDIUM: 2.2,
                Size.CLOSE_UP: 3.2,
                Size.EXTREME_CLOSE_UP: 4.4,
            }
        ),
        heading_rad=0.5,
        lateral_m=18.0,
        start_z_m=420.0,
        travel_m_s=9.0,
        push_m_s=4.0,
        pan_rate_rad_s=0.09,
        pan_range_rad=0.7,
        tilt_range_rad=0.3,
        crane_m_s=4.0,
        crane_range_m=36.0,
        orbit_m=24.0,
        orbit_distance_m=120.0,
    ),
    sun_spread_rad=math.radians(75.0),
    # mist on the lake, an eagle, northern light, a banner of snow, pines
    features=(0.7, 0.5, 0.75, 0.5, 0.8),
)
