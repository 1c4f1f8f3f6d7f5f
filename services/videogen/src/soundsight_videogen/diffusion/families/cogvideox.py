"""CogVideoX: text to video, and finals that keep a draft."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.families.family import (
    DRAFT,
    NEGATIVE,
    PREVIEW,
    START,
    Dialect,
    Family,
    Steps,
    Stills,
    Take,
    Traits,
    plain_arguments,
)
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.models import ModelFolder
from soundsight_videogen.diffusion.sizes import Size


class CogVideoX(Family):
    """The 2B and 5B models, and their image to video sisters."""

    name = "cogvideox"
    classes = ("CogVideoXPipeline", "CogVideoXImageToVideoPipeline")
    caches = ("first_block", "pyramid", "taylorseer")
    frames_first = True

    def traits(self, model: ModelFolder) -> Traits:
        """Version 1.5 films twice the frames at twice the rate.

        It takes two of the VAE's frames as one and fills up what is odd, which its sister that
        begins from a video refuses to: a draft is not kept there. The image model of version 1 has
        learned its positions for pictures of one size.
        """
        newer = model.config("transformer", "patch_size_t") is not None
        image = model.class_name == "CogVideoXImageToVideoPipeline"
        able = {NEGATIVE, PREVIEW}
        if image:
            able.add(START)
        elif not newer:
            able.add(DRAFT)
        small = not model.config("transformer", "use_rotary_positional_embeddings", False)
        return Traits(
            title="CogVideoX 1.5" if newer else "CogVideoX",
            grid=FrameGrid(16, 1, 17, 81) if newer else FrameGrid(8, 1, 9, 49),
            native_fps=16 if newer else 8,
            standard_size=(1360, 768) if newer else (720, 480),
            size_multiple=16,
            most_pixels=1360 * 768 if newer else 720 * 480,
            steps=Steps(draft=16, standard=30, high=50),
            guidance=6.0,
            capabilities=frozenset(able),
            licence="Apache-2.0" if small else "LicenseRef-CogVideoX",
            dtype="float16" if small else "bfloat16",
            memory_gib=24.0 if small else 36.0,
            # Its encoder reads 226 tokens and drops the rest.
            dialect=Dialect(max_characters=800),
            needs_start=image,
            text_tokens=int(model.config("transformer", "max_text_seq_length", 226)),
            sizes=_learned_sizes(model),
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """By what there is to begin with."""
        return "CogVideoXVideoToVideoPipeline" if stills.draft else model.class_name

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """As the three pipelines take them."""
        arguments = plain_arguments(take)
        if take.stills.draft:
            del arguments["num_frames"]
            return {
                **arguments,
                "video": list(take.stills.draft),
                "strength": 1.0 - take.keep_draft,
            }
        if take.stills.start is not None:
            arguments["image"] = take.stills.start
        return arguments

    def random_text(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """As wide as the transformer's text."""
        import torch

        options = {"dtype": pipeline.transformer.dtype, "device": pipeline._execution_device}
        shape = (1, take.text_tokens, pipeline.transformer.config.text_embed_dim)
        return {
            "prompt_embeds": torch.randn(shape, **options),
            "negative_prompt_embeds": torch.randn(shape, **options) if take.guided else None,
        }


def _learned_sizes(model: ModelFolder) -> tuple[Size, ...]:
    """The size that learned positions are for, if there are such."""
    if not model.config("transformer", "use_learned_positional_embeddings", False):
        return ()
    blocks = model.config("vae", "block_out_channels", (0, 0, 0, 0))
    scale = 2 ** (len(blocks) - 1)
    width, height = (
        model.config("transformer", f"sample_{side}", 0) for side in ("width", "height")
    )
    return ((int(width) * scale, int(height) * scale),)


FAMILY = CogVideoX()
