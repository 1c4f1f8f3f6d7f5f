"""Checks requests before any work: what is bounded is bounded here, with the field's path."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from soundsight.common.v1 import common_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight_kit.errors import FailedPrecondition, InvalidArgument, NotFound
from soundsight_kit.timeline import check_storyboard
from soundsight_scenewriter.backend import Backend, read_profile
from soundsight_scenewriter.brief import NOTE_CHARACTERS, Brief, read_brief
from soundsight_scenewriter.llm.sung import SungLine, read_sung_lines
from soundsight_scenewriter.planning.types import ClipLimits
from soundsight_scenewriter.reading import read_song
from soundsight_scenewriter.song import Song
from soundsight_scenewriter.texts import check_text
from soundsight_scenewriter.timeline import Timeline

# A storyboard of more frames or scenes would not fit into a message of 4 MiB.
MOST_FRAMES = 4_000_000
MOST_SCENES = 4_000
LONGEST_S = 24 * 3600.0


class ModelUse(StrEnum):
    """Whether the language model writes: not, if it can be reached, or it must."""

    NO = "no"
    PREFERRED = "preferred"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class WriteOrder:
    """A checked request for a storyboard.

    `sung` and `reads_labels` are for the language model: the lyrics, and whether it is told the
    song's labels, which a caller can leave out in favour of the audio model's concept.
    """

    song: Song
    timeline: Timeline
    backend: Backend
    brief: Brief
    seed: int
    model_use: ModelUse = ModelUse.NO
    sung: tuple[SungLine, ...] = ()
    reads_labels: bool = True


@dataclass(frozen=True, slots=True)
class RewriteOrder:
    """A checked request for one scene."""

    storyboard: storyboard_pb2.Storyboard
    scene: storyboard_pb2.Scene
    note: str
    backend: Backend
    seed: int
    model_use: ModelUse = ModelUse.NO


def read_write_request(
    request: pb.WriteStoryboardRequest, *, has_model: bool = False
) -> WriteOrder:
    """A checked order; `has_model`: whether a language model is configured.

    Raises InvalidArgument with the path of the wrong field, FailedPrecondition when a language
    model is asked for that there is not.
    """
    model_use = _model_use(request.brief.writer, "brief.writer", has_model=has_model)
    timeline = _timeline(request.frames, request.frame_rate)
    _check_seed(request.seed)
    if request.resolution.width < 0 or request.resolution.height < 0:
        raise InvalidArgument("resolution must not be negative.", field="resolution")
    backend = read_profile(request.video)
    _check_scene_count(timeline, backend.limits)
    song = read_song(request.analysis, timeline)
    brief = read_brief(request.brief, len(request.analysis.sections))
    return WriteOrder(
        song,
        timeline,
        backend,
        brief,
        request.seed,
        model_use,
        sung=read_sung_lines(request.analysis.lyrics),
        reads_labels=request.brief.pipeline != pb.Pipeline.PIPELINE_CONCEPT,
    )


def read_rewrite_request(
    request: pb.RewriteSceneRequest, *, has_model: bool = False
) -> RewriteOrder:
    """A checked order; `has_model`: whether a language model is configured.

    Raises InvalidArgument with the path of the wrong field, NotFound for an unknown scene,
    FailedPrecondition when a language model is asked for that there is not.
    """
    model_use = _model_use(request.writer, "writer", has_model=has_model)
    _check_seed(request.seed)
    try:
        check_storyboard(request.storyboard)
    except InvalidArgument as error:
        paths = [(f"storyboard.{path}", why) for path, why in error.field_violations]
        raise InvalidArgument(
            f"storyboard is unsound: {', '.join(path for path, _ in paths)} {error.message}",
            field_violations=paths,
        ) from error
    scene = next(
        (scene for scene in request.storyboard.scenes if scene.id == request.scene_id), None
    )
    if scene is None:
        raise NotFound("scene", request.scene_id)
    return RewriteOrder(
        storyboard=request.storyboard,
        scene=scene,
        note=check_text(request.note, "note", NOTE_CHARACTERS),
        backend=read_profile(request.video),
        seed=request.seed,
        model_use=model_use,
    )


def _model_use(writer: int, path: str, *, has_model: bool) -> ModelUse:
    if writer not in pb.Writer.values():
        raise InvalidArgument(f"{path} {writer} is not a writer.", field=path)
    if writer == pb.Writer.WRITER_RULES:
        return ModelUse.NO
    if writer == pb.Writer.WRITER_LLM and not has_model:
        raise FailedPrecondition(
            "This scene writer has no language model. Set SOUNDSIGHT_SCENEWRITER_LLM_URL, ask for "
            f"WRITER_RULES, or leave {path} unset.",
            reason="LANGUAGE_MODEL_NOT_AVAILABLE",
        )
    if writer == pb.Writer.WRITER_LLM:
        return ModelUse.REQUIRED
    return ModelUse.PREFERRED if has_model else ModelUse.NO


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise InvalidArgument("seed must be 0 to 2^63 - 1.", field="seed")


def _timeline(frames: int, rate: common_pb2.FrameRate) -> Timeline:
    if not 1 <= frames <= MOST_FRAMES:
        raise InvalidArgument(f"frames is {frames}; it must be 1 to {MOST_FRAMES}.", field="frames")
    if rate.num < 1 or rate.den < 1:
        raise InvalidArgument(
            f"frame_rate is {rate.num}/{rate.den}; both parts must be at least 1.",
            field="frame_rate",
        )
    timeline = Timeline(frames, rate.num, rate.den)
    if timeline.duration_s > LONGEST_S:
        raise InvalidArgument(
            f"{frames} frames at {rate.num}/{rate.den} per second last "
            f"{timeline.duration_s / 3600:.0f} hours; at most {LONGEST_S / 3600:.0f} are planned.",
            field="frames",
        )
    return timeline


def _check_scene_count(timeline: Timeline, limits: ClipLimits) -> None:
    clips = -(-timeline.frames // limits.max_frames)
    if clips > MOST_SCENES:
        raise InvalidArgument(
            f"{timeline.frames} frames in clips of at most {limits.max_frames} need {clips} "
            f"scenes; a storyboard holds at most {MOST_SCENES}. Use a backend with longer clips, a "
            "lower frame rate or an excerpt.",
            field="video.max_frames",
        )
