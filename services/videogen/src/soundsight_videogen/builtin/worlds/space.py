"""Space: a ringed giant, a nebula, a plain of ice under a bright world, or a belt of stones."""

from __future__ import annotations

from types import MappingProxyType

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Rig, Size, Stand
from soundsight_videogen.builtin.worlds.world import World, world_words

SPACE = World(
    name="space",
    words=world_words(
        strong="space galaxy cosmos cosmic planet nebula universe asteroid comet astronaut "
        "spaceship interstellar",
        fair="orbit moon stellar satellite meteor crater rocket gravity mars saturn alien",
        weak="star void dust infinity eclipse",
    ),
    times=(TimeOfDay.NIGHT, TimeOfDay.DAWN, TimeOfDay.DUSK),
    weathers=(Weather.CLEAR, Weather.FOG, Weather.STORM),
    moves=(Move.TRAVEL, Move.PUSH_IN, Move.ORBIT, Move.PAN_RIGHT, Move.CRANE_UP, Move.PAN_LEFT),
    sizes=(Size.EXTREME_WIDE, Size.WIDE, Size.WIDE, Size.MEDIUM),
    angles=(Angle.EYE_LEVEL, Angle.LOW, Angle.EYE_LEVEL, Angle.DUTCH),
    rig=Rig(
        stands=MappingProxyType(
            {
                Angle.EYE_LEVEL: Stand(2.4, 0.05),
                Angle.LOW: Stand(1.3, 0.16),
                Angle.HIGH: Stand(9.0, -0.1),
                Angle.AERIAL: Stand(26.0, -0.26),
                Angle.DUTCH: Stand(2.2, 0.07, 0.22),
            }
        ),
        focal=MappingProxyType(
            {
                Size.EXTREME_WIDE: 1.1,
                Size.WIDE: 1.5,
                Size.MEDIUM: 2.1,
                Size.CLOSE_UP: 2.9,
                Size.EXTREME_CLOSE_UP: 4.0,
            }
        ),
        heading_rad=0.22,
        lateral_m=6.0,
        start_z_m=60.0,
        travel_m_s=4.0,
        push_m_s=2.2,
        pan_rate_rad_s=0.07,
        pan_range_rad=0.45,
        tilt_range_rad=0.3,
        crane_m_s=1.6,
        crane_range_m=14.0,
        orbit_m=9.0,
        orbit_distance_m=60.0,
    ),
    sun_spread_rad=0.6,
    # comet, band of a galaxy, rings where the giant is not, a second moon, a storm's eye
    features=(0.4, 0.55, 0.5, 0.6, 0.6),
    kinds=(0.34, 0.56, 0.78),
)
