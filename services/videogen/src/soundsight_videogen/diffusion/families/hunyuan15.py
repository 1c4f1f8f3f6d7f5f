"""HunyuanVideo 1.5: text to video, and image to video."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.families.family import (
    NEGATIVE,
    PREVIEW,
    START,
    Family,
    Steps,
    Stills,
    Take,
    Traits,
    size_multiple,
)
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.models import ModelFolder


class Hunyuan15(Family):
    """Guides by a component of its own, and reads the text twice: words, and letters to be seen."""

    name = "hunyuan15"
    classes = ("HunyuanVideo15Pipeline", "HunyuanVideo15ImageToVideoPipeline")

    def traits(self, model: ModelFolder) -> Traits:
        """The 8.3B."""
        image = model.class_name == "HunyuanVideo15ImageToVideoPipeline"
        return Traits(
            title="HunyuanVideo 1.5",
            grid=FrameGrid(step=4, offset=1, fewest=5, most=121),
            native_fps=24,
            standard_size=(848, 480),
            size_multiple=max(16, size_multiple(model, 16)),
            most_pixels=1280 * 720,
            steps=Steps(draft=16, standard=30, high=50, distilled=8),
            guidance=6.0,
            capabilities=frozenset({NEGATIVE, PREVIEW, *([START] if image else [])}),
            licence="LicenseRef-Tencent-Hunyuan-Community",
            memory_gib=48.0,
            needs_start=image,
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """The folder's own."""
        return model.class_name

    def prepare(self, pipeline: Any, take: Take) -> None:
        """Guidance is a component."""
        pipeline.guider = pipeline.guider.new(guidance_scale=take.guidance)

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """The image pipeline takes its size from the picture."""
        arguments = {"num_frames": take.frames, "num_inference_steps": take.steps}
        if take.stills.start is not None:
            return {**arguments, "image": take.stills.start}
        return {**arguments, "width": take.size[0], "height": take.size[1]}

    def encode(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """Two encoders, each with a mask."""
        names = ("prompt_embeds", "prompt_embeds_mask", "prompt_embeds_2", "prompt_embeds_mask_2")
        texts = {"": take.prompt, **({"negative_": take.negative_prompt} if take.guided else {})}
        encoded = {}
        for prefix, text in texts.items():
            tensors = pipeline.encode_prompt(
                prompt=text,
                device=pipeline._execution_device,
                dtype=pipeline.transformer.dtype,
                batch_size=1,
            )
            encoded.update(
                {prefix + name: tensor for name, tensor in zip(names, tensors, strict=True)}
            )
        return encoded

    def random_text(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """Both texts at their full lengths."""
        import torch

        config, device = pipeline.transformer.config, pipeline._execution_device
        dtype = pipeline.transformer.dtype
        first, second = pipeline.tokenizer_max_length, pipeline.tokenizer_2_max_length
        text = {
            "prompt_embeds": torch.randn(
                1, first, config.text_embed_dim, dtype=dtype, device=device
            ),
            "prompt_embeds_mask": torch.ones(1, first, dtype=dtype, device=device),
            "prompt_embeds_2": torch.randn(
                1, second, config.text_embed_2_dim, dtype=dtype, device=device
            ),
            "prompt_embeds_mask_2": torch.ones(1, second, dtype=dtype, device=device),
        }
        if take.guided:
            text.update({f"negative_{name}": value.clone() for name, value in text.items()})
        return text


FAMILY = Hunyuan15()
