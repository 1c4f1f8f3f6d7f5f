"""The Wan family, and SkyReels V2, which is built like it."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.libraries import library
from tiny_pipelines.texts import WIDTH, t5, unigrams


def _wan_vae(**more: Any) -> Any:
    diffusers = library("diffusers")

    options: dict[str, Any] = {
        "base_dim": 3,
        "z_dim": 16,
        "dim_mult": [1, 1, 1, 1],
        "num_res_blocks": 1,
        "temperal_downsample": [False, True, True],
    }
    return diffusers.AutoencoderKLWan(**{**options, **more})


def _wan_network(channels: int = 16, kind: str = "WanTransformer3DModel", **more: Any) -> Any:
    diffusers = library("diffusers")

    options: dict[str, Any] = {
        "patch_size": (1, 2, 2),
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "in_channels": channels,
        "out_channels": 16,
        "text_dim": WIDTH,
        "freq_dim": 256,
        "ffn_dim": 32,
        "num_layers": 4,
        "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads",
        "rope_max_seq_len": 32,
    }
    return getattr(diffusers, kind)(**{**options, **more})


def _wan_parts(**more: Any) -> dict[str, Any]:
    diffusers = library("diffusers")

    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    return {
        "tokenizer": unigrams(),
        "text_encoder": t5("UMT5"),
        "vae": _wan_vae(),
        "scheduler": scheduler,
        "transformer": _wan_network(),
        **more,
    }


def _louder(network: Any, times: float) -> Any:
    """With larger weights: in a few small layers, text and pictures would hardly be seen."""
    import torch

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv3d):
                module.weight.mul_(times)
    return network


def wan21() -> Any:
    diffusers = library("diffusers")

    return diffusers.WanPipeline(**_wan_parts())


def wan21_wide() -> Any:
    # Its layers are wide enough for formats that pack weights by the 32.
    network = _wan_network(attention_head_dim=64, ffn_dim=128)
    diffusers = library("diffusers")

    return diffusers.WanPipeline(**_wan_parts(transformer=network))


def wan22() -> Any:
    diffusers = library("diffusers")

    return diffusers.WanPipeline(**_wan_parts(transformer_2=_wan_network(), boundary_ratio=0.875))


def wan22_five() -> Any:
    diffusers = library("diffusers")

    # It makes pictures of patches of two by two pixels, and so a sixteenth of each side.
    vae = _wan_vae(
        decoder_base_dim=4,
        is_residual=True,
        patch_size=2,
        in_channels=12,
        out_channels=12,
        scale_factor_spatial=16,
    )
    return diffusers.WanPipeline(**_wan_parts(vae=_louder(vae, 2.0), expand_timesteps=True))


def wan21_image(**network: Any) -> Any:
    diffusers = library("diffusers")
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    eyes = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=8,
            projection_dim=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            intermediate_size=16,
            patch_size=8,
        )
    ).eval()
    return diffusers.WanImageToVideoPipeline(
        **_wan_parts(
            transformer=_wan_network(36, image_dim=8, **network),
            image_encoder=eyes,
            image_processor=CLIPImageProcessor(crop_size=32, size=32),
        )
    )


def wan21_ends() -> Any:
    # Each of the two pictures has 16 patches and a token for the whole.
    return wan21_image(pos_embed_seq_len=34)


def wan22_image() -> Any:
    diffusers = library("diffusers")

    return diffusers.WanImageToVideoPipeline(
        **_wan_parts(
            transformer=_wan_network(36), transformer_2=_wan_network(36), boundary_ratio=0.9
        )
    )


def wan_vace() -> Any:
    diffusers = library("diffusers")

    network = _wan_network(
        kind="WanVACETransformer3DModel", num_layers=3, vace_layers=[0, 2], vace_in_channels=96
    )
    parts = _wan_parts(transformer=_louder(network, 3.0), vae=_louder(_wan_vae(), 4.0))
    return diffusers.WanVACEPipeline(**parts)


def skyreels2() -> Any:
    diffusers = library("diffusers")

    network = _wan_network(kind="SkyReelsV2Transformer3DModel", inject_sample_info=True)
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=8.0
    )
    parts = _wan_parts(
        transformer=_louder(network, 3.0), vae=_louder(_wan_vae(), 4.0), scheduler=scheduler
    )
    return diffusers.SkyReelsV2DiffusionForcingPipeline(**parts)
