"""LTX-2: pictures with sound; the sound is dropped, since the song is the only one."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.families.family import (
    END,
    NEGATIVE,
    PREVIEW,
    START,
    Family,
    Steps,
    Stills,
    Take,
    Traits,
    masked_text,
    plain_arguments,
)
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.libraries import library
from soundsight_videogen.diffusion.models import ModelFolder

_LATENT_FRAMES = 8
_SLOWEST, _FASTEST = 0.6, 1.4
_BLOCKS_FOR_PERTURBATION = 28


class Ltx2(Family):
    """Conditions, and a say in how much moves."""

    name = "ltx2"
    classes = ("LTX2ConditionPipeline", "LTX2Pipeline", "LTX2ImageToVideoPipeline")

    def traits(self, model: ModelFolder) -> Traits:
        """The 19B, of which 14B are the picture's."""
        return Traits(
            title="LTX-2",
            grid=FrameGrid(step=8, offset=1, fewest=9, most=241),
            native_fps=0,
            standard_size=(1280, 704),
            size_multiple=32,
            most_pixels=1920 * 1088,
            steps=Steps(draft=12, standard=30, high=40, distilled=8),
            guidance=4.0,
            capabilities=frozenset({START, END, NEGATIVE, PREVIEW}),
            licence="LicenseRef-LTX-2-Community",
            memory_gib=80.0,
            takes_motion=True,
            text_tokens=1024,
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """The one that takes conditions; it has the same components as the others."""
        return "LTX2ConditionPipeline"

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """Conditions at both ends; guidance by the text alone where steps are few."""
        condition = library("diffusers.pipelines.ltx2.pipeline_ltx2_condition").LTX2VideoCondition
        stills, last = take.stills, take.frames - 1
        conditions = []
        if stills.start is not None:
            conditions.append(condition(frames=stills.start, index=0, strength=1.0))
        if stills.end is not None:
            latent = last // _LATENT_FRAMES
            conditions.append(condition(frames=stills.end, index=latent, strength=1.0))
        blocks = len(pipeline.transformer.transformer_blocks)
        perturbed = min(_BLOCKS_FOR_PERTURBATION, blocks - 1)
        return {
            **plain_arguments(take),
            "frame_rate": take.fps,
            "conditions": conditions or None,
            "motion_speed": _SLOWEST + (_FASTEST - _SLOWEST) * take.motion,
            "spatio_temporal_guidance_blocks": [perturbed],
            # Each of these runs the transformer once more per step.
            "stg_scale": 1.0 if take.guided else 0.0,
            "modality_scale": 3.0 if take.guided else 1.0,
            "audio_guidance_scale": take.guidance,
            "audio_stg_scale": 1.0 if take.guided else 0.0,
            "audio_modality_scale": 3.0 if take.guided else 1.0,
        }

    def encode(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """With attention masks."""
        return masked_text(pipeline, take)


FAMILY = Ltx2()
