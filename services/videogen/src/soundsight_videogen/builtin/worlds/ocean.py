"""The ocean: open water under a wide sky."""

from __future__ import annotations

import math
from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand
from soundsight_videogen.builtin.worlds.world import World, world_words

OCEAN = World(
    name="ocean",
    words=world_words(
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
        heading_rad=0.38,
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
    sun_spread_rad=math.radians(26.0),
    aims_at_sun=True,
    # Low enough for a 75 mm lens that looks along the water.
    moon_elevation_rad=(math.radians(4.5), math.radians(9.5)),
    # island, sea stacks, sailing boat, lighthouse, birds
    features=(0.7, 0.4, 0.45, 0.35, 0.6),
)
