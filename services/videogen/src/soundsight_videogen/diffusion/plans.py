"""How much memory a clip may take: plans from the fastest to the most frugal. Pure."""

from __future__ import annotations

from enum import IntEnum


class MemoryPlan(IntEnum):
    """Ways to fit a model into a device, each cheaper in memory and slower than the one before."""

    FASTEST = 0
    """Everything stays on the device."""
    VAE_TILING = 1
    """Pictures are encoded and decoded in tiles."""
    MODEL_OFFLOAD = 2
    """Tiles, and only the part that works (text encoder, transformer, VAE) is on the device."""
    GROUP_OFFLOAD = 3
    """Tiles, and only the layers that work are on the device."""

    def cheaper(self) -> MemoryPlan | None:
        """The next more frugal plan; None when there is none."""
        return MemoryPlan(self + 1) if self < MemoryPlan.GROUP_OFFLOAD else None

    @property
    def tiles(self) -> bool:
        """Whether pictures are decoded in tiles."""
        return self >= MemoryPlan.VAE_TILING
