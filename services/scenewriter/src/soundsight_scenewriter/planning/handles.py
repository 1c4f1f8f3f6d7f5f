"""Transitions and the frames around a shot that they need.

A transition of n frames covers the n // 2 frames before the cut and the n - n // 2 after it, so
the clip before is filmed n - n // 2 frames beyond the cut and the clip after begins n // 2 frames
before it (see `Transition` in common.proto).
"""

from __future__ import annotations

from collections.abc import Sequence

from soundsight_scenewriter.planning.types import ClipLimits


def handle_out_for(transition_frames: int) -> int:
    """Frames that the clip before a transition is filmed beyond its shot."""
    return transition_frames - transition_frames // 2


def handle_in_for(transition_frames: int) -> int:
    """Frames that the clip after a transition is filmed before its shot."""
    return transition_frames // 2


def handle_room(shot_frames: int, limits: ClipLimits) -> int:
    """The most frames that each of a shot's two handles may have.

    A shot that fits into one clip stays one clip: its transitions get shorter instead. A longer
    one is split anyway, and its outer takes keep room for the backend's minimum.
    """
    if shot_frames <= limits.max_frames:
        return (limits.max_frames - shot_frames) // 2
    return min((limits.max_frames - 1) // 2, limits.max_frames - limits.min_frames)


def longest_transition(
    before_frames: int, after_frames: int, before_room: int, after_room: int
) -> int:
    """The longest transition between two shots, in frames, 0 when none fits.

    It covers at most half of each shot, so that the transitions at a shot's two ends never meet,
    and its handles stay within their rooms.
    """
    covered_before = min(before_frames // 2, after_room)
    covered_after = min(after_frames // 2, before_room)
    # n // 2 frames lie before the cut and n - n // 2 after it.
    return min(2 * covered_before + 1, 2 * covered_after)


def fit_transitions(
    shot_frames: Sequence[int], wanted_frames: Sequence[int], limits: ClipLimits
) -> list[int]:
    """Shortens wanted transitions until they fit; entry i leads into shot i, the first is 0."""
    rooms = [handle_room(frames, limits) for frames in shot_frames]
    fitted = [0] * len(shot_frames)
    for index in range(1, len(shot_frames)):
        longest = longest_transition(
            shot_frames[index - 1], shot_frames[index], rooms[index - 1], rooms[index]
        )
        fitted[index] = max(0, min(wanted_frames[index], longest))
    return fitted
