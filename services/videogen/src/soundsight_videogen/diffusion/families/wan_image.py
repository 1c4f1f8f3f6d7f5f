"""Wan 2.1 and 2.2 image to video, and first and last frame to video."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.families.family import (
    END,
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
from soundsight_videogen.diffusion.families.wan import HD
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.models import ModelFolder


class WanImage(Family):
    """Needs a first picture; takes a last one."""

    name = "wan-image"
    classes = ("WanImageToVideoPipeline",)
    caches = ("first_block", "taylorseer", "magcache", "pyramid")

    def traits(self, model: ModelFolder) -> Traits:
        """The 14B models of both versions, which differ in their transformers' number."""
        two = index_flag(model, "boundary_ratio") is not None
        # Trained on both ends: it has places for the tokens of two pictures, and needs both.
        ends = model.config("transformer", "pos_embed_seq_len") is not None
        kind = "first-last frame" if ends else "image"
        able = {START, NEGATIVE, PREVIEW, *([END] if two or ends else [])}
        return Traits(
            title=f"Wan {'2.2' if two else '2.1'} {kind} to video",
            grid=FrameGrid(step=4, offset=1, fewest=5, most=81),
            native_fps=16,
            standard_size=(832, 480),
            size_multiple=size_multiple(model, 16),
            most_pixels=HD,
            steps=Steps(draft=16, standard=30, high=40),
            guidance=3.5 if two else 5.0,
            capabilities=frozenset(able),
            licence="Apache-2.0",
            flow_shift=5.0 if two else 3.0,
            memory_gib=80.0,
            needs_start=True,
            needs_end=ends,
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """One for all."""
        return "WanImageToVideoPipeline"

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """With the pictures at both ends."""
        return {
            **plain_arguments(take),
            "image": take.stills.start,
            "last_image": take.stills.end,
        }


FAMILY = WanImage()
