"""CogVideoX, 1.0 and 1.5."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.libraries import library
from tiny_pipelines.texts import WIDTH, t5, unigrams


def cogvideox(kind: str = "CogVideoXPipeline", **more: Any) -> Any:
    diffusers = library("diffusers")

    options: dict[str, Any] = {
        "num_attention_heads": 4,
        "attention_head_dim": 8,
        "in_channels": 4,
        "out_channels": 4,
        "time_embed_dim": 2,
        "text_embed_dim": WIDTH,
        "num_layers": 4,
        "sample_width": 4,
        "sample_height": 4,
        "sample_frames": 9,
        "patch_size": 2,
        "temporal_compression_ratio": 4,
        "max_text_seq_length": 16,
    }
    network = diffusers.CogVideoXTransformer3DModel(**{**options, **more})
    vae = diffusers.AutoencoderKLCogVideoX(
        in_channels=3,
        out_channels=3,
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    return getattr(diffusers, kind)(
        tokenizer=unigrams(),
        text_encoder=t5(),
        vae=vae,
        transformer=network,
        scheduler=diffusers.CogVideoXDDIMScheduler(),
    )


def _cogvideox_image(**more: Any) -> Any:
    # The picture is given beside the noise, in as many channels.
    return cogvideox("CogVideoXImageToVideoPipeline", in_channels=8, **more)


def cogvideox10_image() -> Any:
    # It has learned where tokens are in pictures of one size: 64 by 64 pixels.
    return _cogvideox_image(
        sample_width=8,
        sample_height=8,
        attention_head_dim=16,
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )


_FIFTEEN: dict[str, Any] = {
    "patch_size_t": 2,
    "patch_bias": False,
    "attention_head_dim": 16,
    "sample_width": 8,
    "sample_height": 8,
    "use_rotary_positional_embeddings": True,
}


def cogvideox15() -> Any:
    return cogvideox(**_FIFTEEN)


def cogvideox15_image() -> Any:
    return _cogvideox_image(**_FIFTEEN, ofs_embed_dim=2)
