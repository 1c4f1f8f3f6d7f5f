"""The transformer's weights in fewer bits."""

from __future__ import annotations

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


class Quantise(Feature):
    """By torchao (`int8`, `int4`, `fp8`), or kept in 8 bits and widened layer by layer as they
    run (`layerwise_fp8`). Only the repeated blocks: the rest is small and sensitive."""

    name = "quantisation"
    needs_run = False

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._before = self._after = 0

    def apply(self, pipeline: Any) -> None:
        """Converts the weights where they lie."""
        for network in transformers_of(pipeline):
            self._before += parameter_bytes(network)
            try:
                if self.kind == "layerwise_fp8":
                    self._layerwise(network)
                else:
                    for block in repeated_blocks(network):
                        library("torchao.quantization").quantize_(block, self._config())
            except (
                ValueError,
                RuntimeError,
                AssertionError,
                ImportError,
                NotImplementedError,
            ) as e:
                raise NoEffect(f"quantisation {self.kind}", str(e).split("\n")[0]) from e
            self._after += parameter_bytes(network)

    def evidence(self) -> str:
        """Bytes before and after."""
        if not self._after < self._before:
            raise NoEffect(f"quantisation {self.kind}", "the weights did not shrink")
        return f"{self.kind}: weights {_mib(self._before)} to {_mib(self._after)}"

    def _layerwise(self, network: Any) -> None:
        compute = network.dtype
        network.enable_layerwise_casting(storage_dtype=torch().float8_e4m3fn, compute_dtype=compute)

    def _config(self) -> Any:
        ao = library("torchao.quantization")
        if self.kind == "int8":
            return ao.Int8WeightOnlyConfig()
        if self.kind == "int4":
            return ao.Int4WeightOnlyConfig()
        cuda = torch().cuda
        if cuda.is_available() and cuda.get_device_capability() >= _FP8_CAPABILITY:
            return ao.Float8DynamicActivationFloat8WeightConfig(granularity=ao.PerRow())
        return ao.Float8WeightOnlyConfig()


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
