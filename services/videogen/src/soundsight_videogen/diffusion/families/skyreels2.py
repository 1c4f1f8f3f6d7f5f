"""SkyReels-V2, by diffusion forcing: text to video, and pictures at both ends."""

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
    plain_arguments,
    size_multiple,
)
from soundsight_videogen.diffusion.grid import FrameGrid
from soundsight_videogen.diffusion.models import ModelFolder


class SkyReels2(Family):
    """Each frame has a noise level of its own; all are denoised together here."""

    name = "skyreels2"
    classes = (
        "SkyReelsV2DiffusionForcingPipeline",
        "SkyReelsV2DiffusionForcingImageToVideoPipeline",
    )

    def traits(self, model: ModelFolder) -> Traits:
        """The 1.3B and the 14B, of 540p."""
        small = model.config("transformer", "num_layers", 40) <= 30
        return Traits(
            title="SkyReels-V2",
            grid=FrameGrid(step=4, offset=1, fewest=5, most=97),
            native_fps=24,
            standard_size=(960, 544),
            size_multiple=size_multiple(model, 16),
            most_pixels=960 * 544 if small else 1280 * 720,
            steps=Steps(draft=16, standard=30, high=50),
            guidance=6.0,
            capabilities=frozenset({START, END, NEGATIVE, PREVIEW}),
            licence="LicenseRef-Skywork",
            flow_shift=8.0,
            memory_gib=24.0 if small else 80.0,
        )

    def pipeline_class(self, model: ModelFolder, stills: Stills) -> str:
        """By whether there is a first picture; the components are the same."""
        if stills.start is not None:
            return "SkyReelsV2DiffusionForcingImageToVideoPipeline"
        return "SkyReelsV2DiffusionForcingPipeline"

    def arguments(self, pipeline: Any, take: Take) -> dict[str, Any]:
        """A last picture needs a first one."""
        arguments = {**plain_arguments(take), "prompt": None, "fps": round(take.fps)}
        arguments["base_num_frames"] = take.frames
        if take.stills.start is not None:
            arguments["image"] = take.stills.start
            arguments["last_image"] = take.stills.end
        return arguments


FAMILY = SkyReels2()
