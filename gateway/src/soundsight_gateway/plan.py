"""From a storyboard to calls: what is asked of videogen and of the composer. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from google.protobuf.duration_pb2 import Duration

from soundsight.common.v1 import common_pb2
from soundsight.composer.v1 import composer_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import scenewriter_pb2, storyboard_pb2
from soundsight.videogen.v1 import profile_pb2, videogen_pb2
from soundsight_gateway import keys
from soundsight_gateway.settings import DEFAULT_POOL
from soundsight_kit.errors import FailedPrecondition

DEFAULT_RESOLUTION: Final = (1280, 720)
DEFAULT_RATE: Final = (24, 1)

_SIDE_FACTOR: Final = {
    videogen_pb2.QUALITY_DRAFT: Fraction(3, 4),
    videogen_pb2.QUALITY_STANDARD: Fraction(1),
    videogen_pb2.QUALITY_HIGH: Fraction(3, 2),
}
"""Sides of the internal picture against those at standard quality."""

CAPTIONS_CAPABILITY: Final = "captions"
"""What a composer declares that draws captions; one that does not refuses them."""

_SEPARATING: Final = ("Cc", "Zl", "Zp")
_CARD_FROM_S: Final = Fraction(7, 10)
_CARD_S: Final = Fraction(7, 2)
_CARD_SHARE: Final = 3
"""A title card takes at most one part in this many of the video."""
_CARD_LEAST_VIDEO_S: Final = 8
_CARD_LINE_CHARS: Final = 99
"""Longest line of a title card: title, newline and artist must fit into a caption."""

QualityWord = Literal["draft", "standard", "high"]


@dataclass(frozen=True, slots=True)
class Wish:
    """A RenderSpec with every default filled in."""

    resolution: common_pb2.Resolution
    frame_rate: common_pb2.FrameRate
    quality: videogen_pb2.Quality.ValueType
    goal: r.RenderGoal.ValueType
    pool: str
    priority: int = 0
    """Whose clips are filmed first among those that wait: see `GenerateClipRequest.priority`."""

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.frame_rate.num, self.frame_rate.den)

    @property
    def quality_word(self) -> QualityWord:
        """The quality as the encoder's defaults name it."""
        words: dict[int, QualityWord] = {
            videogen_pb2.QUALITY_DRAFT: "draft",
            videogen_pb2.QUALITY_HIGH: "high",
        }
        return words.get(self.quality, "standard")


def wish(spec: r.RenderSpec) -> Wish:
    """What a checked spec asks for."""
    resolution = common_pb2.Resolution(width=DEFAULT_RESOLUTION[0], height=DEFAULT_RESOLUTION[1])
    frame_rate = common_pb2.FrameRate(num=DEFAULT_RATE[0], den=DEFAULT_RATE[1])
    return Wish(
        resolution=spec.resolution if spec.HasField("resolution") else resolution,
        frame_rate=spec.frame_rate if spec.HasField("frame_rate") else frame_rate,
        quality=spec.quality or videogen_pb2.QUALITY_STANDARD,
        goal=spec.goal or r.RENDER_GOAL_VIDEO,
        pool=spec.video_pool or DEFAULT_POOL,
        # A draft is made to be looked at: somebody waits for it.
        priority=int(spec.quality == videogen_pb2.QUALITY_DRAFT),
    )


def internal_resolution(
    profile: profile_pb2.VideoGenProfile,
    output: common_pb2.Resolution,
    quality: videogen_pb2.Quality.ValueType,
) -> common_pb2.Resolution:
    """The size at which a backend makes pictures for an output of this size and quality.

    With declared sizes: the one whose shape is nearest to the output's, the backend's order
    deciding between equals. Otherwise the standard size for 1280x720 is scaled to the output and
    by quality, to whole multiples of the backend's, and never larger than the output needs.
    """
    if profile.resolutions:
        shape = output.width / output.height

        def distance(size: common_pb2.Resolution) -> float:
            ratio = size.width / size.height / shape
            return max(ratio, 1 / ratio)

        best = min(profile.resolutions, key=distance)
        return common_pb2.Resolution(width=best.width, height=best.height)
    step = max(1, profile.size_multiple)
    standard = profile.standard_internal_resolution
    scale = Fraction(standard.height, DEFAULT_RESOLUTION[1]) if standard.height else Fraction(1)
    scale = min(Fraction(1), scale * _SIDE_FACTOR.get(quality, Fraction(1)))

    def side(pixels: int) -> int:
        return max(1, round(pixels * scale / step)) * step

    return common_pb2.Resolution(width=side(output.width), height=side(output.height))


def chains(
    storyboard: storyboard_pb2.Storyboard, profile: profile_pb2.VideoGenProfile
) -> list[list[str]]:
    """Ids of the scenes, those that must be filmed one after the other grouped.

    A further take begins with the last picture of the take before, so it waits for that one; but
    only where the backend takes a first picture. Elsewhere the takes do not depend on each other.
    """
    linked = profile_pb2.VIDEO_CAPABILITY_START_IMAGE in profile.capabilities
    groups: list[list[str]] = []
    for scene in storyboard.scenes:
        if groups and linked and scene.continues_previous:
            groups[-1].append(scene.id)
        else:
            groups.append([scene.id])
    return groups


@dataclass(frozen=True, slots=True)
class Footing:
    """What all clips of a render stand on."""

    project: str
    wish: Wish
    storyboard: storyboard_pb2.Storyboard
    video: r.VideoSettings
    detach_grace_s: float


def clip_request(
    footing: Footing,
    scene: storyboard_pb2.Scene,
    *,
    fingerprint: str,
    starts_chain: bool = False,
    predecessor: videogen_pb2.Clip | None = None,
    predecessor_key: str = "",
) -> tuple[str, videogen_pb2.GenerateClipRequest]:
    """The key of a scene's clip and the call that films it.

    Args:
        footing: what all clips of the render share.
        scene: the scene.
        fingerprint: the backend's.
        starts_chain: whether the next take begins with this one's last picture.
        predecessor: the clip that this take is chained to; its last picture becomes the first.
        predecessor_key: the key of that clip.
    """
    video, profile = footing.video, footing.video.profile
    request = videogen_pb2.GenerateClipRequest(
        project=footing.project,
        expected_fingerprint=fingerprint,
        shot=scene.shot,
        shot_frames=scene.frames,
        handle_in_frames=scene.handle_in_frames,
        handle_out_frames=scene.handle_out_frames,
        frame_rate=footing.wish.frame_rate,
        resolution=footing.wish.resolution,
        internal_resolution=video.internal_resolution,
        seed=scene.seed,
        quality=footing.wish.quality,
        cues=scene.cues,
        encoder=video.encoder,
        store_last_frame=starts_chain,
        detach_grace=_seconds(footing.detach_grace_s),
        priority=footing.wish.priority,
    )
    offered = set(profile.capabilities)
    if profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT not in offered:
        request.shot.ClearField("negative_prompt")
    if profile_pb2.VIDEO_CAPABILITY_REFERENCE_IMAGES in offered:
        for member in footing.storyboard.treatment.cast:
            if member.id in scene.cast_ids:
                request.reference_images.extend(member.reference_images)
    if profile_pb2.VIDEO_CAPABILITY_PREVIEW in offered:
        request.preview_interval.CopyFrom(_seconds(1.0))
    if predecessor is not None:
        if not predecessor.HasField("last_frame"):
            raise FailedPrecondition(
                f"the clip before {scene.id} was stored without its last picture, with which this "
                "one begins; delete that clip, or change its scene",
                reason="LAST_FRAME_MISSING",
            )
        request.start_image.CopyFrom(predecessor.last_frame)
    key = keys.clip_key(
        request,
        consumed_inputs=profile.consumed_inputs,
        fingerprint=fingerprint,
        predecessor=predecessor_key,
    )
    request.output_key = f"projects/{footing.project}/clips/{key}"
    return key, request


def storyboard_request(
    spec: r.RenderSpec, wanted: Wish, frames: int, profile: profile_pb2.VideoGenProfile
) -> scenewriter_pb2.WriteStoryboardRequest:
    """The call that has a storyboard written, all but the analysis."""
    return scenewriter_pb2.WriteStoryboardRequest(
        frames=frames,
        frame_rate=wanted.frame_rate,
        resolution=wanted.resolution,
        video=profile,
        brief=spec.brief,
        seed=spec.seed,
    )


def compose_request(
    footing: Footing,
    spec: r.RenderSpec,
    song: r.CanonicalSong,
    original: common_pb2.ArtifactRef | None,
    clips: Mapping[str, common_pb2.ArtifactRef],
    comment: str,
    fingerprint: str,
    capabilities: Collection[str] = (),
) -> tuple[str, composer_pb2.ComposeRequest]:
    """The key of the finished video and the call that composes it.

    Args:
        footing: what the clips stand on.
        spec: what was asked for.
        song: the canonical song.
        original: the file that was sent in, when its sound may be copied.
        clips: the clip of each scene by its id.
        comment: how the video was made.
        fingerprint: the composer's.
        capabilities: what the composer declares; captions go only to one that draws them.
    """
    storyboard = footing.storyboard
    request = composer_pb2.ComposeRequest(
        project=footing.project,
        clips=[
            composer_pb2.ClipSource(
                video=clips[scene.id],
                handle_in_frames=scene.handle_in_frames,
                shot_frames=scene.frames,
                handle_out_frames=scene.handle_out_frames,
                transition_in=scene.transition_in,
            )
            for scene in storyboard.scenes
        ],
        frames=storyboard.frames,
        frame_rate=footing.wish.frame_rate,
        resolution=footing.wish.resolution,
        encoder=footing.video.encoder,
        soundtrack=composer_pb2.Soundtrack(
            canonical=song.flac,
            samples=song.samples,
            sample_rate_hz=song.sample_rate_hz,
            original=original,
        ),
        captions=(
            title_card(footing, spec.title or song.title, spec.artist or song.artist)
            if CAPTIONS_CAPABILITY in capabilities
            else []
        ),
        metadata=composer_pb2.FileMetadata(
            title=spec.title or song.title or storyboard.treatment.title,
            artist=spec.artist or song.artist,
            comment=comment,
        ),
        poster_frame=-1,
        detach_grace=_seconds(footing.detach_grace_s),
    )
    key = keys.composition_key(request, fingerprint)
    request.output_key = f"projects/{footing.project}/compositions/{key}"
    return key, request


def title_card(footing: Footing, title: str, artist: str) -> list[composer_pb2.Caption]:
    """The song's title over the first pictures, and its artist below; nothing for a song without a
    title, whose name would be an invented one, and for a video too short to carry it."""
    frames, rate = footing.storyboard.frames, footing.wish.rate
    lines = [line for line in (_card_line(title), _card_line(artist)) if line]
    if not _card_line(title) or frames < _CARD_LEAST_VIDEO_S * rate:
        return []
    return [
        composer_pb2.Caption(
            start_frame=round(_CARD_FROM_S * rate),
            frames=min(round(_CARD_S * rate), frames // _CARD_SHARE),
            text="\n".join(lines),
            style=composer_pb2.CAPTION_STYLE_TITLE,
        )
    ]


def _card_line(text: str) -> str:
    """A tag as one line of a card: tags may hold control characters, and anything else."""
    plain = "".join(" " if unicodedata.category(one) in _SEPARATING else one for one in text)
    line = " ".join(plain.split())
    return line if len(line) <= _CARD_LINE_CHARS else f"{line[: _CARD_LINE_CHARS - 1].rstrip()}…"


def clip_frames(scene: storyboard_pb2.Scene) -> int:
    """Frames of a scene's clip, handles included."""
    return scene.handle_in_frames + scene.frames + scene.handle_out_frames


def fits(clip: videogen_pb2.Clip, request: videogen_pb2.GenerateClipRequest) -> bool:
    """Whether a clip is what was asked for: a file that exists is not always the right one."""
    return (
        (clip.handle_in_frames, clip.shot_frames, clip.handle_out_frames)
        == (request.handle_in_frames, request.shot_frames, request.handle_out_frames)
        and clip.frame_rate == request.frame_rate
        and clip.resolution == request.resolution
        and clip.HasField("video")
        and (clip.HasField("last_frame") or not request.store_last_frame)
    )


def made_with(provenances: Sequence[videogen_pb2.ClipProvenance]) -> str:
    """How a video was made, for its metadata: the models that filmed it, each once."""
    models: list[str] = []
    for one in provenances:
        name = one.model_id or one.implementation
        if name and name not in models:
            models.append(name)
    return f"Made with Soundsight ({', '.join(models)})" if models else "Made with Soundsight"


def _seconds(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
