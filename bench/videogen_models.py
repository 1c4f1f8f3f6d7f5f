"""Models of real size with random weights, made straight on the device.

For timing on a machine that has no weights: the layers are the real ones, the pictures are noise.
Text encoders are left out; random tensors of the right shape stand in for their output. Sizes are
those of the published configurations (model cards on the Hugging Face hub).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soundsight_videogen.diffusion.cards import ModelCard
from soundsight_videogen.diffusion.families import family_of
from soundsight_videogen.diffusion.libraries import diffusers, torch
from soundsight_videogen.diffusion.models import ModelFolder

Part = tuple[str, dict[str, Any]]
"""A class of diffusers and what it is made with."""

_TEXTLESS = ("tokenizer", "text_encoder")


@dataclass(frozen=True)
class Recipe:
    """How a pipeline of random weights is made; `absent` components are not."""

    pipeline: str
    network: Part
    vae: Part
    scheduler: Part
    absent: tuple[str, ...] = _TEXTLESS
    options: dict[str, Any] = field(default_factory=dict)
    guided: bool = False


def _flow(shift: float) -> Part:
    return "UniPCMultistepScheduler", {
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "flow_shift": shift,
    }


def _wan_network(heads: int, layers: int, hidden: int, channels: int = 16) -> Part:
    return "WanTransformer3DModel", {
        "patch_size": (1, 2, 2),
        "num_attention_heads": heads,
        "attention_head_dim": 128,
        "in_channels": channels,
        "out_channels": channels,
        "text_dim": 4096,
        "freq_dim": 256,
        "ffn_dim": hidden,
        "num_layers": layers,
        "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads",
    }


_WAN22_VAE: Part = (
    "AutoencoderKLWan",
    {
        "base_dim": 160,
        "decoder_base_dim": 256,
        "z_dim": 48,
        "is_residual": True,
        "in_channels": 12,
        "out_channels": 12,
        "patch_size": 2,
        "scale_factor_spatial": 16,
        "latents_mean": [0.0] * 48,
        "latents_std": [1.0] * 48,
    },
)


def _ltx(layers: int, head: int) -> Recipe:
    return Recipe(
        "LTXConditionPipeline",
        (
            "LTXVideoTransformer3DModel",
            {"num_layers": layers, "attention_head_dim": head, "cross_attention_dim": 32 * head},
        ),
        ("AutoencoderKLLTXVideo", {}),
        ("FlowMatchEulerDiscreteScheduler", {}),
    )


RANDOM: dict[str, Recipe] = {
    "wan2.1-t2v-1.3b": Recipe(
        "WanPipeline", _wan_network(12, 30, 8960), ("AutoencoderKLWan", {}), _flow(3.0)
    ),
    "wan2.1-t2v-14b": Recipe(
        "WanPipeline", _wan_network(40, 40, 13824), ("AutoencoderKLWan", {}), _flow(5.0)
    ),
    "wan2.2-ti2v-5b": Recipe(
        "WanPipeline",
        _wan_network(24, 30, 14336, 48),
        _WAN22_VAE,
        _flow(5.0),
        options={"expand_timesteps": True},
    ),
    "ltx-video-2b": _ltx(28, 64),
    "ltx-video-13b": _ltx(48, 128),
    "cogvideox-5b": Recipe(
        "CogVideoXPipeline",
        (
            "CogVideoXTransformer3DModel",
            {
                "num_attention_heads": 48,
                "num_layers": 42,
                "use_rotary_positional_embeddings": True,
            },
        ),
        ("AutoencoderKLCogVideoX", {"scaling_factor": 0.7, "invert_scale_latents": True}),
        ("CogVideoXDDIMScheduler", {}),
    ),
    "hunyuan-video-1.5": Recipe(
        "HunyuanVideo15Pipeline",
        ("HunyuanVideo15Transformer3DModel", {"task_type": "t2v"}),
        ("AutoencoderKLHunyuanVideo15", {}),
        ("FlowMatchEulerDiscreteScheduler", {"shift": 7.0}),
        absent=(*_TEXTLESS, "tokenizer_2", "text_encoder_2"),
        guided=True,
    ),
}


@dataclass(frozen=True)
class RandomModel:
    """A model of real size, made anew for each measurement."""

    name: str

    def pipeline(self, device: str, dtype: Any) -> Any:
        """Its pipeline, every weight written straight on the device."""
        recipe = RANDOM[self.name]
        torch().manual_seed(0)
        with _made_on(device, dtype):
            parts = {"transformer": _make(recipe.network), "vae": _make(recipe.vae)}
        for part in parts.values():
            part.eval().requires_grad_(False)
        parts["scheduler"] = _make(recipe.scheduler)
        if recipe.guided:
            parts["guider"] = diffusers().ClassifierFreeGuidance(guidance_scale=6.0)
        nothing = dict.fromkeys(recipe.absent)
        pipeline = getattr(diffusers(), recipe.pipeline)(**parts, **nothing, **recipe.options)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def card(self) -> ModelCard:
        """What the studio needs to know of it, read off parts that hold no weights."""
        recipe = RANDOM[self.name]
        with _made_on("meta", torch().float32):
            configs = {
                "transformer": dict(_make(recipe.network).config),
                "vae": dict(_make(recipe.vae).config),
            }
        index = {**recipe.options, "_class_name": recipe.pipeline}
        folder = ModelFolder(self.name, Path(self.name), index, configs, (), "random weights")
        family = family_of(folder)
        return ModelCard(folder, family, family.traits(folder))


def _make(part: Part) -> Any:
    name, options = part
    return getattr(diffusers(), name)(**options)


@contextmanager
def _made_on(device: str, dtype: Any) -> Iterator[None]:
    library = torch()
    before = library.get_default_dtype()
    library.set_default_dtype(dtype)
    try:
        with library.device(device):
            yield
    finally:
        library.set_default_dtype(before)
