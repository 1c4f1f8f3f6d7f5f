"""What a feature is: something applied to a pipeline, with evidence that it does what it says."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from soundsight_kit.errors import FailedPrecondition


class NoEffect(FailedPrecondition):
    """A feature was asked for and shows no effect on this model, or on this machine."""

    default_reason = "FEATURE_WITHOUT_EFFECT"

    def __init__(self, feature: str, why: str) -> None:
        super().__init__(
            f"{feature} was asked for and has no effect here: {why}; switch it off",
            metadata={"feature": feature},
        )


class Feature(abc.ABC):
    """One feature, for one pipeline."""

    name: ClassVar[str]

    needs_run: ClassVar[bool] = True
    """Whether evidence comes with the first clip, rather than at once."""

    @abc.abstractmethod
    def apply(self, pipeline: Any) -> None:
        """Switches it on. Raises NoEffect where that is impossible."""

    @abc.abstractmethod
    def evidence(self) -> str:
        """What shows that it works, one line. Raises NoEffect when nothing does."""

    def follow(self, pipeline: Any, steps: int) -> None:  # noqa: B027 - most need not know
        """Called before each take, with the pipeline that films it and its steps."""

    def settle(self) -> None:  # noqa: B027 - most watch nothing
        """Called once evidence was taken: stops watching, which costs time."""


def transformers_of(pipeline: Any) -> list[Any]:
    """The denoising networks of a pipeline: one, or two of them."""
    named = (getattr(pipeline, name, None) for name in ("transformer", "transformer_2"))
    return [network for network in named if network is not None]


def repeated_blocks(network: Any) -> list[Any]:
    """The blocks that most of a network consists of."""
    from torch import nn

    names = frozenset(getattr(network, "_repeated_blocks", None) or ())
    blocks = [module for module in network.modules() if type(module).__name__ in names]
    if blocks:
        return blocks
    lists = [module for module in network.children() if isinstance(module, nn.ModuleList)]
    return list(max(lists, key=len, default=()))


class WorkCount:
    """Counts the linear layers that run in each run of a block, so that skipped work shows."""

    def __init__(self, pipeline: Any) -> None:
        from torch import nn

        self._runs: dict[int, list[int]] = {}
        self._current: list[int] = [0]
        self._handles = []
        for network in transformers_of(pipeline):
            for block in repeated_blocks(network):
                self._handles.append(block.register_forward_pre_hook(self._enter))
                for module in block.modules():
                    if isinstance(module, nn.Linear):
                        self._handles.append(module.register_forward_pre_hook(self._work))

    def _enter(self, module: Any, args: Any) -> None:
        self._current = self._runs.setdefault(id(module), [])
        self._current.append(0)

    def _work(self, module: Any, args: Any) -> None:
        self._current[-1] += 1

    @property
    def runs(self) -> int:
        """Runs of blocks."""
        return sum(map(len, self._runs.values()))

    @property
    def skipped(self) -> float:
        """Share of the work that was left out, 0 to 1; a block's fullest run is its whole."""
        whole = sum(max(runs) * len(runs) for runs in self._runs.values())
        return 1.0 - sum(map(sum, self._runs.values())) / whole if whole else 0.0

    def stop(self) -> None:
        """Stops counting."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


@contextmanager
def counted_work(pipeline: Any) -> Iterator[WorkCount]:
    """Counts for a while."""
    count = WorkCount(pipeline)
    try:
        yield count
    finally:
        count.stop()


def parameter_bytes(module: Any) -> int:
    """Bytes that a module's weights take, whatever their format."""
    from torch.utils import _pytree  # noqa: F401 - torchao's tensors need it loaded

    return sum(_tensor_bytes(tensor) for tensor in (*module.parameters(), *module.buffers()))


def _tensor_bytes(tensor: Any) -> int:
    """Of a plain tensor, or of one that is made of several, as quantised ones are."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is None:
        return int(tensor.numel() * tensor.element_size())
    names, _ = flatten()
    return sum(_tensor_bytes(getattr(tensor, name)) for name in names)
