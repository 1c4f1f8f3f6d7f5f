"""Memory plans on a pipeline: tiles for the VAE, parts or layers brought in as they work."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.features.feature import Feature, NoEffect, parameter_bytes
from soundsight_videogen.diffusion.libraries import torch
from soundsight_videogen.diffusion.plans import MemoryPlan


class VaeTiling(Feature):
    """Pictures are decoded in tiles, so that memory does not grow with their size."""

    name = "vae tiling"
    needs_run = False

    def __init__(self) -> None:
        self._vae: Any = None

    def apply(self, pipeline: Any) -> None:
        """Switches tiles on."""
        self._vae = pipeline.vae
        self._vae.enable_tiling()

    def evidence(self) -> str:
        """What the VAE says."""
        if not self._vae.use_tiling:
            raise NoEffect(self.name, "the VAE did not take it")
        return "on"


class Placement(Feature):
    """Where the weights lie under a memory plan."""

    name = "placement"

    def __init__(self, plan: MemoryPlan, device: str) -> None:
        self._plan = plan
        self._device = device
        self._weights = 0

    @property
    def _offloads(self) -> bool:
        # On a CPU all weights lie in main memory anyway.
        return self._plan >= MemoryPlan.MODEL_OFFLOAD and not self._device.startswith("cpu")

    def apply(self, pipeline: Any) -> None:
        """Moves the weights, or has them moved as they are needed."""
        modules = [part for part in pipeline.components.values() if hasattr(part, "parameters")]
        self._weights = sum(parameter_bytes(part) for part in modules)
        if not self._offloads:
            pipeline.to(self._device)
        elif self._plan is MemoryPlan.MODEL_OFFLOAD:
            pipeline.enable_model_cpu_offload(device=self._device)
        else:
            pipeline.enable_group_offload(
                onload_device=torch().device(self._device),
                offload_type="leaf_level",
                use_stream=True,
            )
        if self._device.startswith("cuda"):
            torch().cuda.reset_peak_memory_stats(self._device)

    def evidence(self) -> str:
        """Bytes held on the device."""
        if not self._device.startswith("cuda"):
            return "all weights in main memory"
        held = torch().cuda.memory_allocated(self._device)
        if self._offloads and held >= self._weights:
            raise NoEffect(self._plan.name.lower(), "all weights stay on the device")
        return f"{held / 2**30:.2f} GiB held for {self._weights / 2**30:.2f} GiB of weights"
