"""A wrong request is refused with the paths of all its wrong fields."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from videogen_requests import clip_request

from soundsight.common.v1.common_pb2 import ArtifactRef, Color
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import InvalidArgument
from soundsight_videogen.builtin.renderer import BuiltInRenderer
from soundsight_videogen.validation import check_request

Change = Callable[[GenerateClipRequest], object]

PROFILE = BuiltInRenderer(slots=1).profile

WRONG: list[tuple[str, Change]] = [
    ("project", lambda r: setattr(r, "project", "../other")),
    ("output_key", lambda r: setattr(r, "output_key", "projects/tests/../../etc/passwd")),
    ("output_key", lambda r: setattr(r, "output_key", "projects/others/clips/k")),
    ("shot_frames", lambda r: setattr(r, "shot_frames", 0)),
    ("shot_frames", lambda r: setattr(r, "shot_frames", PROFILE.max_frames)),
    ("handle_in_frames", lambda r: setattr(r, "handle_in_frames", -1)),
    ("handle_out_frames", lambda r: setattr(r, "handle_out_frames", -1)),
    ("frame_rate", lambda r: setattr(r.frame_rate, "den", 0)),
    ("frame_rate", lambda r: setattr(r.frame_rate, "den", 1_000)),  # a frame lasts 40 s
    ("frame_rate", lambda r: setattr(r.frame_rate, "num", 100_000)),
    ("resolution", lambda r: setattr(r.resolution, "width", 321)),
    ("resolution", lambda r: setattr(r.resolution, "width", 2**30)),
    ("internal_resolution", lambda r: setattr(r.internal_resolution, "height", 0)),
    ("shot.setting", lambda r: setattr(r.shot, "setting", "moon")),
    ("shot.prompt", lambda r: setattr(r.shot, "prompt", "x" * 10_001)),
    ("shot.weather", lambda r: setattr(r.shot, "weather", 99)),
    ("shot.camera.move", lambda r: setattr(r.shot.camera, "move", 99)),
    ("shot.camera.lens_mm", lambda r: setattr(r.shot.camera, "lens_mm", -3.0)),
    ("shot.palette", lambda r: r.shot.palette.extend([Color()] * 3)),
    ("shot.palette[1]", lambda r: setattr(r.shot.palette[1], "red", 256)),
    ("shot.density", lambda r: setattr(r.shot, "density", 1.5)),
    ("shot.motion", lambda r: setattr(r.shot, "motion", float("nan"))),
    ("shot.place_seed", lambda r: setattr(r.shot, "place_seed", -1)),
    ("seed", lambda r: setattr(r, "seed", -1)),
    ("quality", lambda r: setattr(r, "quality", 42)),
    ("cues.energy", lambda r: setattr(r.cues, "energy", b"short")),
    ("cues.beat_frames", lambda r: r.cues.beat_frames.append(10_000)),
    ("cues.beat_frames", lambda r: r.cues.beat_frames.append(0)),
    ("cues.downbeat_frames", lambda r: r.cues.downbeat_frames.append(5)),
    ("start_image", lambda r: r.start_image.CopyFrom(ArtifactRef(uri="file:///x"))),
    ("reference_images", lambda r: r.reference_images.add()),
    ("shot.negative_prompt", lambda r: setattr(r.shot, "negative_prompt", "blur")),
    ("steps", lambda r: setattr(r, "steps", -1)),
    ("guidance_scale", lambda r: setattr(r, "guidance_scale", float("inf"))),
    ("detach_grace", lambda r: r.detach_grace.FromSeconds(601)),
    ("preview_interval", lambda r: r.preview_interval.FromSeconds(-1)),
    ("encoder.crf", lambda r: setattr(r.encoder, "crf", 99)),
    ("encoder.timescale", lambda r: setattr(r.encoder, "timescale", 1001)),
]


@pytest.mark.parametrize(
    ("path", "change"), WRONG, ids=[f"{p}-{i}" for i, (p, _) in enumerate(WRONG)]
)
def test_each_wrong_field_is_named(path: str, change: Change) -> None:
    """One wrong field is refused, and its path is among the violations."""
    request = clip_request("k")
    change(request)
    with pytest.raises(InvalidArgument) as refused:
        check_request(request, PROFILE)
    assert path in {field for field, _ in refused.value.field_violations}


def test_all_wrong_fields_are_named_at_once() -> None:
    """A caller need not try again and again."""
    request = clip_request("k", setting="moon")
    request.seed = -1
    request.shot_frames = 0
    with pytest.raises(InvalidArgument) as refused:
        check_request(request, PROFILE)
    fields = {field for field, _ in refused.value.field_violations}
    assert {"shot.setting", "seed", "shot_frames"} <= fields


def test_what_may_be_left_out_may_be_left_out() -> None:
    """Without cues, palette, setting or prompt a request is still whole."""
    request = clip_request("k")
    check_request(request, PROFILE)
    request.ClearField("cues")
    request.ClearField("shot")
    check_request(request, PROFILE)
