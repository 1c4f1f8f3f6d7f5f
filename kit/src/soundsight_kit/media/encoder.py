"""Encoder settings of the mezzanine format: defaults, checks, and what they mean to ffmpeg.

The choices behind the format: closed GOPs with forced IDR frames, so that a clip can be cut at
those frames without decoding; x264's `stitchable`, so that the parameter sets depend on the
settings alone and never on the pictures; no scene-cut detection, so that GOPs lie where the
settings say; one thread count, because x264's output depends on it.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import Literal

from soundsight.common.v1 import common_pb2
from soundsight_kit.errors import InvalidArgument

Quality = Literal["draft", "standard", "high"]

_PRESET_AND_CRF: dict[Quality, tuple[str, int]] = {
    "draft": ("superfast", 27),
    "standard": ("superfast", 23),
    "high": ("medium", 17),
}
_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
_PROFILES = frozenset({"baseline", "main", "high"})
_GOP_S = 2
_THREADS = 2
_MAX_THREADS = 64
_FINE_CLOCK_HZ = 10_000
_MAX_TIMESCALE = 2**31 - 1

# Level, macroblocks per second, macroblocks per picture: ITU-T H.264 table A-1.
_LEVELS = (
    ("1", 1_485, 99),
    ("1.1", 3_000, 396),
    ("1.2", 6_000, 396),
    ("1.3", 11_880, 396),
    ("2.1", 19_800, 792),
    ("2.2", 20_250, 1_620),
    ("3", 40_500, 1_620),
    ("3.1", 108_000, 3_600),
    ("3.2", 216_000, 5_120),
    ("4", 245_760, 8_192),
    ("4.2", 522_240, 8_704),
    ("5", 589_824, 22_080),
    ("5.1", 983_040, 36_864),
    ("5.2", 2_073_600, 36_864),
    ("6", 4_177_920, 139_264),
    ("6.1", 8_355_840, 139_264),
    ("6.2", 16_711_680, 139_264),
)
# Most pictures of a level's decoded picture buffer limit reference frames; x264's presets up to
# `medium` use at most 3, which fits when the level is one of these or higher.
_LOWEST_LEVEL = "3.1"


def h264_level(width: int, height: int, rate: Fraction) -> str:
    """The lowest H.264 level, 3.1 at least, that takes pictures of this size at this rate."""
    blocks = -(-width // 16) * -(-height // 16)
    names = [name for name, _, _ in _LEVELS]
    for name, per_second, per_picture in _LEVELS[names.index(_LOWEST_LEVEL) :]:
        if blocks <= per_picture and blocks * rate <= per_second:
            return name if "." in name else f"{name}.0"
    raise InvalidArgument(
        f"{width}x{height} at {float(rate):g} frames per second is beyond H.264's highest level; "
        "choose a smaller picture or a lower rate"
    )


def fine_timescale(rate: Fraction) -> int:
    """A track clock that every frame starts on: 24000 for 24, 30000 for 30000/1001."""
    num = rate.numerator
    return num if num >= _FINE_CLOCK_HZ else num * 1000


def default_encoder_settings(
    quality: Quality = "standard",
    *,
    width: int = 1280,
    height: int = 720,
    rate: Fraction = Fraction(24),
) -> common_pb2.EncoderSettings:
    """The settings a render gets when nobody chose: level and timescale fit size and rate."""
    preset, crf = _PRESET_AND_CRF[quality]
    return common_pb2.EncoderSettings(
        codec="h264",
        profile="high",
        level=h264_level(width, height, rate),
        preset=preset,
        crf=crf,
        gop_frames=max(1, round(_GOP_S * rate)),
        pixel_format="yuv420p",
        colour_space="bt709",
        colour_range="tv",
        timescale=fine_timescale(rate),
        threads=_THREADS,
    )


def check_encoder_settings(
    settings: common_pb2.EncoderSettings, width: int, height: int, rate: Fraction
) -> None:
    """Raises InvalidArgument, naming the field, for settings the mezzanine writer cannot keep."""

    def require(condition: bool, field: str, message: str) -> None:
        if not condition:
            raise InvalidArgument(message, field=field)

    require(settings.codec == "h264", "encoder.codec", "codec must be h264")
    require(settings.profile in _PROFILES, "encoder.profile", "profile: baseline, main or high")
    require(
        settings.level in {n if "." in n else f"{n}.0" for n, _, _ in _LEVELS},
        "encoder.level",
        "level must be an H.264 level such as 4.0",
    )
    require(settings.preset in _PRESETS, "encoder.preset", "preset must be one of x264's presets")
    require(0 <= settings.crf <= 51, "encoder.crf", "crf must be 0 to 51")
    require(
        settings.crf > 0 or settings.profile not in _PROFILES,
        "encoder.crf",
        "crf 0 (lossless) does not exist in the profiles that players know; use 1 or more",
    )
    require(settings.gop_frames >= 1, "encoder.gop_frames", "gop_frames must be at least 1")
    require(
        settings.pixel_format == "yuv420p", "encoder.pixel_format", "pixel_format must be yuv420p"
    )
    require(settings.colour_space == "bt709", "encoder.colour_space", "colour_space must be bt709")
    require(settings.colour_range == "tv", "encoder.colour_range", "colour_range must be tv")
    require(
        1 <= settings.threads <= _MAX_THREADS,
        "encoder.threads",
        f"threads must be 1 to {_MAX_THREADS}",
    )
    require(rate > 0, "frame_rate", "the frame rate must be positive")
    require(
        0 < settings.timescale <= _MAX_TIMESCALE and (settings.timescale / rate).denominator == 1,
        "encoder.timescale",
        f"timescale must be a multiple of {rate.numerator}, so that frames start on whole units",
    )
    require(
        width >= 16 and height >= 16 and width % 2 == 0 and height % 2 == 0,
        "resolution",
        "width and height must be even and at least 16",
    )


def x264_options(
    settings: common_pb2.EncoderSettings, keyframes: Collection[int]
) -> dict[str, str | int]:
    """ffmpeg output options for these settings, with IDR frames at 0 and at `keyframes`."""
    forced = "+".join(f"eq(n,{frame})" for frame in sorted({0, *keyframes}))
    space = settings.colour_space
    return {
        "c:v": "libx264",
        "profile:v": settings.profile,
        "level:v": settings.level,
        "preset": settings.preset,
        "crf": settings.crf,
        "g": settings.gop_frames,
        "sc_threshold": 0,
        "forced-idr": 1,
        "force_key_frames": f"expr:{forced}",
        "x264-params": "stitchable=1:open-gop=0",
        "threads:v": settings.threads,
        "pix_fmt": settings.pixel_format,
        "colorspace": space,
        "color_primaries": space,
        "color_trc": space,
        "color_range": settings.colour_range,
    }
