"""Wan 2.1 and 2.2 text to video, and the 5B of Wan 2.2 that also takes a first picture.

Sizes, rates, steps and shifts are those of the model cards (Wan-AI on the Hugging Face hub).
"""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.families.family import (
    DRAFT,
    NEGATIVE,
    PREVIEW,
    START,
    Family,
    Steps,
    Stills,
    Take,
    Traits,
    index_flag,
    plain_arguments,
    size_multiple,
)
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.models import ModelFolder

HD = 1280 * 720
SD = 832 * 480


class Wan(Family):
    """Text to video."""

    name = "wan"
    classes = ("WanPipeline",)
    caches = ("first_block", "taylorseer", "magcache", "pyramid")

    def traits(self, model: ModelFolder) -> Traits:
        """The 1.3B is small and 480p; the 5B films 24 frames a second; the rest is large."""
        small = model.config("transformer", "num_layers", 40) <= 30
        five = bool(index_flag(model, "expand_timesteps"))
        two = index_flag(model, "boundary_ratio") is not None
        able = {NEGATIVE, PREVIEW}
        if five:
            able.add(START)
        elif not two:
            # The two transformers of 2.2 each know half of the noise: a draft needs both.
            able.add(DRAFT)
        return Traits(
            title="Wan 2.2 5B" if five else "Wan 2.2" if two else "Wan 2.1",
            grid=FrameGrid(step=4, offset=1, fewest=5, most=121 if five else 81),
            native_fps=24 if five else 16,
            standard_size=(832, 480) if small and not five else (1280, 704 if five else 720),
            size_multiple=size_multiple(model, 32 if five else 16),
            most_pixels=SD if small and not five else HD,
            steps=Steps(draft=16, standard=30, high=50),
            guidance=5.0,
            capabilities=frozenset(able),
            licence="Apache-2.0",
            flow_shift=3.0 if small and not five else 5.0,
            memory_gib=32.0 if five else 20.0 if small else 80.0,
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """By what there is to begin with."""
        if stills.start is not None:
            return "WanImageToVideoPipeline"
        return "WanVideoToVideoPipeline" if stills.draft else "WanPipeline"

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """As the three pipelines take them."""
        arguments = plain_arguments(take)
        if take.stills.draft:
            # Its own count of frames is the draft's.
            del arguments["num_frames"]
            return {
                **arguments,
                "video": list(take.stills.draft),
                "strength": 1.0 - take.keep_draft,
            }
        if take.stills.start is not None:
            arguments["image"] = take.stills.start
        return arguments


FAMILY = Wan()
