"""From a request to the take a model is asked for: frames, size, steps, guidance, words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from soundsight.videogen.v1 import videogen_pb2
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import FailedPrecondition, InvalidArgument
from soundsight_videogen.backend import total_frames
from soundsight_videogen.diffusion.families.family import (
    DRAFT,
    END,
    REFERENCES,
    START,
    Take,
    Traits,
)
from soundsight_videogen.diffusion.grid import Timing, plan_timing
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.sizes import fit_size, nearest_size

UNGUIDED = 1.0
KEEP_OF_DRAFT = 0.4
"""Share of the noise schedule that a final skips, beginning from its draft: more would keep the
draft's flaws too, less would lose its composition."""


@dataclass(frozen=True, slots=True)
class Given:
    """Which pictures come with a request."""

    start: bool = False
    end: bool = False
    references: int = 0
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A take without its pictures, how the clip's frames come from it, what there is to say."""

    take: Take
    timing: Timing
    notes: tuple[str, ...]


def plan_take(
    request: GenerateClipRequest,
    traits: Traits,
    settings: StudioSettings,
    given: Given,
    *,
    ranks: int = 1,
) -> Plan:
    """Plans a valid request, to be filmed by `ranks` processes together.

    Raises FailedPrecondition for clips beyond the model, InvalidArgument for pictures that it
    needs and lacks or cannot use.
    """
    _check_pictures(traits, given)
    rate = Fraction(request.frame_rate.num, request.frame_rate.den)
    native = Fraction(traits.native_fps) if traits.native_fps else None
    timing = plan_timing(total_frames(request), rate, traits.grid, native)
    wanted = request.internal_resolution.width, request.internal_resolution.height
    if traits.sizes:
        size = nearest_size(wanted, traits.sizes)
    else:
        size = fit_size(
            wanted, multiple=traits.size_multiple, most_pixels=traits.most_pixels, parts=ranks
        )
    notes = list(timing.notes())
    if size != wanted:
        notes.append(f"made at {size[0]}x{size[1]} rather than {wanted[0]}x{wanted[1]}")
    if (
        given.references == 0
        and not given.draft
        and request.quality == videogen_pb2.QUALITY_HIGH
        and DRAFT not in traits.capabilities
    ):
        notes.append("this model cannot keep a draft's composition: a final differs from its draft")
    take = Take(
        prompt=request.shot.prompt,
        negative_prompt=request.shot.negative_prompt,
        size=size,
        frames=timing.native_frames,
        fps=float(timing.native_rate),
        steps=request.steps or _steps(request.quality, traits, settings),
        guidance=request.guidance_scale or (UNGUIDED if settings.distilled else traits.guidance),
        seed=request.seed,
        motion=request.shot.motion,
        keep_draft=KEEP_OF_DRAFT if given.draft else 0.0,
        text_tokens=traits.text_tokens,
    )
    return Plan(take, timing, tuple(notes))


def _steps(quality: int, traits: Traits, settings: StudioSettings) -> int:
    steps = traits.steps
    if settings.distilled:
        return steps.distilled
    if quality == videogen_pb2.QUALITY_DRAFT:
        return steps.draft
    return steps.high if quality == videogen_pb2.QUALITY_HIGH else steps.standard


def _check_pictures(traits: Traits, given: Given) -> None:
    for present, capability, field in (
        (given.start, START, "start_image"),
        (given.end, END, "end_image"),
        (given.references > 0, REFERENCES, "reference_images"),
        (given.draft, DRAFT, "draft"),
    ):
        if present and capability not in traits.capabilities:
            raise InvalidArgument(f"{traits.title} cannot use it", field=field)
    if traits.needs_start and not given.start:
        raise FailedPrecondition(
            f"{traits.title} films from a first picture and the request has none: give a "
            "start_image, or film with a model that needs none",
            reason="START_IMAGE_NEEDED",
        )
    if traits.needs_end and not given.end:
        raise FailedPrecondition(
            f"{traits.title} films between two pictures and the request has no last one: give an "
            "end_image, or film with a model that needs none",
            reason="END_IMAGE_NEEDED",
        )
