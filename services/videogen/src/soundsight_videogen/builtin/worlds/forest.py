"""The forest: rows of trunks in the haze, in four kinds of wood."""

from __future__ import annotations

from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand
from soundsight_videogen.builtin.worlds.world import World, world_words

FOREST = World(
    name="forest",
    words=world_words(
        strong="forest wood woods woodland tree trees jungle grove birch pine fern",
        fair="leaves leaf garden meadow swamp moss clearing branches canopy firefly fireflies park",
        weak="nature river stream path green mist root grass wild autumn",
    ),
    times=(
        TimeOfDay.DAWN,
        TimeOfDay.GOLDEN_HOUR,
        TimeOfDay.NIGHT,
        TimeOfDay.DUSK,
        TimeOfDay.DAY,
    ),
    weathers=(
        Weather.CLEAR,
        Weather.FOG,
        Weather.RAIN,
        Weather.CLOUDY,
        Weather.SNOW,
        Weather.STORM,
    ),
    moves=(Move.TRAVEL, Move.PUSH_IN, Move.ORBIT, Move.CRANE_UP, Move.PAN_RIGHT, Move.TILT_UP),
    sizes=(Size.WIDE, Size.EXTREME_WIDE, Size.WIDE, Size.MEDIUM),
    angles=(Angle.EYE_LEVEL, Angle.LOW, Angle.EYE_LEVEL, Angle.HIGH),
    # Nothing grows within 3 m of the middle, and crowns end below 22 m: every stand is in the open.
    rig=Rig(
        stands=MappingProxyType(
            {
                Angle.EYE_LEVEL: Stand(1.75, 0.1),
                Angle.LOW: Stand(0.95, 0.2),
                Angle.HIGH: Stand(5.8, -0.14),
                Angle.AERIAL: Stand(29.0, -0.34),
                Angle.DUTCH: Stand(1.7, 0.12, 0.17),
            }
        ),
        focal=MappingProxyType(
            {
                Size.EXTREME_WIDE: 1.15,
                Size.WIDE: 1.45,
                Size.MEDIUM: 2.0,
                Size.CLOSE_UP: 2.8,
                Size.EXTREME_CLOSE_UP: 3.8,
            }
        ),
        heading_rad=0.26,
        lateral_m=1.5,
        start_z_m=700.0,
        travel_m_s=2.6,
        push_m_s=1.1,
        pan_rate_rad_s=0.09,
        pan_range_rad=0.55,
        tilt_range_rad=0.5,
        crane_m_s=1.1,
        crane_range_m=5.0,
        orbit_m=3.2,
        orbit_distance_m=15.0,
    ),
    sun_spread_rad=0.55,
    # a stream, falling leaves, thick undergrowth, very old trees, autumn
    features=(0.4, 0.5, 0.55, 0.4, 0.35),
    kinds=(0.25, 0.5, 0.75),
)
