"""What a diffusion model is to callers: profile, name, revision, licence. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from soundsight.common.v1.common_pb2 import FrameRate, Resolution
from soundsight.common.v1.implementation_pb2 import Model
from soundsight.videogen.v1 import profile_pb2
from soundsight_videogen.diffusion.families import family_of
from soundsight_videogen.diffusion.families.family import (
    DRAFT,
    END,
    NEGATIVE,
    REFERENCES,
    START,
    Family,
    Traits,
)
from soundsight_videogen.diffusion.models import ModelFolder, find_model
from soundsight_videogen.diffusion.settings import StudioSettings

MAX_OUTPUT_PIXELS = 3840 * 2160

_INPUTS = ("shot.prompt", "seed", "internal_resolution", "quality", "steps", "guidance_scale")
_INPUTS_OF = {
    NEGATIVE: "shot.negative_prompt",
    START: "start_image",
    END: "end_image",
    REFERENCES: "reference_images",
    DRAFT: "draft",
}
_TOKENS = {
    NEGATIVE: "negative_prompt",
    START: "start_image",
    END: "end_image",
    REFERENCES: "reference_images",
    DRAFT: "draft_to_final",
    profile_pb2.VIDEO_CAPABILITY_PREVIEW: "preview",
}


@dataclass(frozen=True)
class ModelCard:
    """A model and the family it belongs to."""

    folder: ModelFolder
    family: Family
    traits: Traits

    @property
    def model(self) -> Model:
        """For GetInfo and provenance."""
        name = self.folder.name
        return Model(
            id=self.folder.path.name if self.folder.path.name in name.split("/")[-1:] else name,
            revision=self.folder.revision,
            licence=self.folder.licence(self.traits.licence),
        )

    @property
    def capabilities(self) -> tuple[str, ...]:
        """In the words of GetInfo."""
        return tuple(sorted(_TOKENS[able] for able in self.traits.capabilities))

    @property
    def profile(self) -> profile_pb2.VideoGenProfile:
        """What it can film. `max_frames` counts the clip's frames and holds at any frame rate."""
        traits = self.traits
        width, height = traits.standard_size
        consumed = [
            *_INPUTS,
            *(_INPUTS_OF[able] for able in traits.capabilities & _INPUTS_OF.keys()),
        ]
        if traits.takes_motion:
            consumed.append("shot.motion")
        profile = profile_pb2.VideoGenProfile(
            kind=profile_pb2.BACKEND_KIND_DIFFUSION,
            frame_step=traits.grid.step,
            frame_offset=traits.grid.offset,
            min_frames=1,
            max_frames=traits.grid.largest,
            size_multiple=traits.size_multiple,
            max_pixels=MAX_OUTPUT_PIXELS,
            capabilities=sorted(traits.capabilities),
            prompt_dialect=profile_pb2.PromptDialect(
                style=traits.dialect.style,
                max_characters=traits.dialect.max_characters,
                camera_words=traits.dialect.camera_words,
            ),
            consumed_inputs=sorted(consumed),
            standard_internal_resolution=Resolution(width=width, height=height),
        )
        for size in traits.sizes:
            profile.resolutions.add(width=size[0], height=size[1])
        if traits.native_fps:
            profile.native_frame_rate.CopyFrom(FrameRate(num=traits.native_fps, den=1))
        return profile


def read_card(model: str, settings: StudioSettings) -> ModelCard:
    """Looks a model up and says what it is; raises what `find_model` and `family_of` raise."""
    folder = find_model(model, settings)
    family = family_of(folder)
    return ModelCard(folder, family, family.traits(folder))
