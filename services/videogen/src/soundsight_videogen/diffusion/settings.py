"""What an operator can tell the studio."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Cache = Literal["none", "first_block", "taylorseer", "magcache", "pyramid"]
Quantisation = Literal["none", "int8", "int4", "fp8", "layerwise_fp8"]


class StudioSettings(BaseSettings):
    """Settings of videogen's diffusion models."""

    model_config = SettingsConfigDict(
        env_prefix="SOUNDSIGHT_VIDEOGEN_DIFFUSION_", extra="ignore", frozen=True
    )

    device: str = Field(
        "auto", description="Where models run: `auto`, `cpu`, `cuda` or `cuda:1`, in torch's words."
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto",
        description="Number format of the weights; `auto` takes the family's own on a GPU and"
        " `float32` on a CPU.",
    )
    hub: bool = Field(
        False,
        description="Whether models may be downloaded from the Hugging Face hub; otherwise only"
        " folders and what the hub's cache already holds are used.",
    )
    revision: str = Field("", description="Revision of a model of the hub; empty: its newest.")
    attention: str = Field(
        "",
        description="Attention backend in diffusers' words (`native`, `flash`, `_flash_3`, `sage`,"
        " `_native_cudnn`); empty: PyTorch's own choice.",
    )
    compile: bool = Field(
        False,
        description="Compile the repeated blocks of the transformer: minutes at the first clip of"
        " each size, less time per step after.",
    )
    cache: Cache = Field(
        "none", description="Which work is reused between denoising steps, at some loss of detail."
    )
    cache_threshold: float = Field(
        0.08,
        gt=0,
        le=1,
        description="How far a step may differ from the last for `first_block` and `magcache` to"
        " reuse it.",
    )
    quantisation: Quantisation = Field(
        "none", description="Number format of the transformer's weights in memory."
    )
    gguf: Path | None = Field(
        None, description="A GGUF file with the transformer's weights, in place of the folder's."
    )
    loras: tuple[str, ...] = Field(
        (),
        description="LoRA files (safetensors), each with `=weight` after it when that is not 1.",
    )
    distilled: bool = Field(
        False,
        description="Whether the model, or one of its LoRAs, is distilled to a few steps: takes few"
        " steps and no guidance.",
    )
    flow_shift: float = Field(
        0.0, ge=0, le=30, description="Shift of the noise schedule; 0 takes the model's own."
    )
    retime: Literal["flow", "blend", "nearest"] = Field(
        "flow",
        description="How frames are made where the model's own frame rate is another: by optical"
        " flow, by mixing neighbours, or by repeating them.",
    )
    embedding_cache: int = Field(
        256,
        ge=0,
        le=100_000,
        description="Encoded prompts that are kept, so that scenes share them.",
    )
    warm_up: bool = Field(
        False,
        description="Film a few frames of nothing after a model is loaded, before the first clip.",
    )
    resident_models: int = Field(
        1,
        ge=1,
        le=16,
        description="Models that stay loaded at a time; the least recently used goes.",
    )
    trust_remote_code: bool = Field(
        False, description="Whether code that comes with a model is run. It may do anything."
    )
