"""From a model folder to a pipeline in memory. Errors come out as the suite's own."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from soundsight_kit.errors import DataLoss, FailedPrecondition
from soundsight_videogen.diffusion.cards import ModelCard
from soundsight_videogen.diffusion.errors import OutOfMemory
from soundsight_videogen.diffusion.families.family import Stills
from soundsight_videogen.diffusion.libraries import diffusers, library, torch
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings


@contextmanager
def memory_errors(plan: MemoryPlan) -> Iterator[None]:
    """Turns the device's out of memory into OutOfMemory."""
    try:
        yield
    except (torch().OutOfMemoryError, MemoryError) as error:
        first = str(error).splitlines()[0] if str(error) else "out of memory"
        raise OutOfMemory(
            f"too little memory under the plan {plan.name.lower()}: {first}",
            plan=plan.name.lower(),
        ) from error


def pick_dtype(card: ModelCard, settings: StudioSettings, device: str) -> Any:
    """The number format of the weights."""
    name = settings.dtype
    if name == "auto":
        name = "float32" if device.startswith("cpu") else card.traits.dtype  # type: ignore[assignment]
    return getattr(torch(), name)


def load_pipeline(card: ModelCard, settings: StudioSettings, device: str) -> Any:
    """The folder's pipeline, in main memory.

    Through the class that the folder names: diffusers' general loader drops components that are
    given to it in silence. Raises DataLoss (MODEL_CORRUPT), FailedPrecondition
    (MODEL_NOT_LOADABLE).
    """
    library_ = diffusers()
    dtype = pick_dtype(card, settings, device)
    given: dict[str, Any] = {}
    if settings.gguf is not None:
        given["transformer"] = _gguf_transformer(card, settings, dtype)
    pipeline_class = getattr(library_, card.folder.class_name)
    safetensors_error = library("safetensors").SafetensorError
    try:
        pipeline = pipeline_class.from_pretrained(
            str(card.folder.path),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=settings.trust_remote_code,
            **given,
        )
    except safetensors_error as error:
        raise DataLoss(
            f"the weights of {card.folder.name} are damaged: fetch the model again",
            reason="MODEL_CORRUPT",
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        if isinstance(error, torch().OutOfMemoryError):
            raise
        raise FailedPrecondition(
            f"{card.folder.name} cannot be loaded: {str(error).splitlines()[0]}",
            reason="MODEL_NOT_LOADABLE",
        ) from error
    _set_shift(pipeline, settings.flow_shift or card.traits.flow_shift)
    pipeline = sister_pipeline(pipeline, first_class(card))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _gguf_transformer(card: ModelCard, settings: StudioSettings, dtype: Any) -> Any:
    """The transformer from a GGUF file, in the shape that the folder's configuration gives."""
    library_ = diffusers()
    entry = card.folder.index["transformer"]
    try:
        return getattr(library_, entry[1]).from_single_file(
            str(settings.gguf),
            quantization_config=library_.GGUFQuantizationConfig(compute_dtype=dtype),
            config=str(card.folder.path),
            subfolder="transformer",
            dtype=dtype,
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        raise FailedPrecondition(
            f"the GGUF file does not fit {card.folder.name}: {str(error).splitlines()[0]}",
            reason="MODEL_NOT_LOADABLE",
        ) from error


def _set_shift(pipeline: Any, shift: float) -> None:
    """Moves the noise schedule, where the scheduler has such a thing."""
    config = pipeline.scheduler.config
    if shift and "flow_shift" in config and config.flow_shift != shift:
        pipeline.scheduler = type(pipeline.scheduler).from_config(config, flow_shift=shift)


def sister_pipeline(pipeline: Any, class_name: str) -> Any:
    """A pipeline of another class over the same components, whose weights are shared."""
    if type(pipeline).__name__ == class_name:
        return pipeline
    wanted = getattr(diffusers(), class_name)
    names = list(inspect.signature(wanted.__init__).parameters)[1:]
    config = dict(pipeline.config)
    parts = {
        name: pipeline.components[name] if name in pipeline.components else config[name]
        for name in names
        if name in pipeline.components or name in config
    }
    sister = wanted(**parts)
    sister.set_progress_bar_config(disable=True)
    return sister


def first_class(card: ModelCard) -> str:
    """The class that films a take without pictures, or with the one it needs."""
    return card.family.pipeline_class(
        card.folder, Stills(start=True if card.traits.needs_start else None)
    )
