"""Requests and pictures that several tests of videogen use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soundsight.common.v1.common_pb2 import Color, FrameRate, Resolution
from soundsight.videogen.v1 import shot_pb2
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.media.mezzanine import default_encoder_settings
from soundsight_videogen.builtin.choice import Scene, ShotFields, choose_scene
from soundsight_videogen.builtin.film import paint, plan_film
from soundsight_videogen.builtin.finish import rgb_from_ycc
from soundsight_videogen.builtin.music import Cues
from soundsight_videogen.builtin.painter import Painter

U8 = NDArray[np.uint8]

FPS = 24
PROJECT = "tests"
NEON = ((10, 8, 30), (60, 20, 110), (255, 40, 150), (60, 200, 255), (255, 226, 190))
AMBER = ((16, 12, 20), (84, 40, 40), (214, 110, 40), (250, 180, 90))
ICE = ((8, 14, 30), (40, 80, 130), (120, 170, 210), (225, 235, 245))


def music(frames: int, energy: float = 0.6, beat_every: int = 12) -> Cues:
    """Steady music: even energy, a bass note and an onset on every beat."""
    level = np.full(frames, round(255 * energy), dtype=np.uint8)
    since_beat = np.arange(frames) % beat_every
    decay = (level * np.exp(-since_beat / 4.0)).astype(np.uint8)
    beats = tuple(range(0, frames, beat_every)) if energy > 0.0 else ()
    return Cues(level, decay, decay, level // 2, beats, beats[::4])


def scene(**fields: Any) -> Scene:
    """A scene from shot fields; the neon palette unless told otherwise."""
    return choose_scene(ShotFields(**{"palette": NEON, **fields}))


def pictures(
    painter: Painter, chosen: Scene, cues: Cues, width: int = 192, height: int = 108
) -> Iterator[U8]:
    """Every frame of a scene as RGB (h, w, 3)."""
    for picture in paint(plan_film(chosen, cues, float(FPS)), painter, width, height):
        yield rgb_from_ycc(picture)


def relative_luminance(rgb: U8) -> NDArray[np.float32]:
    """Relative luminance (WCAG 2) of sRGB pictures, last axis consumed, 0 to 1."""
    v = rgb.astype(np.float32) / 255.0
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return (linear @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)).astype(np.float32)


def clip_request(
    key: str,
    *,
    shot_frames: int = 24,
    handles: tuple[int, int] = (6, 5),
    fingerprint: str = "",
    size: tuple[int, int] = (320, 180),
    internal: tuple[int, int] = (160, 90),
    rate: Fraction = Fraction(FPS),
    setting: str = "ocean",
    palette: Sequence[tuple[int, int, int]] = NEON,
    seed: int = 7,
) -> GenerateClipRequest:
    """A valid request for a small clip with music."""
    total = shot_frames + sum(handles)
    cues = music(total)
    return GenerateClipRequest(
        project=PROJECT,
        output_key=f"projects/{PROJECT}/clips/{key}",
        expected_fingerprint=fingerprint,
        shot=shot_pb2.Shot(
            setting=setting,
            time_of_day=shot_pb2.TIME_OF_DAY_DUSK,
            weather=shot_pb2.WEATHER_CLEAR,
            camera=shot_pb2.Camera(move=shot_pb2.CAMERA_MOVE_TRAVEL),
            palette=[Color(red=r, green=g, blue=b) for r, g, b in palette],
            density=0.5,
            motion=0.5,
            place_seed=3,
        ),
        shot_frames=shot_frames,
        handle_in_frames=handles[0],
        handle_out_frames=handles[1],
        frame_rate=FrameRate(num=rate.numerator, den=rate.denominator),
        resolution=Resolution(width=size[0], height=size[1]),
        internal_resolution=Resolution(width=internal[0], height=internal[1]),
        seed=seed,
        cues=shot_pb2.MusicCues(
            energy=cues.energy.tobytes(),
            bass=cues.bass.tobytes(),
            onset=cues.onset.tobytes(),
            brightness=cues.brightness.tobytes(),
            beat_frames=cues.beat_frames,
            downbeat_frames=cues.downbeat_frames,
        ),
        encoder=default_encoder_settings("draft", width=size[0], height=size[1], rate=rate),
    )
