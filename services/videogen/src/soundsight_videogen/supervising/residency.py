"""Which models are loaded at a seat, and which go to make room for another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Residency:
    """The loaded models of one device and the bytes of each, least recently used first.

    `budget_bytes` is what weights may take of the device; 0 means that nobody counts.
    """

    def __init__(self, budget_bytes: int = 0) -> None:
        self._budget_bytes = budget_bytes
        self._bytes: dict[str, int] = {}

    @property
    def models(self) -> Sequence[str]:
        """The loaded models, the one used last at the end."""
        return tuple(self._bytes)

    @property
    def taken(self) -> Sequence[tuple[str, int]]:
        """Each loaded model and its bytes."""
        return tuple(self._bytes.items())

    def in_the_way(self, model: str, size_bytes: int) -> Sequence[str]:
        """Which models must go before `model` is used, the least recently used first.

        A model larger than the whole budget sends all others away and is tried alone.
        """
        others = {name: size for name, size in self._bytes.items() if name != model}
        going: list[str] = []
        need_bytes = self._bytes.get(model, size_bytes) + sum(others.values())
        for name, size in others.items():
            if not self._budget_bytes or need_bytes <= self._budget_bytes:
                break
            going.append(name)
            need_bytes -= size
        return going

    def released(self, models: Iterable[str]) -> None:
        """These are gone."""
        for model in models:
            self._bytes.pop(model, None)

    def used(self, model: str, size_bytes: int) -> None:
        """This one is loaded and was used just now."""
        self._bytes.pop(model, None)
        self._bytes[model] = size_bytes

    def found(self, loaded: Iterable[tuple[str, int]]) -> None:
        """What the worker itself says is loaded, least recently used first."""
        self._bytes = dict(loaded)
