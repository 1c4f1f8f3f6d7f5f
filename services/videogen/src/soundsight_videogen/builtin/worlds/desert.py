"""The desert: dunes, a salt flat, a long road, towers of red rock."""

from __future__ import annotations

import math
from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand
from soundsight_videogen.builtin.worlds.world import World, world_words

DESERT = World(
    name="desert",
    words=world_words(
        strong="desert dune sand sahara wasteland mesa badlands oasis salt cactus caravan mirage",
        fair="road highway prairie steppe savanna canyon heat dust butte camel tableland",
        weak="sun stone rock plain horizon dry wind",
    ),
    times=(
        TimeOfDay.GOLDEN_HOUR,
        TimeOfDay.DUSK,
        TimeOfDay.DAY,
        TimeOfDay.DAWN,
        TimeOfDay.NIGHT,
    ),
    weathers=(
        Weather.CLEAR,
        Weather.CLOUDY,
        Weather.STORM,
        Weather.FOG,
        Weather.RAIN,
        Weather.SNOW,
    ),
    moves=(Move.TRAVEL, Move.PUSH_IN, Move.PAN_RIGHT, Move.CRANE_UP, Move.ORBIT, Move.PAN_LEFT),
    sizes=(Size.WIDE, Size.EXTREME_WIDE, Size.WIDE, Size.MEDIUM),
    angles=(Angle.EYE_LEVEL, Angle.LOW, Angle.HIGH, Angle.EYE_LEVEL),
    rig=Rig(
        stands=MappingProxyType(
            {
                Angle.EYE_LEVEL: Stand(2.6, 0.02),
                Angle.LOW: Stand(1.0, 0.07),
                Angle.HIGH: Stand(11.0, -0.1),
                Angle.AERIAL: Stand(60.0, -0.3),
                Angle.DUTCH: Stand(2.3, 0.03, 0.17),
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
        heading_rad=0.4,
        lateral_m=36.0,
        start_z_m=900.0,
        travel_m_s=6.0,
        push_m_s=2.4,
        pan_rate_rad_s=0.1,
        pan_range_rad=0.7,
        tilt_range_rad=0.3,
        crane_m_s=2.4,
        crane_range_m=20.0,
        orbit_m=20.0,
        orbit_distance_m=60.0,
    ),
    sun_spread_rad=math.radians(40.0),
    # towers of rock along the road, poles, a caravan, pools on the salt, a tree
    features=(0.5, 0.75, 0.6, 0.75, 0.6),
    kinds=(0.25, 0.5, 0.75),
)
