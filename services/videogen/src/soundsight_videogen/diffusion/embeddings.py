"""Encoded prompts, kept: the scenes of a render share negative prompts, retries share all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

Tensors = dict[str, Any]


class EmbeddingCache:
    """Keeps the last `room` encoded prompts in main memory, least recently used out first."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[tuple[Any, ...], Tensors] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def get(self, key: tuple[Any, ...], encode: Callable[[], Tensors], device: Any) -> Tensors:
        """The tensors of a key on the device, encoded when they are not kept."""
        found = self._kept.get(key)
        if found is None:
            self.misses += 1
            encoded = encode()
            if self._room:
                self._kept[key] = {
                    name: tensor if tensor is None else tensor.detach().to("cpu")
                    for name, tensor in encoded.items()
                }
                while len(self._kept) > self._room:
                    self._kept.popitem(last=False)
            return encoded
        self.hits += 1
        self._kept.move_to_end(key)
        return {
            name: tensor if tensor is None else tensor.to(device) for name, tensor in found.items()
        }

    def forget(self, model: str) -> None:
        """Drops what a model's encoders made."""
        for key in [key for key in self._kept if key[0] == model]:
            del self._kept[key]
