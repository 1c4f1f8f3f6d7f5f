"""Builds a stage: loads a model, places its weights, switches features on and proves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from soundsight_videogen.diffusion.cards import ModelCard
from soundsight_videogen.diffusion.embeddings import EmbeddingCache
from soundsight_videogen.diffusion.families.family import Take
from soundsight_videogen.diffusion.features.adapting import Lora, parse_lora, weigh
from soundsight_videogen.diffusion.features.choosing import speed_features, weight_features
from soundsight_videogen.diffusion.features.memory import Placement, VaeTiling
from soundsight_videogen.diffusion.features.parallel import ContextParallel
from soundsight_videogen.diffusion.loading import load_pipeline
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.stage import Stage

WARM_UP_STEPS = 6


def build_stage(
    card: ModelCard,
    settings: StudioSettings,
    plan: MemoryPlan,
    take: Take,
    texts: EmbeddingCache,
    stopped: Callable[[], bool],
    device: str,
    ranks: int,
) -> Stage:
    """A stage that is ready for takes like `take`, in each of `ranks` processes that film together.

    Raises what loading and features raise.
    """
    pipeline = load_pipeline(card, settings, device)
    return dress_stage(pipeline, card, settings, plan, take, texts, stopped, device, ranks=ranks)


def dress_stage(
    pipeline: Any,
    card: ModelCard,
    settings: StudioSettings,
    plan: MemoryPlan,
    take: Take,
    texts: EmbeddingCache,
    stopped: Callable[[], bool],
    device: str,
    encode: Callable[[Any, Take], dict[str, Any]] | None = None,
    ranks: int = 1,
) -> Stage:
    """A stage over a pipeline that is in memory."""
    stage = Stage(card, pipeline, device, texts, encode=encode)
    loras = [Lora(*parse_lora(text), number) for number, text in enumerate(settings.loras)]
    placement = Placement(plan, device)
    tiling = [VaeTiling()] if plan.tiles else []
    for feature in (*loras, *weight_features(settings, device), *tiling):
        feature.apply(pipeline)
        stage.evidence[feature.name] = feature.evidence()
    weigh(pipeline, loras)
    placement.apply(pipeline)
    stage.features = speed_features(settings, card.family, take.steps, ranks)
    if ranks > 1:
        stage.features.append(ContextParallel(ranks))
    small = stage.warm_up_take(take, WARM_UP_STEPS, ranks)
    stage.prove(small, stopped)
    if settings.warm_up and not stage.features:
        stage.warm_up(small, stopped)
    if plan >= MemoryPlan.MODEL_OFFLOAD:
        stage.evidence[placement.name] = placement.evidence()
    return stage
