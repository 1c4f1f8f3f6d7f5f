"""Which features the settings ask for, in the order in which they are applied."""

from __future__ import annotations

from soundsight_kit.errors import FailedPrecondition
from soundsight_videogen.diffusion.families.family import Family
from soundsight_videogen.diffusion.features.attention import AttentionBackend
from soundsight_videogen.diffusion.features.caching import StepCache
from soundsight_videogen.diffusion.features.compiling import Compile
from soundsight_videogen.diffusion.features.feature import Feature
from soundsight_videogen.diffusion.features.quantising import GgufWeights, Quantise
from soundsight_videogen.diffusion.settings import StudioSettings


def speed_features(
    settings: StudioSettings, family: Family, steps: int, ranks: int = 1
) -> list[Feature]:
    """Attention, cache, compilation: applied once the weights are in place.

    Raises FailedPrecondition (CACHE_NOT_SUPPORTED) for a cache that does not work for the family,
    or with `ranks` processes together.
    """
    features: list[Feature] = []
    if settings.attention:
        features.append(AttentionBackend(settings.attention))
    if settings.cache != "none":
        if settings.cache not in family.caches:
            usable = ", ".join(family.caches) or "none"
            raise FailedPrecondition(
                f"the cache {settings.cache} does not work for {family.name}; usable: {usable}",
                reason="CACHE_NOT_SUPPORTED",
            )
        if ranks > 1 and settings.cache == "first_block":
            # Each would look at its own part of the picture, and some might skip a step alone.
            raise FailedPrecondition(
                "the cache first_block does not work on several devices together: use taylorseer, "
                "magcache or pyramid, or film on one",
                reason="CACHE_NOT_SUPPORTED",
            )
        features.append(StepCache(settings.cache, settings.cache_threshold, steps))
    if settings.compile:
        features.append(Compile())
    return features


def weight_features(settings: StudioSettings, device: str) -> list[Feature]:
    """What changes the weights: applied before they are moved."""
    features: list[Feature] = []
    if settings.gguf is not None:
        features.append(GgufWeights())
    if settings.quantisation != "none":
        features.append(Quantise(settings.quantisation, device))
    return features
