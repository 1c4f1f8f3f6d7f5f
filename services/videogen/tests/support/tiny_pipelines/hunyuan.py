"""HunyuanVideo 1.5."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.libraries import library
from tiny_pipelines.texts import pairs, siglip_config, unigrams

_CHAT = "{% for message in messages %}{{ message['content'] }} {% endfor %}"


def hunyuan15(image: bool = False) -> Any:
    diffusers = library("diffusers")
    from transformers import Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel, T5Config, T5EncoderModel

    text = Qwen2_5_VLTextModel(
        Qwen2_5_VLTextConfig(
            vocab_size=300,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            rope_scaling={"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            rope_theta=1000000.0,
        )
    ).eval()
    letters = T5EncoderModel(
        T5Config(
            vocab_size=384, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2,
            feed_forward_proj="gated-gelu", is_encoder_decoder=False,
        )
    ).eval()  # fmt: skip
    network = diffusers.HunyuanVideo15Transformer3DModel(
        in_channels=9,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=4,
        num_refiner_layers=1,
        mlp_ratio=2.0,
        patch_size=1,
        patch_size_t=1,
        text_embed_dim=16,
        text_embed_2_dim=16,
        image_embed_dim=16,
        rope_axes_dim=(2, 2, 4),
        target_size=16,
        task_type="i2v" if image else "t2v",
    )
    vae = diffusers.AutoencoderKLHunyuanVideo15(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(16, 16, 16, 16, 16),
        layers_per_block=1,
        spatial_compression_ratio=16,
        temporal_compression_ratio=4,
    )
    kind = diffusers.HunyuanVideo15Pipeline
    eyes = {}
    if image:
        kind, eyes = diffusers.HunyuanVideo15ImageToVideoPipeline, _siglip()
    return kind(
        **eyes,
        text_encoder=text,
        tokenizer=pairs(["<unk>", "<pad>", "<eos>"], eos_token="<eos>", chat_template=_CHAT),
        transformer=network,
        vae=vae,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder_2=letters,
        tokenizer_2=unigrams(),
        guider=diffusers.ClassifierFreeGuidance(guidance_scale=6.0),
    )


def _siglip() -> dict[str, Any]:
    from transformers import SiglipImageProcessor, SiglipVisionModel

    return {
        "image_encoder": SiglipVisionModel(siglip_config()).eval(),
        "feature_extractor": SiglipImageProcessor(size={"height": 28, "width": 28}),
    }
