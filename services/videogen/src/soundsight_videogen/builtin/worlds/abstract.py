"""Pure form and light: a room of lines, a liquid hall, a field of points, a mirror tunnel."""

from __future__ import annotations

from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand
from soundsight_videogen.builtin.worlds.world import World, world_words

ABSTRACT = World(
    name="abstract",
    words=world_words(
        strong="abstract geometry geometric kaleidoscope psychedelic fractal mandala hypnotic",
        fair="pattern particle shape grid tunnel sphere ribbon shard surreal liquid mirror",
        weak="dream form line ring circle wave pulse glass void",
    ),
    times=(TimeOfDay.NIGHT, TimeOfDay.DUSK, TimeOfDay.DAWN, TimeOfDay.DAY),
    weathers=(Weather.CLEAR, Weather.FOG),
    moves=(Move.TRAVEL, Move.PUSH_IN, Move.ORBIT, Move.TRAVEL, Move.PAN_RIGHT, Move.CRANE_UP),
    sizes=(Size.WIDE, Size.EXTREME_WIDE, Size.WIDE, Size.MEDIUM),
    angles=(Angle.EYE_LEVEL, Angle.LOW, Angle.EYE_LEVEL, Angle.HIGH),
    # The shader keeps its forms ahead of wherever this lets the camera go, and its walls around it.
    rig=Rig(
        stands=MappingProxyType(
            {
                Angle.EYE_LEVEL: Stand(4.0, 0.04),
                Angle.LOW: Stand(1.8, 0.12),
                Angle.HIGH: Stand(6.6, -0.1),
                Angle.AERIAL: Stand(8.5, -0.2),
                Angle.DUTCH: Stand(3.6, 0.06, 0.24),
            }
        ),
        focal=MappingProxyType(
            {
                Size.EXTREME_WIDE: 1.05,
                Size.WIDE: 1.4,
                Size.MEDIUM: 1.9,
                Size.CLOSE_UP: 2.6,
                Size.EXTREME_CLOSE_UP: 3.4,
            }
        ),
        heading_rad=0.14,
        lateral_m=5.0,
        start_z_m=40.0,
        travel_m_s=5.0,
        push_m_s=2.4,
        pan_rate_rad_s=0.09,
        pan_range_rad=0.5,
        tilt_range_rad=0.3,
        crane_m_s=0.8,
        crane_range_m=2.0,
        orbit_m=9.0,
        orbit_distance_m=18.0,
    ),
    sun_spread_rad=0.5,
    # lines of equal depth, lit cells, crosses for lines, light along edges, dust
    features=(0.5, 0.6, 0.3, 0.5, 0.6),
    kinds=(0.25, 0.5, 0.75),
)
