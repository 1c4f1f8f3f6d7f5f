"""What is to be composed: a checked, plain form of ComposeRequest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from soundsight.common.v1 import common_pb2
from soundsight.composer.v1 import composer_pb2
from soundsight_composer.captions import Caption, read_captions
from soundsight_kit.errors import InvalidArgument
from soundsight_kit.media.encoder import check_encoder_settings
from soundsight_kit.timeline import video_frames

Fade = Literal["cut", "cross", "black", "white"]

_FADES: dict[int, Fade] = {
    common_pb2.TRANSITION_KIND_UNSPECIFIED: "cut",
    common_pb2.TRANSITION_KIND_CUT: "cut",
    common_pb2.TRANSITION_KIND_CROSS_FADE: "cross",
    common_pb2.TRANSITION_KIND_DIP_TO_BLACK: "black",
    common_pb2.TRANSITION_KIND_DIP_TO_WHITE: "white",
}
_DEFAULT_BIT_RATE_BPS = 256_000
_BIT_RATES_BPS = range(32_000, 512_001)
_MAX_GRACE_S = 600


@dataclass(frozen=True, slots=True)
class Shot:
    """One clip and how it is used. Frames of a clip count from its own start, handle included."""

    handle_in: int
    frames: int
    handle_out: int
    fade: Fade = "cut"
    fade_frames: int = 0

    @property
    def clip_frames(self) -> int:
        """Frames of the whole clip."""
        return self.handle_in + self.frames + self.handle_out

    @property
    def end(self) -> int:
        """The clip's frame behind the shot."""
        return self.handle_in + self.frames

    @property
    def fade_before(self) -> int:
        """Frames of the transition before the cut."""
        return self.fade_frames // 2

    @property
    def fade_after(self) -> int:
        """Frames of the transition from the cut on."""
        return self.fade_frames - self.fade_before


@dataclass(frozen=True, slots=True)
class Order:
    """A composition that can be made, as far as the request alone can tell."""

    shots: tuple[Shot, ...]
    captions: tuple[Caption, ...]
    frames: int
    rate: Fraction
    width: int
    height: int
    encoder: common_pb2.EncoderSettings
    samples: int
    sample_rate_hz: int
    bit_rate_bps: int
    poster_frame: int | None


def read_order(request: composer_pb2.ComposeRequest) -> Order:
    """Checks a request.

    Raises InvalidArgument, naming the field, for a request that no composer can fulfil.
    """
    _require(bool(request.project), "project", "the project must be named")
    prefix = f"projects/{request.project}/"
    _require(
        request.output_key.startswith(prefix),
        "output_key",
        f"the output key must lie below {prefix}",
    )
    _require(
        request.frame_rate.num > 0 and request.frame_rate.den > 0,
        "frame_rate",
        "the frame rate must be positive",
    )
    _require(
        0 <= request.detach_grace.ToSeconds() <= _MAX_GRACE_S,
        "detach_grace",
        f"the detach grace is 0 to {_MAX_GRACE_S} s",
    )
    rate = Fraction(request.frame_rate.num, request.frame_rate.den)
    size = request.resolution
    check_encoder_settings(request.encoder, size.width, size.height, rate)
    shots = _read_shots(request.clips)
    frames = sum(shot.frames for shot in shots)
    _require(
        frames == request.frames,
        "frames",
        f"the shots sum to {frames} frames, the video is to have {request.frames}",
    )
    sound = request.soundtrack
    _require(sound.samples > 0, "soundtrack.samples", "the song must have samples")
    _require(sound.sample_rate_hz > 0, "soundtrack.sample_rate_hz", "the rate must be positive")
    _require(sound.HasField("canonical"), "soundtrack.canonical", "the song is missing")
    expected = video_frames(sound.samples, sound.sample_rate_hz, request.frame_rate)
    _require(
        frames == expected,
        "frames",
        f"the song needs {expected} frames at this rate, the shots sum to {frames}",
    )
    bit_rate_bps = sound.bit_rate_bps or _DEFAULT_BIT_RATE_BPS
    _require(
        bit_rate_bps in _BIT_RATES_BPS,
        "soundtrack.bit_rate_bps",
        "the bit rate is 32,000 to 512,000 bits per second",
    )
    _require(request.poster_frame < frames, "poster_frame", f"the video has {frames} frames")
    return Order(
        shots=shots,
        captions=read_captions(request.captions, frames, rate),
        frames=frames,
        rate=rate,
        width=size.width,
        height=size.height,
        encoder=request.encoder,
        samples=sound.samples,
        sample_rate_hz=sound.sample_rate_hz,
        bit_rate_bps=bit_rate_bps,
        poster_frame=request.poster_frame if request.poster_frame >= 0 else None,
    )


def _read_shots(clips: Sequence[composer_pb2.ClipSource]) -> tuple[Shot, ...]:
    _require(len(clips) > 0, "clips", "a video needs at least one clip")
    shots: list[Shot] = []
    for index, clip in enumerate(clips):
        path = f"clips[{index}]"
        _require(clip.HasField("video"), f"{path}.video", "the clip's video is missing")
        _require(clip.shot_frames > 0, f"{path}.shot_frames", "a shot has at least one frame")
        _require(clip.handle_in_frames >= 0, f"{path}.handle_in_frames", "must not be negative")
        _require(clip.handle_out_frames >= 0, f"{path}.handle_out_frames", "must not be negative")
        fade = _FADES.get(clip.transition_in.kind)
        if fade is None:
            raise InvalidArgument("unknown transition", field=f"{path}.transition_in.kind")
        frames = 0 if fade == "cut" else clip.transition_in.frames
        shot = Shot(
            clip.handle_in_frames,
            clip.shot_frames,
            clip.handle_out_frames,
            fade if frames else "cut",
            frames,
        )
        _check_transition(shots[-1] if shots else None, shot, f"{path}.transition_in")
        shots.append(shot)
    return tuple(shots)


def _check_transition(before: Shot | None, shot: Shot, path: str) -> None:
    _require(shot.fade_frames >= 0, path, "a transition cannot have negative length")
    _require(
        shot.fade_after <= shot.frames, path, "the transition is longer than the shot it leads into"
    )
    if before is None:
        _require(shot.fade != "cross", path, "nothing comes before the first shot to fade from")
        return
    _require(
        before.fade_after + shot.fade_before <= before.frames,
        path,
        "the transitions into and out of the shot before overlap",
    )
    if shot.fade == "cross":
        _require(
            shot.handle_in >= shot.fade_before,
            path,
            f"the transition needs a handle_in of {shot.fade_before} frames",
        )
        _require(
            before.handle_out >= shot.fade_after,
            path,
            f"the transition needs a handle_out of {shot.fade_after} frames in the clip before",
        )


def _require(holds: bool, field: str, message: str) -> None:
    if not holds:
        raise InvalidArgument(message, field=field)
