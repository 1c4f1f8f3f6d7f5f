"""Camera paths: where the camera stands and looks on each frame of a clip. Pure.

A path is driven by the world's clock, not by the frame number: the camera is as fast as the music
and stands still in silence. x is right, y up, z forward; angles are in radians, lengths in metres.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


class Move(enum.Enum):
    """What the camera does."""

    STATIC = "static"
    PAN_LEFT = "pan_left"
    PAN_RIGHT = "pan_right"
    TILT_UP = "tilt_up"
    TILT_DOWN = "tilt_down"
    PUSH_IN = "push_in"
    PULL_OUT = "pull_out"
    TRAVEL = "travel"
    CRANE_UP = "crane_up"
    CRANE_DOWN = "crane_down"
    ORBIT = "orbit"
    HANDHELD = "handheld"


class Size(enum.Enum):
    """How much of the place is seen."""

    EXTREME_WIDE = "extreme_wide"
    WIDE = "wide"
    MEDIUM = "medium"
    CLOSE_UP = "close_up"
    EXTREME_CLOSE_UP = "extreme_close_up"


class Angle(enum.Enum):
    """Height and tilt."""

    EYE_LEVEL = "eye_level"
    LOW = "low"
    HIGH = "high"
    AERIAL = "aerial"
    DUTCH = "dutch"


@dataclass(frozen=True, slots=True)
class Stand:
    """A place to put the camera: height, pitch (up is positive) and roll."""

    height_m: float
    pitch_rad: float = 0.0
    roll_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class Rig:
    """What a world lets its camera do.

    `focal` is the focal length by shot size in half picture heights (1.4: 71 degrees across at
    16:9). `heading_rad` bounds how far the camera may look away from forward at the start;
    `lateral_m` how far it may stand from the middle; `start_z_m` how far along it may start.
    Ranges bound a whole clip's move; rates are per second of world time.
    """

    stands: Mapping[Angle, Stand]
    focal: Mapping[Size, float]
    heading_rad: float
    lateral_m: float
    start_z_m: float
    travel_m_s: float
    push_m_s: float
    pan_rate_rad_s: float
    pan_range_rad: float
    tilt_range_rad: float
    crane_m_s: float
    crane_range_m: float
    orbit_m: float
    orbit_distance_m: float


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """A camera chosen for a scene. `variation` holds four numbers from 0 to 1 from the seed.

    `aim_rad` is where there is something to see (0 is straight ahead, positive right): a long lens,
    which sees little, is turned there.
    """

    move: Move
    size: Size
    angle: Angle
    lens_mm: float
    variation: tuple[float, float, float, float]
    aim_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class CameraPath:
    """Per frame: position (n, 3), basis (n, 3, 3) with rows right, up, forward, focal (n,)."""

    position: Curve
    basis: Curve
    focal: Curve


_FULL_FRAME_HEIGHT_MM = 24.0
_MIN_FOCAL, _MAX_FOCAL = 0.8, 6.0
_HANDHELD_FOCAL = 1.4
# Up to the first a lens sees enough wherever it points; from the second on it is aimed.
_WIDE_FOCAL, _LONG_FOCAL = 1.6, 2.6


def camera_path(plan: CameraPlan, rig: Rig, time_s: Curve) -> CameraPath:
    """The path of a plan over a clip whose world clock is `time_s` (from 0, not falling)."""
    stand = rig.stands[plan.angle]
    a, b, c, d = plan.variation
    total = max(float(time_s[-1]), 1e-6)
    along = time_s / total
    ones = np.ones_like(time_s)

    x = (2.0 * a - 1.0) * rig.lateral_m * 0.6 * ones
    y = stand.height_m * (0.9 + 0.2 * b) * ones
    z = c * rig.start_z_m * ones
    yaw = (2.0 * d - 1.0) * rig.heading_rad * ones
    pitch = stand.pitch_rad * ones
    roll = math.copysign(stand.roll_rad, d - 0.5) * ones
    focal = (plan.lens_mm / (0.5 * _FULL_FRAME_HEIGHT_MM)) or rig.focal[plan.size]
    longing = min(max((focal - _WIDE_FOCAL) / (_LONG_FOCAL - _WIDE_FOCAL), 0.0), 1.0)
    yaw = yaw * (1.0 - 0.75 * longing) + plan.aim_rad * longing
    zoom = ones
    # A long lens turns less, or it would end in an empty sky.
    turning = min(1.0, _WIDE_FOCAL / focal)

    match plan.move:
        case Move.STATIC:
            pass
        case Move.PAN_LEFT | Move.PAN_RIGHT:
            swing = _reach(rig.pan_rate_rad_s, rig.pan_range_rad, total) * turning
            sign = 1.0 if plan.move is Move.PAN_RIGHT else -1.0
            yaw = yaw * 0.5 + sign * swing * (along - 0.5)
        case Move.TILT_UP | Move.TILT_DOWN:
            swing = _reach(rig.pan_rate_rad_s, rig.tilt_range_rad, total) * turning
            sign = 1.0 if plan.move is Move.TILT_UP else -1.0
            pitch = pitch + sign * swing * (along - (0.3 if sign > 0 else 0.7))
        case Move.PUSH_IN | Move.PULL_OUT:
            sign = 1.0 if plan.move is Move.PUSH_IN else -1.0
            z = z + sign * rig.push_m_s * time_s
            zoom = 1.0 + sign * 0.09 * np.minimum(total / 4.0, 1.0) * (along - 0.5)
        case Move.TRAVEL:
            z = z + rig.travel_m_s * time_s
            x = x + 0.12 * rig.lateral_m * np.sin(0.4 * time_s + 6.28 * a)
            roll = roll + 0.012 * np.sin(0.33 * time_s + 6.28 * b)
        case Move.CRANE_UP | Move.CRANE_DOWN:
            rise = _reach(rig.crane_m_s, rig.crane_range_m, total)
            lift = along if plan.move is Move.CRANE_UP else 1.0 - along
            y = y + rise * lift
            pitch = pitch - 0.32 * (rise / rig.crane_range_m) * lift
            z = z + 0.25 * rig.travel_m_s * time_s
        case Move.ORBIT:
            reach = _reach(0.25 * rig.orbit_m, rig.orbit_m, total)
            side = (along - 0.5) * reach * math.copysign(1.0, a - 0.5)
            x = side + 0.3 * x
            yaw = yaw * 0.4 - np.arctan2(side, rig.orbit_distance_m)
        case Move.HANDHELD:
            z = z + 0.3 * rig.travel_m_s * time_s
            # Whoever holds a long lens holds it steadier: the picture shakes no more for it.
            hand = min(1.0, _HANDHELD_FOCAL / focal)
            yaw = yaw + 0.022 * hand * _wander(time_s, 1.0 + 5.0 * a)
            pitch = pitch + 0.015 * hand * _wander(time_s * 1.13, 2.0 + 5.0 * b)
            roll = roll + 0.014 * _wander(time_s * 0.9, 3.0 + 5.0 * c)
            x = x + 0.06 * _wander(time_s * 0.8, 4.0)

    # Nobody's tripod is perfect: a breath of drift keeps every move alive.
    if plan.move is not Move.STATIC:
        yaw = yaw + 0.004 * np.sin(0.5 * time_s + 6.28 * c)
        pitch = pitch + 0.003 * np.sin(0.63 * time_s + 6.28 * d)
    position = np.stack([x, y, z], axis=1)
    return CameraPath(
        position=position,
        basis=_basis(yaw, pitch, roll),
        focal=np.clip(focal * zoom, _MIN_FOCAL, _MAX_FOCAL),
    )


def _reach(rate_per_s: float, most: float, total_s: float) -> float:
    """How far a move gets: short clips move at the full rate, long ones stay within the range."""
    return most * math.tanh(rate_per_s * total_s / most)


def _wander(time_s: Curve, phase: float) -> Curve:
    """A smooth restless curve within about -1 to 1: three sines with no common period."""
    result: Curve = (
        0.5 * np.sin(2.1 * time_s + phase)
        + 0.3 * np.sin(3.7 * time_s + 1.7 * phase)
        + 0.2 * np.sin(6.1 * time_s + 2.9 * phase)
    )
    return result


def _basis(yaw: Curve, pitch: Curve, roll: Curve) -> Curve:
    """Orthonormal rows right, up, forward for each frame."""
    forward = np.stack(
        [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1
    )
    right = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=1)
    up = np.cross(forward, right)
    turn, lean = np.cos(roll)[:, None], np.sin(roll)[:, None]
    return np.stack([turn * right + lean * up, turn * up - lean * right, forward], axis=1)
