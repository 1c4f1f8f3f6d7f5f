"""LTX-Video: fast; pictures anywhere in the clip, and finals that keep a draft."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.families.family import (
    DRAFT,
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
_DECODE_TIMESTEP, _DECODE_NOISE = 0.05, 0.025


class Ltx(Family):
    """Conditions: pictures with the frame at which they are seen."""

    name = "ltx"
    classes = ("LTXConditionPipeline", "LTXPipeline", "LTXImageToVideoPipeline")
    caches = ("first_block", "taylorseer", "pyramid")

    def traits(self, model: ModelFolder) -> Traits:
        """The 2B and the 13B."""
        large = model.config("transformer", "num_layers", 28) > 28
        return Traits(
            title="LTX-Video 13B" if large else "LTX-Video 2B",
            grid=FrameGrid(step=8, offset=1, fewest=9, most=257),
            native_fps=0,
            standard_size=(1216, 704) if large else (768, 512),
            size_multiple=32,
            most_pixels=1280 * 736,
            steps=Steps(draft=16, standard=30, high=50, distilled=8),
            guidance=3.0,
            capabilities=frozenset({START, END, DRAFT, NEGATIVE, PREVIEW}),
            licence="LicenseRef-LTXV-Open-Weights",
            memory_gib=48.0 if large else 20.0,
            text_tokens=256,
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """The one that takes conditions; it has the same components as the others."""
        return "LTXConditionPipeline"

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """Conditions at both ends, or the draft as the whole."""
        condition = library("diffusers.pipelines.ltx.pipeline_ltx_condition").LTXVideoCondition
        stills, last = take.stills, take.frames - 1
        conditions = []
        if stills.start is not None:
            conditions.append(condition(image=stills.start, frame_index=0))
        if stills.end is not None:
            conditions.append(condition(image=stills.end, frame_index=last - last % _LATENT_FRAMES))
        arguments = {
            **plain_arguments(take),
            "frame_rate": take.fps,
            "conditions": conditions or None,
        }
        if stills.draft:
            arguments["latents"] = _latents_of(pipeline, take)
            arguments["denoise_strength"] = 1.0 - take.keep_draft
        if pipeline.vae.config.timestep_conditioning:
            arguments.update(decode_timestep=_DECODE_TIMESTEP, decode_noise_scale=_DECODE_NOISE)
        return arguments

    def encode(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """With attention masks."""
        return masked_text(pipeline, take)

    def random_text(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """As wide as the captions that the transformer takes."""
        import torch

        device, dtype = pipeline._execution_device, pipeline.transformer.dtype
        width = pipeline.transformer.config.caption_channels
        text = {
            "prompt_embeds": torch.randn(1, take.text_tokens, width, dtype=dtype, device=device),
            "prompt_attention_mask": torch.ones(1, take.text_tokens, dtype=dtype, device=device),
        }
        if take.guided:
            text.update({f"negative_{name}": value.clone() for name, value in text.items()})
        return text


def _latents_of(pipeline: Any, take: Take) -> Any:
    """The draft as the latents that denoising begins from."""
    import torch

    width, height = take.size
    video = pipeline.video_processor.preprocess_video(list(take.stills.draft), height, width)
    vae = pipeline.vae
    with torch.no_grad():
        encoded = vae.encode(video.to(pipeline._execution_device, vae.dtype)).latent_dist.mode()
    return pipeline._normalize_latents(encoded, vae.latents_mean, vae.latents_std)


FAMILY = Ltx()
