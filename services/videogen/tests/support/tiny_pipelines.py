"""Tiny video pipelines with random weights, made on the spot and saved as real ones are.

One for every family that the studio knows, some hundred thousand weights each: enough to go through
the real loader and the real pipelines in a second, never enough for a picture of anything.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from soundsight_videogen.diffusion.libraries import library

WIDTH = 32
"""Width of the text encoders."""

_WORDS = (
    "a neon city at night in the rain",
    "the ocean at sunset, a slow dolly",
    "low quality, blurry, watermark",
    "a singer on a stage in warm light",
)


def make_tiny(name: str, folder: Path) -> Path:
    """Saves the pipeline `name`, one of TINY or VARIANTS, to a folder."""
    import torch

    torch.manual_seed(0)
    {**TINY, **VARIANTS}[name]().save_pretrained(folder)
    return folder


def make_gguf(model: Path, file: Path) -> Path:
    """Saves a model's transformer as a GGUF file: what can be packed by the 32 in 8 bits."""
    gguf, load_file = library("gguf"), library("safetensors.torch").load_file

    (weights,) = (model / "transformer").glob("*.safetensors")
    packed = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(str(file), "wan")
    for name, tensor in load_file(weights).items():
        numbers = tensor.numpy()
        if name.startswith("blocks.") and numbers.ndim == 2 and numbers.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quants.quantize(numbers, packed), raw_dtype=packed)
        else:
            writer.add_tensor(name, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _unigrams(vocabulary: int = 200) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    specials = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=specials, unk_token="<unk>"
    )
    tokenizer.train_from_iterator(_WORDS * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=512,
    )


def _pairs(specials: list[str], **named: Any) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=240, special_tokens=specials)
    tokenizer.train_from_iterator(_WORDS * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", **named
    )


def _t5(kind: str = "T5") -> Any:
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        vocab_size=256,
        d_model=WIDTH,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    return getattr(transformers, f"{kind}EncoderModel")(config).eval()


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
        "tokenizer": _unigrams(),
        "text_encoder": _t5("UMT5"),
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


def _wan21() -> Any:
    diffusers = library("diffusers")

    return diffusers.WanPipeline(**_wan_parts())


def _wan21_wide() -> Any:
    # Its layers are wide enough for formats that pack weights by the 32.
    network = _wan_network(attention_head_dim=64, ffn_dim=128)
    diffusers = library("diffusers")

    return diffusers.WanPipeline(**_wan_parts(transformer=network))


def _wan22() -> Any:
    diffusers = library("diffusers")

    return diffusers.WanPipeline(**_wan_parts(transformer_2=_wan_network(), boundary_ratio=0.875))


def _wan22_five() -> Any:
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


def _wan21_image(**network: Any) -> Any:
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


def _wan21_ends() -> Any:
    # Each of the two pictures has 16 patches and a token for the whole.
    return _wan21_image(pos_embed_seq_len=34)


def _wan22_image() -> Any:
    diffusers = library("diffusers")

    return diffusers.WanImageToVideoPipeline(
        **_wan_parts(
            transformer=_wan_network(36), transformer_2=_wan_network(36), boundary_ratio=0.9
        )
    )


def _wan_vace() -> Any:
    diffusers = library("diffusers")

    network = _wan_network(
        kind="WanVACETransformer3DModel", num_layers=3, vace_layers=[0, 2], vace_in_channels=96
    )
    parts = _wan_parts(transformer=_louder(network, 3.0), vae=_louder(_wan_vae(), 4.0))
    return diffusers.WanVACEPipeline(**parts)


def _ltx() -> Any:
    diffusers = library("diffusers")

    network = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=4,
        caption_channels=WIDTH,
    )
    vae = diffusers.AutoencoderKLLTXVideo(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1,) * 5,
        decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    return diffusers.LTXPipeline(
        tokenizer=_unigrams(),
        text_encoder=_t5(),
        vae=vae,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        transformer=network,
    )


def _cogvideox(kind: str = "CogVideoXPipeline", **more: Any) -> Any:
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
        tokenizer=_unigrams(),
        text_encoder=_t5(),
        vae=vae,
        transformer=network,
        scheduler=diffusers.CogVideoXDDIMScheduler(),
    )


def _cogvideox_image(**more: Any) -> Any:
    # The picture is given beside the noise, in as many channels.
    return _cogvideox("CogVideoXImageToVideoPipeline", in_channels=8, **more)


def _cogvideox10_image() -> Any:
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


def _cogvideox15() -> Any:
    return _cogvideox(**_FIFTEEN)


def _cogvideox15_image() -> Any:
    return _cogvideox_image(**_FIFTEEN, ofs_embed_dim=2)


def _gemma() -> Any:
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3TextConfig,
        SiglipVisionConfig,
    )

    text = Gemma3TextConfig(
        vocab_size=256,
        hidden_size=WIDTH,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=64,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    vision = SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    config = Gemma3Config(
        text_config=text.to_dict(),
        vision_config=vision.to_dict(),
        mm_tokens_per_image=4,
        image_token_index=250,
        boi_token_index=251,
        eoi_token_index=252,
    )
    return Gemma3ForConditionalGeneration(config).eval()


def _ltx2() -> Any:
    diffusers, ltx2 = library("diffusers"), library("diffusers.pipelines.ltx2")

    network = diffusers.LTX2VideoTransformer3DModel(
        in_channels=4,
        out_channels=4,
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=4,
        audio_out_channels=4,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=2,
        qk_norm="rms_norm_across_heads",
        caption_channels=WIDTH,
        rope_double_precision=False,
        rope_type="split",
    )
    connectors = ltx2.LTX2TextConnectors(
        caption_channels=WIDTH,
        text_proj_in_factor=3,
        video_connector_num_attention_heads=4,
        video_connector_attention_head_dim=8,
        video_connector_num_layers=1,
        video_connector_num_learnable_registers=None,
        audio_connector_num_attention_heads=4,
        audio_connector_attention_head_dim=8,
        audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=None,
        connector_rope_base_seq_len=32,
        rope_theta=10000.0,
        rope_double_precision=False,
        causal_temporal_positioning=False,
        rope_type="split",
    )
    vae = diffusers.AutoencoderKLLTX2Video(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(8,),
        decoder_block_out_channels=(8,),
        layers_per_block=(1,),
        decoder_layers_per_block=(1, 1),
        spatio_temporal_scaling=(True,),
        decoder_spatio_temporal_scaling=(True,),
        decoder_inject_noise=(False, False),
        downsample_type=("spatial",),
        upsample_residual=(False,),
        upsample_factor=(1,),
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    ears = diffusers.AutoencoderKLLTX2Audio(
        base_channels=4,
        output_channels=2,
        ch_mult=(1,),
        num_res_blocks=1,
        attn_resolutions=None,
        in_channels=2,
        resolution=32,
        latent_channels=2,
        norm_type="pixel",
        causality_axis="height",
        dropout=0.0,
        mid_block_add_attention=False,
        sample_rate=16000,
        mel_hop_length=160,
        is_causal=True,
        mel_bins=8,
    )
    voice = ltx2.LTX2Vocoder(
        in_channels=16,
        hidden_channels=32,
        out_channels=2,
        upsample_kernel_sizes=[4, 4],
        upsample_factors=[2, 2],
        resnet_kernel_sizes=[3],
        resnet_dilations=[[1, 3, 5]],
        leaky_relu_negative_slope=0.1,
        output_sampling_rate=16000,
    )
    return diffusers.LTX2Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        audio_vae=ears,
        text_encoder=_gemma(),
        tokenizer=_pairs(
            ["<pad>", "<eos>", "<bos>", "<unk>"],
            eos_token="<eos>",
            bos_token="<bos>",
            model_max_length=1024,
            padding_side="left",
        ),
        connectors=connectors,
        transformer=network,
        vocoder=voice,
    )


def _skyreels2() -> Any:
    diffusers = library("diffusers")

    network = _wan_network(kind="SkyReelsV2Transformer3DModel", inject_sample_info=True)
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=8.0
    )
    parts = _wan_parts(
        transformer=_louder(network, 3.0), vae=_louder(_wan_vae(), 4.0), scheduler=scheduler
    )
    return diffusers.SkyReelsV2DiffusionForcingPipeline(**parts)


def _hunyuan15(image: bool = False) -> Any:
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
        tokenizer=_pairs(["<unk>", "<pad>", "<eos>"], eos_token="<eos>", chat_template=_CHAT),
        transformer=network,
        vae=vae,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder_2=letters,
        tokenizer_2=_unigrams(),
        guider=diffusers.ClassifierFreeGuidance(guidance_scale=6.0),
    )


def _siglip() -> dict[str, Any]:
    from transformers import SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    return {
        "image_encoder": SiglipVisionModel(config).eval(),
        "feature_extractor": SiglipImageProcessor(size={"height": 28, "width": 28}),
    }


_CHAT = "{% for message in messages %}{{ message['content'] }} {% endfor %}"

TINY: dict[str, Callable[[], Any]] = {
    "wan21": _wan21,
    "wan22": _wan22,
    "wan22-5b": _wan22_five,
    "wan21-image": _wan21_image,
    "wan21-ends": _wan21_ends,
    "wan22-image": _wan22_image,
    "wan-vace": _wan_vace,
    "ltx": _ltx,
    "ltx2": _ltx2,
    "cogvideox": _cogvideox,
    "cogvideox-image": _cogvideox10_image,
    "cogvideox15": _cogvideox15,
    "cogvideox15-image": _cogvideox15_image,
    "hunyuan15": _hunyuan15,
    "hunyuan15-image": lambda: _hunyuan15(image=True),
    "skyreels2": _skyreels2,
}
"""One of each kind that a family knows."""

VARIANTS: dict[str, Callable[[], Any]] = {"wan21-wide": _wan21_wide}
"""Further ones, for single features."""
