"""What the video backend can do, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from soundsight.videogen.v1 import profile_pb2 as pb
from soundsight_kit.errors import InvalidArgument
from soundsight_scenewriter.planning.types import ClipLimits
from soundsight_scenewriter.texts import check_text

MOST_SETTINGS = 200
_SETTING_CHARACTERS = 100
MOST_MIN_FRAMES = 10_000
"""A shorter shot is filled up to the backend's minimum, and each of its frames is planned."""
# Without a stated maximum one clip may last this long; no backend renders more in one go.
_DEFAULT_MAX_FRAMES = 2_000_000_000


class PromptStyle(StrEnum):
    """How the words of a prompt are put together."""

    SENTENCES = "sentences"
    PHRASES = "phrases"
    FIELDS = "fields"


_STYLES = {
    pb.PromptStyle.PROMPT_STYLE_UNSPECIFIED: PromptStyle.SENTENCES,
    pb.PromptStyle.PROMPT_STYLE_SENTENCES: PromptStyle.SENTENCES,
    pb.PromptStyle.PROMPT_STYLE_PHRASES: PromptStyle.PHRASES,
    pb.PromptStyle.PROMPT_STYLE_FIELDS: PromptStyle.FIELDS,
}


@dataclass(frozen=True, slots=True)
class Backend:
    """A video backend as the writer sees it. `max_characters` 0 means no bound."""

    limits: ClipLimits
    settings: tuple[str, ...] = ()
    style: PromptStyle = PromptStyle.SENTENCES
    max_characters: int = 0
    camera_words: bool = True
    negative_prompt: bool = False
    music_cues: bool = True
    reference_images: bool = False

    @property
    def reads_words(self) -> bool:
        """Whether the prompt is read; otherwise only the fields are."""
        return self.style is not PromptStyle.FIELDS


def read_profile(profile: pb.VideoGenProfile) -> Backend:
    """The backend that a profile describes; an absent one is taken for a backend without limits.

    Raises InvalidArgument with a path that begins with `video`.
    """
    minimum = profile.min_frames or 1
    maximum = profile.max_frames or _DEFAULT_MAX_FRAMES
    for name, value in (("min_frames", minimum), ("max_frames", maximum)):
        if value < 1:
            raise InvalidArgument(
                f"video.{name} is {value}; it must be positive.", field=f"video.{name}"
            )
    if minimum > MOST_MIN_FRAMES:
        raise InvalidArgument(
            f"video.min_frames is {minimum}; clips must be allowed to be as short as "
            f"{MOST_MIN_FRAMES} frames. Correct the backend's profile.",
            field="video.min_frames",
        )
    if minimum > maximum:
        raise InvalidArgument(
            f"video.min_frames {minimum} is above video.max_frames {maximum}: no clip fits. "
            "Correct the backend's profile.",
            field="video.min_frames",
        )
    if profile.frame_step < 0 or profile.frame_offset < 0:
        raise InvalidArgument(
            "video.frame_step and video.frame_offset must not be negative.",
            field="video.frame_step",
        )
    dialect = profile.prompt_dialect
    if dialect.style not in _STYLES:
        raise InvalidArgument(
            f"video.prompt_dialect.style {dialect.style} is not a style.",
            field="video.prompt_dialect.style",
        )
    if dialect.max_characters < 0:
        raise InvalidArgument(
            "video.prompt_dialect.max_characters must not be negative; 0 means no bound.",
            field="video.prompt_dialect.max_characters",
        )
    if len(profile.settings) > MOST_SETTINGS:
        raise InvalidArgument(
            f"video.settings has {len(profile.settings)} entries; at most {MOST_SETTINGS} are "
            "read.",
            field="video.settings",
        )
    settings = [
        check_text(setting, f"video.settings[{index}]", _SETTING_CHARACTERS)
        for index, setting in enumerate(profile.settings)
    ]
    return Backend(
        limits=ClipLimits.on_grid(minimum, maximum, profile.frame_step, profile.frame_offset),
        settings=tuple(setting for setting in settings if setting),
        style=_STYLES[dialect.style],
        max_characters=dialect.max_characters,
        camera_words=dialect.camera_words,
        negative_prompt=pb.VideoCapability.VIDEO_CAPABILITY_NEGATIVE_PROMPT in profile.capabilities,
        music_cues=pb.VideoCapability.VIDEO_CAPABILITY_MUSIC_CUES in profile.capabilities,
        reference_images=(
            pb.VideoCapability.VIDEO_CAPABILITY_REFERENCE_IMAGES in profile.capabilities
        ),
    )
