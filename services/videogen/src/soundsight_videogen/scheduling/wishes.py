"""From a request to what the scheduler wants to know of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from soundsight.videogen.v1 import videogen_pb2
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.backend import total_frames
from soundsight_videogen.scheduling.scheduler import Wish

# What a quality costs against the standard one, where a request does not say its steps.
_COST = {videogen_pb2.QUALITY_DRAFT: 0.5, videogen_pb2.QUALITY_HIGH: 1.7}
_STANDARD_STEPS = 30


def wish_of(request: GenerateClipRequest, model: str, ids: Mapping[str, str]) -> Wish:
    """What the scheduler is told of a clip. Turns are taken by render, where the call names it in
    its `ids`, otherwise by project."""
    inner = request.internal_resolution
    pixels = inner.width * inner.height * total_frames(request)
    care = _COST.get(request.quality, 1.0)
    if request.steps:
        care = request.steps / _STANDARD_STEPS
    return Wish(
        render=ids.get("render") or request.project,
        model=model,
        work=pixels * care,
        draft=request.quality == videogen_pb2.QUALITY_DRAFT,
    )
