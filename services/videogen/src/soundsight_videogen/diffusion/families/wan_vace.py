"""Wan VACE: reference pictures of cast and places, and pictures at both ends."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.families.family import (
    END,
    NEGATIVE,
    PREVIEW,
    REFERENCES,
    START,
    Family,
    Steps,
    Stills,
    Take,
    Traits,
    plain_arguments,
    size_multiple,
)
from soundsight_videogen.diffusion.families.wan import HD, SD
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.models import ModelFolder

_GREY = (128, 128, 128)
_MADE_UP, _GIVEN = 255, 0


class WanVace(Family):
    """Films what a mask leaves open, around what it is given."""

    name = "wan-vace"
    classes = ("WanVACEPipeline",)
    caches = ("first_block", "magcache")

    def traits(self, model: ModelFolder) -> Traits:
        """The 1.3B and the 14B."""
        small = model.config("transformer", "num_layers", 40) <= 30
        return Traits(
            title="Wan 2.1 VACE",
            grid=FrameGrid(step=4, offset=1, fewest=5, most=81),
            native_fps=16,
            standard_size=(832, 480),
            size_multiple=size_multiple(model, 16),
            most_pixels=SD if small else HD,
            steps=Steps(draft=16, standard=30, high=50),
            guidance=5.0,
            capabilities=frozenset({START, END, REFERENCES, NEGATIVE, PREVIEW}),
            licence="Apache-2.0",
            flow_shift=3.0 if small else 5.0,
            memory_gib=24.0 if small else 80.0,
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """One for all."""
        return "WanVACEPipeline"

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """Grey frames to be made up, with the pictures that are given at their places."""
        from PIL import Image

        given = {0: take.stills.start, take.frames - 1: take.stills.end}
        pictures = [Image.new("RGB", take.size, _GREY) for _ in range(take.frames)]
        masks = [Image.new("L", take.size, _MADE_UP) for _ in range(take.frames)]
        for frame, picture in given.items():
            if picture is not None:
                pictures[frame] = picture
                masks[frame] = Image.new("L", take.size, _GIVEN)
        arguments = {**plain_arguments(take), "video": pictures, "mask": masks}
        if take.stills.references:
            arguments["reference_images"] = list(take.stills.references)
        return arguments


FAMILY = WanVace()
