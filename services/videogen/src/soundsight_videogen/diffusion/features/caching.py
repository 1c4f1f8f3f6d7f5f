"""Work reused between denoising steps: first-block cache and its relatives, all of diffusers."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.features.feature import (
    Feature,
    NoEffect,
    WorkCount,
    transformers_of,
)
from soundsight_videogen.diffusion.libraries import diffusers

_PARTS = (r".*\.attn1$", r".*\.attn2$", r".*\.ffn$", r".*\.ff$")
_SURE = 1.0
"""A threshold at which every step counts as like the last: for finding out whether it works."""


class StepCache(Feature):
    """Leaves out work whose result would be near the last step's.

    How much is left out depends on pictures and threshold; for evidence it is run once with a
    threshold that always reuses.
    """

    name = "cache"

    def __init__(self, kind: str, threshold: float, steps: int) -> None:
        self.kind = kind
        self._threshold = threshold
        self._steps = steps
        self._pipeline: Any = None
        self._count: WorkCount | None = None

    def apply(self, pipeline: Any) -> None:
        """Switches it on with a sure threshold, and counts."""
        self._pipeline = pipeline
        self._enable(_SURE)
        self._count = WorkCount(pipeline)

    def evidence(self) -> str:
        """The share of work that was left out."""
        assert self._count is not None
        if not self._count.runs or self._count.skipped <= 0.0:
            raise NoEffect(f"cache {self.kind}", "no work was left out")
        return (
            f"{self.kind}: {self._count.skipped:.0%} of {self._count.runs} block runs left out "
            "when always reusing"
        )

    def settle(self) -> None:
        """Goes on with the threshold that was asked for."""
        if self._count is not None:
            self._count.stop()
        for network in transformers_of(self._pipeline):
            network.disable_cache()
        self._enable(self._threshold)

    def follow(self, pipeline: Any, steps: int) -> None:
        """Steps are counted by the cache, and the time is the filming pipeline's."""
        self._pipeline = pipeline
        if self.kind == "magcache" and steps != self._steps:
            self._steps = steps
            for network in transformers_of(pipeline):
                network.disable_cache()
            self._enable(self._now)

    def _enable(self, threshold: float) -> None:
        self._now = threshold
        for network in transformers_of(self._pipeline):
            try:
                network.enable_cache(self._config(threshold))
            except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
                raise NoEffect(f"cache {self.kind}", str(error).split("\n")[0]) from error

    def _config(self, threshold: float) -> Any:
        library = diffusers()
        if self.kind == "first_block":
            return library.FirstBlockCacheConfig(threshold=threshold)
        if self.kind == "magcache":
            # Even ratios: a calibrated curve is per model, and none comes with the folder.
            return library.MagCacheConfig(
                mag_ratios=[1.0] * self._steps, num_inference_steps=self._steps, threshold=threshold
            )
        if self.kind == "taylorseer":
            # Without identifiers it does nothing, in silence.
            return library.TaylorSeerCacheConfig(
                cache_interval=3,
                max_order=1,
                disable_cache_before_step=2,
                cache_identifiers=list(_PARTS),
            )
        return library.PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(100, 900) if threshold < _SURE else (-1, 2000),
            cross_attention_block_skip_range=3,
            cross_attention_timestep_skip_range=(100, 900) if threshold < _SURE else (-1, 2000),
            current_timestep_callback=lambda: self._pipeline.current_timestep,
        )
