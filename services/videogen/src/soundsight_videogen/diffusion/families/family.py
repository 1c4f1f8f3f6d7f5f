"""What a family of models is to the studio, and what one take asks of its pipeline."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

from soundsight.videogen.v1 import profile_pb2
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.models import ModelFolder
from soundsight_videogen.diffusion.sizes import Size

START = profile_pb2.VIDEO_CAPABILITY_START_IMAGE
END = profile_pb2.VIDEO_CAPABILITY_END_IMAGE
REFERENCES = profile_pb2.VIDEO_CAPABILITY_REFERENCE_IMAGES
NEGATIVE = profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT
PREVIEW = profile_pb2.VIDEO_CAPABILITY_PREVIEW
DRAFT = profile_pb2.VIDEO_CAPABILITY_DRAFT_TO_FINAL

Capability: TypeAlias = "profile_pb2.VideoCapability.ValueType"


@dataclass(frozen=True, slots=True)
class Steps:
    """Denoising steps for each quality, and for models distilled to few steps."""

    draft: int
    standard: int
    high: int
    distilled: int = 4


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a family likes to be told."""

    style: profile_pb2.PromptStyle.ValueType = profile_pb2.PROMPT_STYLE_SENTENCES
    max_characters: int = 1500
    camera_words: bool = True


@dataclass(frozen=True, slots=True)
class Traits:
    """What one model of a family is like. Sizes in pixels, rates in frames per second.

    `native_fps` 0 means that the model is told the rate; `flow_shift` 0 that the folder's scheduler
    stands; `memory_gib` is what its weights in `dtype` and a clip of its largest size need.
    """

    title: str
    grid: FrameGrid
    native_fps: int
    standard_size: Size
    size_multiple: int
    most_pixels: int
    steps: Steps
    guidance: float
    capabilities: frozenset[Capability]
    licence: str
    flow_shift: float = 0.0
    dtype: str = "bfloat16"
    memory_gib: float = 0.0
    dialect: Dialect = Dialect()
    takes_motion: bool = False
    needs_start: bool = False
    needs_end: bool = False
    text_tokens: int = 512
    sizes: tuple[Size, ...] = ()
    """The only sizes that it can make; none when it can make any that its multiple allows."""


@dataclass(frozen=True, slots=True)
class Stills:
    """The pictures of a take, loaded and fitted to its size: PIL images."""

    start: Any = None
    end: Any = None
    references: tuple[Any, ...] = ()
    draft: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Take:
    """What a pipeline is asked for, in the model's own frames and sizes."""

    prompt: str
    negative_prompt: str
    size: Size
    frames: int
    fps: float
    steps: int
    guidance: float
    seed: int
    motion: float = 0.5
    keep_draft: float = 0.0
    """How much of the draft is kept, 0 (nothing) to 1; only with a draft."""
    text_tokens: int = 512
    stills: Stills = Stills()

    @property
    def guided(self) -> bool:
        """Whether the negative prompt plays a part: each step then runs twice."""
        return self.guidance > 1.0

    def smaller(self, size: Size, frames: int, steps: int) -> Take:
        """The same take, cheaper: for warming up."""
        return replace(self, size=size, frames=frames, steps=steps)


class Family(abc.ABC):
    """One family of models: how it is recognised, what it is like, how its pipeline is asked.

    Stateless. A module in this folder with a `FAMILY` is found by itself.
    """

    name: ClassVar[str]
    """Short name, as the table of models has it."""

    classes: ClassVar[tuple[str, ...]]
    """Pipeline classes in `model_index.json` that are this family's."""

    caches: ClassVar[tuple[str, ...]] = ()
    """Caches between denoising steps that work for it, in the words of the settings."""

    frames_first: ClassVar[bool] = False
    """Whether latents are (batch, frames, channels, height, width)."""

    @abc.abstractmethod
    def traits(self, model: ModelFolder) -> Traits:
        """What this model of the family is like."""

    @abc.abstractmethod
    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """The class that films a take with these pictures."""

    @abc.abstractmethod
    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """What the pipeline is called with beside its text, seed and callback."""

    def encode(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """The take's text as tensors, under the names that the pipeline takes them by."""
        positive, negative = pipeline.encode_prompt(
            prompt=take.prompt,
            negative_prompt=take.negative_prompt,
            do_classifier_free_guidance=take.guided,
            max_sequence_length=take.text_tokens,
            device=pipeline._execution_device,
        )
        return {"prompt_embeds": positive, "negative_prompt_embeds": negative}

    def random_text(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """Random tensors in the shape of `encode`'s, for measuring without a text encoder."""
        import torch

        width = pipeline.transformer.config.get("text_dim") or 4096
        shape = (1, take.text_tokens, width)
        options = {"dtype": pipeline.transformer.dtype, "device": pipeline._execution_device}
        return {
            "prompt_embeds": torch.randn(shape, **options),
            "negative_prompt_embeds": torch.randn(shape, **options) if take.guided else None,
        }

    def prepare(self, pipeline: Any, take: Take) -> None:  # noqa: B027 - most need nothing
        """Sets what a take needs and calls do not take."""


def plain_arguments(take: Take) -> dict[str, Any]:
    """What nearly every pipeline is called with."""
    return {
        "height": take.size[1],
        "width": take.size[0],
        "num_frames": take.frames,
        "num_inference_steps": take.steps,
        "guidance_scale": take.guidance,
        "max_sequence_length": take.text_tokens,
    }


def masked_text(pipeline: Any, take: Take) -> dict[str, Any]:
    """The text of pipelines whose embeddings come with attention masks (the LTX ones)."""
    positive, positive_mask, negative, negative_mask = pipeline.encode_prompt(
        prompt=take.prompt,
        negative_prompt=take.negative_prompt,
        do_classifier_free_guidance=take.guided,
        max_sequence_length=take.text_tokens,
        device=pipeline._execution_device,
    )
    return {
        "prompt_embeds": positive,
        "prompt_attention_mask": positive_mask,
        "negative_prompt_embeds": negative,
        "negative_prompt_attention_mask": negative_mask,
    }


def size_multiple(model: ModelFolder, default: int) -> int:
    """The VAE's spatial compression times the transformer's patch, from their configurations."""
    scale = model.config("vae", "scale_factor_spatial")
    patch = model.config("transformer", "patch_size")
    if isinstance(patch, list | tuple):
        patch = patch[-1]
    if not scale or not patch:
        return default
    return int(scale) * int(patch)


def index_flag(model: ModelFolder, key: str) -> Any:
    """A value of the pipeline's own configuration, in its index."""
    index: Mapping[str, Any] = model.index
    return index.get(key)
