"""From shots to clips: takes that fit the backend's limits, with their handles."""

from __future__ import annotations

from collections.abc import Sequence

from soundsight_scenewriter.planning.handles import (
    fit_transitions,
    handle_in_for,
    handle_out_for,
    longest_transition,
)
from soundsight_scenewriter.planning.types import (
    CUT,
    ClipLimits,
    Reason,
    Shot,
    Take,
    Transition,
    TransitionKind,
)


def split_shot(frames: int, limits: ClipLimits, widest_handle: int) -> list[int]:
    """Lengths of the takes that film a shot, in order; each fits the limits with one handle.

    Takes are as equal as can be. Where equal ones would fall below the backend's minimum, all but
    the last have the minimum, and the last is filled up by its handle (see `film`).
    """
    if frames <= limits.max_frames:
        return [frames]
    count = -(-frames // (limits.max_frames - widest_handle))
    if frames >= count * limits.min_frames:
        return [frames * (i + 1) // count - frames * i // count for i in range(count)]
    heads = [limits.min_frames] * (count - 1)
    return [*heads, frames - sum(heads)]


def film(shots: Sequence[Shot], wanted: Sequence[Transition], limits: ClipLimits) -> list[Take]:
    """The clips of all shots, contiguous, each within the limits with its handles.

    `wanted[i]` leads into shot i; what does not fit becomes shorter. A cross-fade shows frames
    beyond both shots, which are filmed as handles; a dip shows only the shots' own. A clip that
    would be shorter than the backend's minimum is filmed on past its end: those frames are a
    handle that no transition uses.
    """
    crossing = _crossing(shots, wanted, limits)
    following = [*crossing[1:], 0]
    parts = [
        split_shot(shot.frames, limits, max(handle_in_for(enter), handle_out_for(leave)))
        for shot, enter, leave in zip(shots, crossing, following, strict=True)
    ]
    # A transition must not reach past the take that it touches.
    for index in range(1, len(shots)):
        before, after = parts[index - 1][-1], parts[index][0]
        crossing[index] = min(
            crossing[index],
            longest_transition(before, after, limits.max_frames, limits.max_frames),
        )
    following = [*crossing[1:], 0]
    return [
        take
        for index, shot in enumerate(shots)
        for take in _takes(
            shot,
            index,
            parts[index],
            _fitted(wanted[index], crossing[index], parts, index),
            (crossing[index], following[index]),
            limits,
        )
    ]


def _crossing(shots: Sequence[Shot], wanted: Sequence[Transition], limits: ClipLimits) -> list[int]:
    """Frames of the cross-fade into each shot, as long as its handles allow; 0 for the others."""
    lengths = [t.frames if t.kind is TransitionKind.CROSS_FADE else 0 for t in wanted]
    return fit_transitions([shot.frames for shot in shots], lengths, limits)


def _fitted(
    wanted: Transition, crossing_frames: int, parts: Sequence[Sequence[int]], index: int
) -> Transition:
    """The transition into a shot as long as there is room for it; a cut where there is none."""
    if wanted.kind is TransitionKind.CROSS_FADE:
        frames = crossing_frames
    elif wanted.kind is TransitionKind.DIP_TO_BLACK:
        before = parts[index - 1][-1] if index else parts[0][0]
        frames = min(wanted.frames, longest_transition(before, parts[index][0], before, before))
    else:
        frames = 0
    return Transition(wanted.kind, frames) if frames > 0 else CUT


def _takes(
    shot: Shot,
    shot_index: int,
    parts: Sequence[int],
    transition: Transition,
    crossing_frames: tuple[int, int],
    limits: ClipLimits,
) -> list[Take]:
    """The takes of one shot; `crossing_frames` are those of the cross-fades in and out."""
    enter, leave = crossing_frames
    takes: list[Take] = []
    start = shot.start_frame
    for index, frames in enumerate(parts):
        first, last = index == 0, index == len(parts) - 1
        handle_in = handle_in_for(enter) if first else 0
        handle_out = handle_out_for(leave) if last else 0
        # Only a last take may be filled up: the next one goes on from this one's last picture.
        missing = limits.min_frames - (handle_in + frames + handle_out) if last else 0
        takes.append(
            Take(
                start_frame=start,
                frames=frames,
                section_index=shot.section_index,
                reason=shot.reason if first else Reason.TAKE,
                shot_index=shot_index,
                take_index=index,
                transition=transition if first else CUT,
                handle_in_frames=handle_in,
                handle_out_frames=handle_out + max(0, missing),
            )
        )
        start += frames
    return takes
