"""The frame formula and the invariant of storyboards: the one place for both.

Measured time is in seconds, decided time in whole frames at a rational rate; frame i of a video
starts at i * den / num seconds.
"""

from __future__ import annotations

from soundsight.common.v1.common_pb2 import FrameRate, Transition, TransitionKind
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight_kit.errors import InvalidArgument


def video_frames(samples: int, sample_rate_hz: int, rate: FrameRate) -> int:
    """Returns the frames of a video over `samples` samples: the song's length, rounded half up.

    Computed in integers, so that every service gets the same number.

    Raises:
        InvalidArgument: for negative samples or rates that are not positive.
    """
    if samples < 0 or sample_rate_hz < 1 or rate.num < 1 or rate.den < 1:
        raise InvalidArgument(
            f"no frames can be counted for {samples} samples at {sample_rate_hz} Hz "
            f"and {rate.num}/{rate.den} frames per second"
        )
    scale = sample_rate_hz * rate.den
    return max(1, (2 * samples * rate.num + scale) // (2 * scale))


def transition_handles(transition: Transition) -> tuple[int, int]:
    """Returns the handles a transition needs: (handle_out of the shot before, handle_in of the
    shot it leads into), in frames. Only a cross-fade shows pictures from beyond the cut."""
    if transition.kind != TransitionKind.TRANSITION_KIND_CROSS_FADE:
        return 0, 0
    before = transition.frames // 2
    return transition.frames - before, before


def check_storyboard(storyboard: Storyboard) -> None:
    """Checks what must hold for every storyboard, wherever it is made or received.

    Scenes are contiguous from frame 0 and sum to exactly `frames`; ids are unique and indices
    count up; handles suffice for the transitions; cues, where given, have one value per frame.

    Raises:
        InvalidArgument: naming the first field that is wrong.
    """
    if storyboard.frame_rate.num < 1 or storyboard.frame_rate.den < 1:
        raise InvalidArgument("must be positive", field="frame_rate")
    if not storyboard.scenes:
        raise InvalidArgument("a storyboard has at least one scene", field="scenes")
    end = 0
    ids: set[str] = set()
    for index, scene in enumerate(storyboard.scenes):
        field = f"scenes[{index}]"
        _require(scene.index == index, f"must be {index}", f"{field}.index")
        _require(bool(scene.id), "must not be empty", f"{field}.id")
        _require(scene.id not in ids, f"{scene.id} is there twice", f"{field}.id")
        ids.add(scene.id)
        _require(scene.frames >= 1, "must be at least 1", f"{field}.frames")
        _require(
            scene.start_frame == end,
            f"must be {end}, where the scene before ends",
            f"{field}.start_frame",
        )
        _check_handles(storyboard, index, field)
        _check_cues(scene, field)
        end += scene.frames
    _require(end == storyboard.frames, f"must be {end}, the sum of all scenes' frames", "frames")


def _check_handles(storyboard: Storyboard, index: int, field: str) -> None:
    scene = storyboard.scenes[index]
    _require(scene.handle_in_frames >= 0, "must not be negative", f"{field}.handle_in_frames")
    _require(scene.handle_out_frames >= 0, "must not be negative", f"{field}.handle_out_frames")
    _require(scene.transition_in.frames >= 0, "must not be negative", f"{field}.transition_in")
    out_of_previous, into_this = transition_handles(scene.transition_in)
    _require(
        scene.handle_in_frames >= into_this,
        f"must be at least {into_this} for the transition into the scene",
        f"{field}.handle_in_frames",
    )
    if index > 0:
        _require(
            storyboard.scenes[index - 1].handle_out_frames >= out_of_previous,
            f"must be at least {out_of_previous} for the transition into the next scene",
            f"scenes[{index - 1}].handle_out_frames",
        )


def _check_cues(scene: Scene, field: str) -> None:
    clip_frames = scene.handle_in_frames + scene.frames + scene.handle_out_frames
    for name in ("energy", "bass", "onset", "brightness"):
        values: bytes = getattr(scene.cues, name)
        _require(
            len(values) in (0, clip_frames),
            f"must have {clip_frames} values, one per frame of the clip",
            f"{field}.cues.{name}",
        )
    for name in ("beat_frames", "downbeat_frames"):
        frames = list(getattr(scene.cues, name))
        _require(
            frames == sorted(set(frames)) and all(0 <= frame < clip_frames for frame in frames),
            f"must ascend within 0 to {clip_frames - 1}",
            f"{field}.cues.{name}",
        )


def _require(holds: bool, otherwise: str, field: str) -> None:
    if not holds:
        raise InvalidArgument(otherwise, field=field)
