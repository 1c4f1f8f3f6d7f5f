"""Several GPUs for one clip: the sequence is split among them. Declared; not proved here."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.features.feature import Feature, NoEffect, transformers_of
from soundsight_videogen.diffusion.libraries import diffusers, torch


class ContextParallel(Feature):
    """Ulysses attention over `degree` GPUs, in a process group that the caller made."""

    name = "context parallel"

    def __init__(self, degree: int) -> None:
        self._degree = degree

    def apply(self, pipeline: Any) -> None:
        """Splits the transformers' sequences."""
        distributed = torch().distributed
        if not distributed.is_initialized() or distributed.get_world_size() < self._degree:
            raise NoEffect(
                "context parallel", f"it needs {self._degree} processes, each with a GPU of its own"
            )
        config = diffusers().ContextParallelConfig(ulysses_degree=self._degree)
        for network in transformers_of(pipeline):
            network.enable_parallelism(config=config)

    def evidence(self) -> str:
        """The processes that take part."""
        return f"{torch().distributed.get_world_size()} processes"
