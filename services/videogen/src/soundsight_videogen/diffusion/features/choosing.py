"""Which features the settings ask for, in the order in which they are applied."""

from __future__ import annotations

from soundsight_kit.errors import FailedPrecondition
from soundsight_videogen.diffusion.families.family import Family
from soundsight_videogen.diffusion.features.attention import AttentionBackend
from soundsight_videogen.diffusion.features.caching import StepCache
from soundsight_videogen.diffusion.features.compiling import Compile
from soundsight_videogen.diffusion.features.feature import Feature
from soundsight_videogen.diffusion.features.quantising import Quantise
from soundsight_videogen.diffusion.settings import StudioSettings


def speed_features(settings: StudioSettings, family: Family, steps: int) -> list[Feature]:
    """Attention, cache, compilation: applied once the weights are in place.

    Raises FailedPrecondition (CACHE_NOT_SUPPORTED) for a cache that does not work for the family.
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
        features.append(StepCache(settings.cache, settings.cache_threshold, steps))
    if settings.compile:
        features.append(Compile())
    return features


def weight_features(settings: StudioSettings) -> list[Feature]:
    """What changes the weights: applied before they are moved."""
    return [] if settings.quantisation == "none" else [Quantise(settings.quantisation)]
