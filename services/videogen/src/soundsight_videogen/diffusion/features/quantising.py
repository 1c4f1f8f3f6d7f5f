"""The transformer's weights in fewer bits."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from soundsight_videogen.diffusion.features.feature import (
    Feature,
    NoEffect,
    parameter_bytes,
    repeated_blocks,
    transformers_of,
)
from soundsight_videogen.diffusion.libraries import library, torch

_FP8_CAPABILITY = (8, 9)
_INT4_GROUP = 32
"""Weights that share a scale: few, for widths of heads that 128 does not divide."""


class Quantise(Feature):
    """By torchao (`int8`, `int4`, `fp8`), or kept in 8 bits and widened layer by layer as they
    run (`layerwise_fp8`). Only the repeated blocks: the rest is small and sensitive."""

    name = "quantisation"
    needs_run = False

    def __init__(self, kind: str, device: str = "cpu") -> None:
        self.kind = kind
        self._device = device
        self._before = self._after = 0
        self._formats: Counter[str] = Counter()

    def apply(self, pipeline: Any) -> None:
        """Converts the weights where they lie."""
        for network in transformers_of(pipeline):
            self._before += parameter_bytes(network)
            try:
                if self.kind == "layerwise_fp8":
                    self._layerwise(network)
                else:
                    for block in repeated_blocks(network):
                        self._convert(block)
            except (
                ValueError,
                RuntimeError,
                AssertionError,
                ImportError,
                NotImplementedError,
            ) as e:
                raise NoEffect(f"quantisation {self.kind}", str(e).split("\n")[0]) from e
            self._after += parameter_bytes(network)
            self._formats.update(map(_format, network.parameters()))

    def evidence(self) -> str:
        """Bytes before and after, and how many weights are kept in which format."""
        if not self._after < self._before:
            raise NoEffect(f"quantisation {self.kind}", "the weights did not shrink")
        sizes = f"weights {_mib(self._before)} to {_mib(self._after)}"
        return f"{self.kind}: {sizes}, {_told(self._formats)}"

    def _convert(self, block: Any) -> None:
        # The 4-bit format of a GPU is made on the GPU; all others where the weights lie.
        there = self._device if self.kind == "int4" and self._device != "cpu" else None
        library("torchao.quantization").quantize_(block, self._config(), device=there)

    def _layerwise(self, network: Any) -> None:
        compute = network.dtype
        network.enable_layerwise_casting(storage_dtype=torch().float8_e4m3fn, compute_dtype=compute)

    def _config(self) -> Any:
        ao = library("torchao.quantization")
        if self.kind == "int8":
            return ao.Int8WeightOnlyConfig()
        if self.kind == "int4":
            if self._device == "cpu":
                prototype = library("torchao.prototype.quantization.int4")
                return prototype.PrototypeInt4WeightOnlyConfig(group_size=_INT4_GROUP)
            # For the kernels that come with PyTorch; the usual format needs a library of its own.
            return ao.Int4WeightOnlyConfig(
                group_size=_INT4_GROUP, int4_packing_format="tile_packed_to_4d"
            )
        cuda = torch().cuda
        if self._device != "cpu" and cuda.get_device_capability() >= _FP8_CAPABILITY:
            return ao.Float8DynamicActivationFloat8WeightConfig(granularity=ao.PerRow())
        return ao.Float8WeightOnlyConfig()


class GgufWeights(Feature):
    """The transformer's weights from a GGUF file, which `loading` reads: widened as they run."""

    name = "gguf"
    needs_run = False

    def __init__(self) -> None:
        self._before = self._after = 0
        self._formats: Counter[str] = Counter()

    def apply(self, pipeline: Any) -> None:
        """Looks at what was loaded."""
        network = pipeline.transformer
        width = torch().empty(0, dtype=network.dtype).element_size()
        for weight in network.parameters():
            shape = getattr(weight, "quant_shape", weight.shape)
            self._before += math.prod(shape) * width
            if getattr(weight, "quant_type", None) is not None:
                self._formats[weight.quant_type.name] += 1
        self._after = parameter_bytes(network)

    def evidence(self) -> str:
        """Bytes that the weights would take, bytes that they take, and their formats."""
        # A file may hold plain numbers: it is asked for because of what they are, then.
        sizes = f"weights {_mib(self._before)} to {_mib(self._after)}"
        return f"{sizes}, {_told(self._formats) or 'none packed'}"


def _format(weight: Any) -> str:
    """How a weight is kept: by the class that packs it, or plainly in a number format."""
    kind = type(weight).__name__
    return str(weight.dtype).removeprefix("torch.") if kind == "Parameter" else kind


def _told(formats: Counter[str]) -> str:
    return ", ".join(f"{count} as {name}" for name, count in formats.most_common())


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
