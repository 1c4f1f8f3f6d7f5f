"""From the contract's messages to what the renderer works with. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soundsight.videogen.v1 import shot_pb2 as pb
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.backend import total_frames
from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Size
from soundsight_videogen.builtin.choice import ShotFields
from soundsight_videogen.builtin.music import Cues

# Enums of the contract and of the renderer share their names; the zero means "you choose".
_TIMES = {pb.TimeOfDay.Value(f"TIME_OF_DAY_{each.name}"): each for each in TimeOfDay}
_WEATHERS = {pb.Weather.Value(f"WEATHER_{each.name}"): each for each in Weather}
_MOVES = {pb.CameraMove.Value(f"CAMERA_MOVE_{each.name}"): each for each in Move}
_SIZES = {pb.ShotSize.Value(f"SHOT_SIZE_{each.name}"): each for each in Size}
_ANGLES = {pb.CameraAngle.Value(f"CAMERA_ANGLE_{each.name}"): each for each in Angle}


def shot_fields(request: GenerateClipRequest) -> ShotFields:
    """The shot of a valid request. Mood, subject and action count as words."""
    shot = request.shot
    return ShotFields(
        setting=shot.setting,
        words=" ".join((shot.prompt, shot.subject, shot.action, shot.mood)),
        time_of_day=_TIMES.get(shot.time_of_day),
        weather=_WEATHERS.get(shot.weather),
        move=_MOVES.get(shot.camera.move),
        size=_SIZES.get(shot.camera.size),
        angle=_ANGLES.get(shot.camera.angle),
        lens_mm=shot.camera.lens_mm,
        palette=tuple((colour.red, colour.green, colour.blue) for colour in shot.palette),
        density=shot.density,
        motion=shot.motion,
        place_seed=shot.place_seed,
        seed=request.seed,
    )


def music_cues(request: GenerateClipRequest) -> Cues:
    """The music of a valid request; without cues there is silence."""
    frames, cues = total_frames(request), request.cues

    def curve(values: bytes) -> NDArray[np.uint8]:
        return np.frombuffer(values or bytes(frames), dtype=np.uint8)

    return Cues(
        energy=curve(cues.energy),
        bass=curve(cues.bass),
        onset=curve(cues.onset),
        brightness=curve(cues.brightness),
        beat_frames=tuple(cues.beat_frames),
        downbeat_frames=tuple(cues.downbeat_frames),
    )
