"""From quantised music cues to what moves the picture, frame by frame. Pure.

All arrays have one value per frame of the clip, handles included. Inside a clip everything is
continuous: speeds are integrated, levels are smoothed, pulses have an attack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]

_ENERGY_SIGMA_S = 0.22
_HEAVE_SIGMA_S = 0.45
_GLOW_SIGMA_S = 1.1
_BASS_ATTACK_S = 0.04
_BASS_RELEASE_S = 0.28
_ONSET_RELEASE_S = 0.16
_BEAT_ATTACK_S = 0.05
_BEAT_RELEASE_S = 0.22
_OFF_BEAT_LEVEL = 0.62
_SILENCE = 4.0 / 255.0
_AUDIBLE = 14.0 / 255.0
# An onset pushes the world's clock: so many times its speed, and how long the push lasts.
_KICK = 3.0
_KICK_RELEASE_S = 0.11
_SLOWEST = 0.22
_FASTEST = 1.6


@dataclass(frozen=True, slots=True)
class Cues:
    """Music cues as they come: uint8 arrays of one length, frame numbers ascending."""

    energy: NDArray[np.uint8]
    bass: NDArray[np.uint8]
    onset: NDArray[np.uint8]
    brightness: NDArray[np.uint8]
    beat_frames: tuple[int, ...]
    downbeat_frames: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Drive:
    """What the music does to each frame. Curves run from 0 to 1 except `time_s`.

    `heave` is the bass as heavy things feel it: slow both ways. `glow` is the energy as the light
    of the whole picture follows it: slower than any flash.
    `kick` is the onset as the camera feels it: at once, and soon over. `time_s` is the world's
    clock: the integral of a speed that follows energy, surges with every kick and stands still in
    silence. It starts at 0 on the clip's first frame.
    """

    energy: Curve
    glow: Curve
    bass: Curve
    heave: Curve
    onset: Curve
    kick: Curve
    brightness: Curve
    beat: Curve
    time_s: Curve


def drive(cues: Cues, rate_hz: float, motion: float) -> Drive:
    """The drive of a clip at `rate_hz` frames per second.

    `motion` (0 to 1) scales the world's speed from 0.4 to 1.3 times.
    """
    raw_energy = _unit(cues.energy)
    energy = gaussian_smooth(raw_energy, _ENERGY_SIGMA_S * rate_hz)
    audible = smoothstep(_SILENCE, _AUDIBLE, energy)
    frames = len(energy)
    onset = _unit(cues.onset)
    kick = follow(onset, 0.0, _KICK_RELEASE_S * rate_hz) * audible
    # Between kicks the world is slower, so that music with many of them does not race.
    surge = (1.0 + _KICK * kick) / (1.0 + 0.5 * _KICK * float(kick.mean()))
    speed = audible * (_SLOWEST + (_FASTEST - _SLOWEST) * energy) * (0.4 + 0.9 * motion) * surge
    return Drive(
        energy=energy,
        glow=gaussian_smooth(raw_energy, _GLOW_SIGMA_S * rate_hz),
        bass=follow(_unit(cues.bass), _BASS_ATTACK_S * rate_hz, _BASS_RELEASE_S * rate_hz),
        heave=gaussian_smooth(_unit(cues.bass), _HEAVE_SIGMA_S * rate_hz),
        onset=follow(onset, 0.0, _ONSET_RELEASE_S * rate_hz),
        kick=kick,
        brightness=gaussian_smooth(_unit(cues.brightness), _ENERGY_SIGMA_S * rate_hz),
        beat=beat_pulse(cues.beat_frames, cues.downbeat_frames, frames, rate_hz) * audible,
        time_s=integral(speed, rate_hz),
    )


def gaussian_smooth(curve: Curve, sigma_frames: float) -> Curve:
    """Zero-phase smoothing with the ends held."""
    if sigma_frames <= 0.0 or len(curve) < 2:
        return curve.astype(np.float64)
    radius = max(1, round(3.0 * sigma_frames))
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    kernel = np.exp(-0.5 * (x / sigma_frames) ** 2)
    padded = np.pad(curve.astype(np.float64), radius, mode="edge")
    smooth: Curve = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return smooth


def follow(curve: Curve, attack_frames: float, release_frames: float) -> Curve:
    """An envelope follower: one pole up, one pole down (time constants in frames)."""
    up = 1.0 if attack_frames <= 0.0 else 1.0 - float(np.exp(-1.0 / attack_frames))
    down = 1.0 if release_frames <= 0.0 else 1.0 - float(np.exp(-1.0 / release_frames))
    out = np.empty(len(curve), dtype=np.float64)
    level = float(curve[0]) if len(curve) else 0.0
    for i, target in enumerate(curve):
        level += (float(target) - level) * (up if target > level else down)
        out[i] = level
    return out


def beat_pulse(
    beat_frames: Sequence[int], downbeat_frames: Sequence[int], frames: int, rate_hz: float
) -> Curve:
    """A soft pulse on every beat, full on downbeats: raised-cosine attack, exponential release."""
    pulse = np.zeros(frames, dtype=np.float64)
    attack = max(1.0, _BEAT_ATTACK_S * rate_hz)
    release = _BEAT_RELEASE_S * rate_hz
    downbeats = frozenset(downbeat_frames)
    index = np.arange(frames, dtype=np.float64)
    for beat in beat_frames:
        level = 1.0 if beat in downbeats else _OFF_BEAT_LEVEL
        age = index - beat
        rising = 0.5 - 0.5 * np.cos(np.pi * np.clip((age + attack) / attack, 0.0, 1.0))
        shape = np.where(age < 0.0, rising, np.exp(-np.maximum(age, 0.0) / release))
        np.maximum(pulse, level * shape, out=pulse)
    return pulse


def integral(speed: Curve, rate_hz: float) -> Curve:
    """Seconds passed at each frame, by the trapezium rule; 0 at the first."""
    steps = 0.5 * (speed[1:] + speed[:-1]) / rate_hz
    return np.concatenate(([0.0], np.cumsum(steps)))


def smoothstep(low: float, high: float, curve: Curve) -> Curve:
    """GLSL's smoothstep."""
    x = np.clip((curve - low) / (high - low), 0.0, 1.0)
    result: Curve = x * x * (3.0 - 2.0 * x)
    return result


def _unit(values: NDArray[np.uint8]) -> Curve:
    return values.astype(np.float64) / 255.0
