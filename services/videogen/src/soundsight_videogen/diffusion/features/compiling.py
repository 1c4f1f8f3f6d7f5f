"""The transformer's repeated blocks, compiled once for all of them."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.features.feature import (
    Feature,
    NoEffect,
    repeated_blocks,
    transformers_of,
)
from soundsight_videogen.diffusion.libraries import library


class Compile(Feature):
    """`torch.compile` of each block; blocks that are alike share one graph."""

    name = "compile"

    def __init__(self, backend: str = "inductor") -> None:
        self._backend = backend
        self._before = 0

    def apply(self, pipeline: Any) -> None:
        """Marks the blocks; they are compiled when they first run."""
        self._before = _graphs()
        for network in transformers_of(pipeline):
            blocks = repeated_blocks(network)
            if not blocks:
                raise NoEffect("compile", "the transformer has no repeated blocks")
            for block in blocks:
                block.compile(backend=self._backend)

    def evidence(self) -> str:
        """How many graphs were compiled."""
        made = _graphs() - self._before
        if made < 1:
            raise NoEffect("compile", "no graph was compiled")
        return f"{made} graphs compiled"


def _graphs() -> int:
    counters = library("torch._dynamo.utils").counters
    return int(counters["stats"]["unique_graphs"])
