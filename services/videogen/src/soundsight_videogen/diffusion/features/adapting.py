"""LoRAs: small files that change what a model films, or in how few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from soundsight_kit.errors import FailedPrecondition
from soundsight_videogen.diffusion.features.feature import Feature, NoEffect
from soundsight_videogen.diffusion.models import check_safetensors


def parse_lora(text: str) -> tuple[Path, float]:
    """`file.safetensors` or `file.safetensors=0.8`: the file and its weight."""
    name, separator, weight = text.rpartition("=")
    if not separator:
        return Path(text), 1.0
    try:
        return Path(name), float(weight)
    except ValueError:
        raise FailedPrecondition(
            f"{text!r} names no LoRA: write file.safetensors=0.8", reason="LORA_UNUSABLE"
        ) from None


class Lora(Feature):
    """One LoRA file."""

    name = "lora"
    needs_run = False

    def __init__(self, file: Path, weight: float, number: int) -> None:
        self._file = file
        self._weight = weight
        self._adapter = f"lora{number}"
        self._pipeline: Any = None

    def apply(self, pipeline: Any) -> None:
        """Loads it beside those before it. Raises FailedPrecondition (LORA_UNUSABLE)."""
        self._pipeline = pipeline
        if self._file.suffix != ".safetensors" or not self._file.is_file():
            raise FailedPrecondition(
                f"there is no LoRA file {self._file.name}: name a .safetensors file",
                reason="LORA_UNUSABLE",
            )
        check_safetensors(self._file)
        try:
            pipeline.load_lora_weights(
                str(self._file.parent), weight_name=self._file.name, adapter_name=self._adapter
            )
        except (ValueError, KeyError, RuntimeError, AttributeError) as error:
            raise FailedPrecondition(
                f"LoRA {self._file.name} does not fit this model: {str(error).splitlines()[0]}",
                reason="LORA_UNUSABLE",
            ) from error

    def evidence(self) -> str:
        """That its layers are in place."""
        layers = sum(
            self._adapter in getattr(module, "lora_A", {})
            for module in self._pipeline.transformer.modules()
        )
        if not layers:
            raise NoEffect(f"LoRA {self._file.name}", "none of its layers fits the model")
        return f"{self._file.name} in {layers} layers, weight {self._weight:g}"


def weigh(pipeline: Any, loras: list[Lora]) -> None:
    """Sets the weights of all LoRAs."""
    if loras:
        pipeline.set_adapters([lora._adapter for lora in loras], [lora._weight for lora in loras])
