"""What a storyboard's values are called on the page: cameras, hours, cuts, colours."""

from __future__ import annotations

from collections.abc import Mapping

from soundsight.common.v1.common_pb2 import Color, Transition, TransitionKind
from soundsight.scenewriter.v1.storyboard_pb2 import CutReason
from soundsight.videogen.v1 import shot_pb2

MOVES: Mapping[int, str] = {
    shot_pb2.CAMERA_MOVE_STATIC: "static",
    shot_pb2.CAMERA_MOVE_PAN_LEFT: "pan left",
    shot_pb2.CAMERA_MOVE_PAN_RIGHT: "pan right",
    shot_pb2.CAMERA_MOVE_TILT_UP: "tilt up",
    shot_pb2.CAMERA_MOVE_TILT_DOWN: "tilt down",
    shot_pb2.CAMERA_MOVE_PUSH_IN: "push in",
    shot_pb2.CAMERA_MOVE_PULL_OUT: "pull out",
    shot_pb2.CAMERA_MOVE_TRAVEL: "travel forward",
    shot_pb2.CAMERA_MOVE_CRANE_UP: "crane up",
    shot_pb2.CAMERA_MOVE_CRANE_DOWN: "crane down",
    shot_pb2.CAMERA_MOVE_ORBIT: "orbit",
    shot_pb2.CAMERA_MOVE_HANDHELD: "handheld",
}
SIZES: Mapping[int, str] = {
    shot_pb2.SHOT_SIZE_EXTREME_WIDE: "extreme wide",
    shot_pb2.SHOT_SIZE_WIDE: "wide",
    shot_pb2.SHOT_SIZE_MEDIUM: "medium",
    shot_pb2.SHOT_SIZE_CLOSE_UP: "close-up",
    shot_pb2.SHOT_SIZE_EXTREME_CLOSE_UP: "extreme close-up",
}
ANGLES: Mapping[int, str] = {
    shot_pb2.CAMERA_ANGLE_EYE_LEVEL: "eye level",
    shot_pb2.CAMERA_ANGLE_LOW: "low angle",
    shot_pb2.CAMERA_ANGLE_HIGH: "high angle",
    shot_pb2.CAMERA_ANGLE_AERIAL: "aerial",
    shot_pb2.CAMERA_ANGLE_DUTCH: "dutch angle",
}
HOURS: Mapping[int, str] = {
    shot_pb2.TIME_OF_DAY_DAWN: "dawn",
    shot_pb2.TIME_OF_DAY_DAY: "day",
    shot_pb2.TIME_OF_DAY_GOLDEN_HOUR: "golden hour",
    shot_pb2.TIME_OF_DAY_DUSK: "dusk",
    shot_pb2.TIME_OF_DAY_NIGHT: "night",
}
WEATHERS: Mapping[int, str] = {
    shot_pb2.WEATHER_CLEAR: "clear",
    shot_pb2.WEATHER_CLOUDY: "cloudy",
    shot_pb2.WEATHER_RAIN: "rain",
    shot_pb2.WEATHER_FOG: "fog",
    shot_pb2.WEATHER_SNOW: "snow",
    shot_pb2.WEATHER_STORM: "storm",
}
CUTS: Mapping[int, str] = {
    CutReason.CUT_REASON_START: "the song begins",
    CutReason.CUT_REASON_SECTION: "cut on a new section",
    CutReason.CUT_REASON_DOWNBEAT: "cut on a downbeat",
    CutReason.CUT_REASON_BEAT: "cut on a beat",
    CutReason.CUT_REASON_EVENT: "cut on an event in the music",
    CutReason.CUT_REASON_LENGTH: "cut by length, no pulse near",
    CutReason.CUT_REASON_TAKE: "next take of the same shot",
    CutReason.CUT_REASON_USER: "cut moved by hand",
}
_TRANSITIONS: Mapping[int, str] = {
    TransitionKind.TRANSITION_KIND_CROSS_FADE: "cross-fade",
    TransitionKind.TRANSITION_KIND_DIP_TO_BLACK: "dip to black",
}


def camera(shot: shot_pb2.Camera) -> str:
    """Size, angle, move and lens, such as `wide, low angle, push in, 24 mm`."""
    lens = f"{shot.lens_mm:g} mm" if shot.lens_mm else ""
    named = (SIZES.get(shot.size), ANGLES.get(shot.angle), MOVES.get(shot.move), lens)
    return ", ".join(filter(None, named))


def sky(shot: shot_pb2.Shot) -> str:
    """Hour and weather, such as `dusk, rain`."""
    return ", ".join(filter(None, (HOURS.get(shot.time_of_day), WEATHERS.get(shot.weather))))


def transition(into: Transition) -> str:
    """How the film comes into a scene; empty for a plain cut."""
    name = _TRANSITIONS.get(into.kind, "")
    return f"{name} of {into.frames} frames" if name and into.frames else name


def hex_code(colour: Color) -> str:
    """`#1a2b3c`; what is out of range is brought into it."""
    parts = (min(255, max(0, part)) for part in (colour.red, colour.green, colour.blue))
    return "#" + "".join(f"{part:02x}" for part in parts)


def count(number: int, what: str) -> str:
    """`1 scene`, `3 scenes`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
