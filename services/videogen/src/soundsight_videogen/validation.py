"""What a request must be before anybody works on it. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from soundsight.common.v1.common_pb2 import Resolution
from soundsight.videogen.v1 import profile_pb2, shot_pb2, videogen_pb2
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import FieldViolation, InvalidArgument
from soundsight_kit.media.mezzanine import check_encoder_settings
from soundsight_videogen.backend import total_frames

MAX_PROMPT_CHARACTERS = 10_000
MAX_DETACH_GRACE_S = 600.0
MAX_FRAME_RATE_HZ = 240
_LENS_MM = (4.0, 800.0)
_MOST_SEED = 2**63 - 1
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_KEY = re.compile(r"projects/([^/]+)(/[A-Za-z0-9][A-Za-z0-9._-]{0,254})+")
_MAX_KEY_CHARACTERS = 700


def check_request(request: GenerateClipRequest, profile: profile_pb2.VideoGenProfile) -> None:
    """Raises InvalidArgument with every violation found, each with its field's path."""
    violations = [
        *_identity(request),
        *_frames(request, profile),
        *_pictures(request, profile),
        *_shot(request, profile),
        *_cues(request),
        *_extras(request, profile),
    ]
    # The encoder's check needs a sound rate and size, and stops at its first finding.
    if not violations:
        violations += _encoder(request)
    if violations:
        first = violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        raise InvalidArgument(f"{first[0]}: {first[1]}{more}", field_violations=violations)


def _identity(request: GenerateClipRequest) -> Iterator[FieldViolation]:
    if not _PROJECT.fullmatch(request.project):
        yield "project", "letters, digits, dots, hyphens and underscores; at most 255"
    key = _KEY.fullmatch(request.output_key)
    if key is None or len(request.output_key) > _MAX_KEY_CHARACTERS:
        yield "output_key", "must look like projects/{project}/clips/{key}"
    elif key[1] != request.project:
        yield "output_key", "must lie below projects/{project} of the same request"


def _frames(
    request: GenerateClipRequest, profile: profile_pb2.VideoGenProfile
) -> Iterator[FieldViolation]:
    sound = True
    if request.shot_frames < 1:
        sound = False
        yield "shot_frames", "must be at least 1"
    for name in ("handle_in_frames", "handle_out_frames"):
        if getattr(request, name) < 0:
            sound = False
            yield name, "must not be negative"
    total = total_frames(request)
    if sound and not profile.min_frames <= total <= profile.max_frames:
        bounds = f"{profile.min_frames} to {profile.max_frames}"
        yield "shot_frames", f"handles included a clip has {bounds} frames here, this one {total}"
    rate = request.frame_rate
    if not 1 <= rate.den <= rate.num <= MAX_FRAME_RATE_HZ * rate.den:
        yield "frame_rate", f"1 to {MAX_FRAME_RATE_HZ} frames per second"


def _pictures(
    request: GenerateClipRequest, profile: profile_pb2.VideoGenProfile
) -> Iterator[FieldViolation]:
    yield from _size("resolution", request.resolution, 2, profile.max_pixels)
    yield from _size(
        "internal_resolution", request.internal_resolution, profile.size_multiple,
        profile.max_pixels,
    )  # fmt: skip
    inner = request.internal_resolution
    if profile.resolutions and not any(
        (inner.width, inner.height) == (size.width, size.height) for size in profile.resolutions
    ):
        yield "internal_resolution", "must be one of the sizes that the profile lists"


def _size(name: str, size: Resolution, multiple: int, most: int) -> Iterator[FieldViolation]:
    if size.width < 16 or size.height < 16:
        yield name, "width and height must be at least 16"
    elif size.width % multiple or size.height % multiple:
        yield name, f"width and height must be multiples of {multiple}"
    elif size.width * size.height > most:
        yield name, f"at most {most} pixels"


def _shot(
    request: GenerateClipRequest, profile: profile_pb2.VideoGenProfile
) -> Iterator[FieldViolation]:
    shot = request.shot
    for name in ("prompt", "negative_prompt", "subject", "action", "mood", "setting"):
        if len(getattr(shot, name)) > MAX_PROMPT_CHARACTERS:
            yield f"shot.{name}", f"at most {MAX_PROMPT_CHARACTERS} characters"
    if profile.settings and shot.setting and shot.setting not in profile.settings:
        yield "shot.setting", f"must be one of {', '.join(profile.settings)}, or empty"
    camera = shot.camera
    yield from _known("shot.time_of_day", shot.time_of_day, shot_pb2.TimeOfDay.values())
    yield from _known("shot.weather", shot.weather, shot_pb2.Weather.values())
    yield from _known("shot.camera.move", camera.move, shot_pb2.CameraMove.values())
    yield from _known("shot.camera.size", camera.size, shot_pb2.ShotSize.values())
    yield from _known("shot.camera.angle", camera.angle, shot_pb2.CameraAngle.values())
    yield from _known("quality", request.quality, videogen_pb2.Quality.values())
    if camera.lens_mm != 0 and not _LENS_MM[0] <= camera.lens_mm <= _LENS_MM[1]:
        yield "shot.camera.lens_mm", f"0, or {_LENS_MM[0]:g} to {_LENS_MM[1]:g}"
    if shot.palette and not 3 <= len(shot.palette) <= 5:
        yield "shot.palette", "3 to 5 colours, darkest first, or none"
    for index, colour in enumerate(shot.palette):
        if not all(0 <= value <= 255 for value in (colour.red, colour.green, colour.blue)):
            yield f"shot.palette[{index}]", "red, green and blue must be 0 to 255"
    for name in ("density", "motion"):
        value = getattr(shot, name)
        if not (math.isfinite(value) and 0.0 <= value <= 1.0):
            yield f"shot.{name}", "must be 0 to 1"
    # What is larger than 2^63 - 1 does not fit the field.
    if not 0 <= shot.place_seed <= _MOST_SEED:
        yield "shot.place_seed", "must not be negative"
    if not 0 <= request.seed <= _MOST_SEED:
        yield "seed", "must not be negative"


def _known(name: str, value: int, values: Sequence[int]) -> Iterator[FieldViolation]:
    if value not in values:
        yield name, f"{value} is not a value of this version of the contract"


def _cues(request: GenerateClipRequest) -> Iterator[FieldViolation]:
    if not request.HasField("cues"):
        return
    cues, total = request.cues, max(total_frames(request), 0)
    for name in ("energy", "bass", "onset", "brightness"):
        if len(getattr(cues, name)) != total:
            yield f"cues.{name}", f"one byte per frame of the clip, handles included: {total}"
    for name in ("beat_frames", "downbeat_frames"):
        frames: Sequence[int] = getattr(cues, name)
        if any(a >= b for a, b in itertools.pairwise(frames)):
            yield f"cues.{name}", "must ascend"
        if any(not 0 <= frame < total for frame in frames):
            yield f"cues.{name}", f"must lie in 0 to {total - 1}"
    if not set(cues.downbeat_frames) <= set(cues.beat_frames):
        yield "cues.downbeat_frames", "every downbeat is a beat"


def _extras(
    request: GenerateClipRequest, profile: profile_pb2.VideoGenProfile
) -> Iterator[FieldViolation]:
    able = frozenset(profile.capabilities)
    for name, given, capability in (
        ("start_image", request.HasField("start_image"),
         profile_pb2.VIDEO_CAPABILITY_START_IMAGE),
        ("end_image", request.HasField("end_image"), profile_pb2.VIDEO_CAPABILITY_END_IMAGE),
        ("reference_images", bool(request.reference_images),
         profile_pb2.VIDEO_CAPABILITY_REFERENCE_IMAGES),
        ("draft", request.HasField("draft"), profile_pb2.VIDEO_CAPABILITY_DRAFT_TO_FINAL),
        ("shot.negative_prompt", bool(request.shot.negative_prompt),
         profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT),
    ):  # fmt: skip
        if given and capability not in able:
            yield name, "this backend cannot use it: see the capabilities of its profile"
    if request.steps < 0:
        yield "steps", "must not be negative"
    if not (math.isfinite(request.guidance_scale) and request.guidance_scale >= 0.0):
        yield "guidance_scale", "must be 0 or more"
    grace_s = request.detach_grace.ToNanoseconds() / 1e9
    if not 0.0 <= grace_s <= MAX_DETACH_GRACE_S:
        yield "detach_grace", f"must be 0 to {MAX_DETACH_GRACE_S:g} seconds"
    if request.preview_interval.ToNanoseconds() < 0:
        yield "preview_interval", "must not be negative"


def _encoder(request: GenerateClipRequest) -> list[FieldViolation]:
    size, rate = request.resolution, request.frame_rate
    try:
        check_encoder_settings(
            request.encoder, size.width, size.height, Fraction(rate.num, rate.den)
        )
    except InvalidArgument as error:
        return list(error.field_violations) or [("encoder", error.message)]
    return []
