"""Several processes for one clip: each computes its part of the transformer's sequence.

Ulysses attention (Jacobs et al., arXiv 2309.14509): between attentions every process holds a part
of the tokens, within them all tokens of a part of the heads. For transformers whose classes say how
they are cut (`_cp_plan`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from soundsight_videogen.diffusion.features.feature import (
    Feature,
    NoEffect,
    repeated_blocks,
    transformers_of,
)
from soundsight_videogen.diffusion.libraries import diffusers, torch

NAME = "context parallel"


class ContextParallel(Feature):
    """The sequence is split among `degree` processes, which have joined each other (`group.py`)."""

    name = NAME

    def __init__(self, degree: int) -> None:
        self._degree = degree
        self._handles: list[Any] = []
        self._part_tokens = self._whole_tokens = 0

    def apply(self, pipeline: Any) -> None:
        """Splits the transformers' sequences."""
        distributed = torch().distributed
        if not distributed.is_initialized() or distributed.get_world_size() < self._degree:
            raise NoEffect(NAME, f"it needs {self._degree} processes, each with its own device")
        for network in transformers_of(pipeline):
            if getattr(network, "_cp_plan", None) is None:
                raise NoEffect(NAME, f"nobody says how a {type(network).__name__} is cut")
            config = diffusers().ContextParallelConfig(ulysses_degree=self._degree)
            try:
                with _a_device_counted():
                    network.enable_parallelism(config=config)
            except (ValueError, RuntimeError) as error:
                raise NoEffect(NAME, str(error).split("\n")[0]) from error
            self._watch(network)

    def evidence(self) -> str:
        """How many of the tokens this process computed."""
        if not 0 < self._part_tokens < self._whole_tokens:
            raise NoEffect(NAME, "every process computed all tokens")
        part = f"{self._part_tokens} of {self._whole_tokens} tokens of a trial"
        return f"{self._degree} processes, each with {part}"

    def settle(self) -> None:
        """Stops looking at sequences."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _watch(self, network: Any) -> None:
        """Notes the tokens within the last block, and those of the whole network's output."""

        def within(module: Any, args: Any, kwargs: Any) -> None:
            tokens = args[0] if args else kwargs["hidden_states"]
            self._part_tokens = int(tokens.shape[1])

        def after(module: Any, args: Any, output: Any) -> None:
            self._whole_tokens = int(output.shape[1])

        last = repeated_blocks(network)[-1]
        self._handles.append(last.register_forward_pre_hook(within, with_kwargs=True))
        self._handles.append(network.proj_out.register_forward_hook(after))


@contextmanager
def _a_device_counted() -> Iterator[None]:
    """diffusers divides by the number of accelerators, of which a machine without a GPU has none:
    there it counts one for as long as it asks."""
    accelerator = torch().accelerator
    counted = accelerator.device_count
    if counted() == 0:
        accelerator.device_count = lambda: 1
    try:
        yield
    finally:
        accelerator.device_count = counted
