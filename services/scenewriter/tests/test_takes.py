"""Transitions, handles and takes: clips always fit, and transitions get what they need."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight.common.v1 import common_pb2
from soundsight_kit.timeline import transition_handles
from soundsight_scenewriter.planning.handles import handle_in_for, handle_out_for
from soundsight_scenewriter.planning.takes import film, split_shot
from soundsight_scenewriter.planning.types import (
    CUT,
    ClipLimits,
    Reason,
    Shot,
    Transition,
    TransitionKind,
)


def fades(*lengths: int) -> list[Transition]:
    """Cross-fades of these lengths in frames, cuts where they are 0."""
    return [Transition(TransitionKind.CROSS_FADE, n) if n else CUT for n in lengths]


@pytest.mark.parametrize("frames", range(13))
def test_handles_follow_the_contract(frames: int) -> None:
    """The handles of n frames are n - n // 2 before the cut's far side and n // 2 before it."""
    cross_fade = common_pb2.TRANSITION_KIND_CROSS_FADE
    fade = common_pb2.Transition(kind=cross_fade, frames=frames)
    assert (handle_out_for(frames), handle_in_for(frames)) == transition_handles(fade)


def test_a_cross_fade_gets_its_handles() -> None:
    """A 9-frame fade films 5 frames beyond the cut and 4 before it; cuts film none."""
    shots = [
        Shot(0, 48, 0, Reason.START),
        Shot(48, 96, 0, Reason.SECTION),
        Shot(96, 144, 0, Reason.BEAT),
    ]
    takes = film(shots, fades(0, 9, 0), ClipLimits(1, 200))
    assert [take.transition.frames for take in takes] == [0, 9, 0]
    assert [take.handle_in_frames for take in takes] == [0, 4, 0]
    assert [take.handle_out_frames for take in takes] == [5, 0, 0]


def test_a_transition_gives_way_to_a_full_clip() -> None:
    """A shot as long as the backend's maximum is not split for a fade: the fade gets shorter."""
    shots = [Shot(0, 81, 0, Reason.START), Shot(81, 160, 0, Reason.SECTION)]
    assert [take.transition.frames for take in film(shots, fades(0, 12), ClipLimits(1, 81))] == [
        0,
        0,
    ]
    shots = [Shot(0, 71, 0, Reason.START), Shot(71, 140, 0, Reason.SECTION)]
    takes = film(shots, fades(0, 12), ClipLimits(1, 81))
    assert [take.transition.frames for take in takes] == [0, 10]
    assert len(takes) == 2


def test_a_clip_below_the_minimum_is_filmed_longer() -> None:
    """A one-frame song on a backend of at least 17 frames gets 16 frames that nobody sees."""
    (take,) = film([Shot(0, 1, 0, Reason.START)], [CUT], ClipLimits(17, 81))
    assert (take.frames, take.handle_out_frames) == (1, 16)


def shown_beyond(transition: Transition) -> int:
    """Frames for which a transition shows pictures from beyond the cut."""
    return transition.frames if transition.kind is TransitionKind.CROSS_FADE else 0


@st.composite
def limits_and_shots(draw: st.DrawFn) -> tuple[ClipLimits, list[Shot], list[Transition]]:
    """Any limits, shots of any length from the minimum up, any wanted transitions."""
    most = draw(st.integers(1, 120))
    limits = ClipLimits(draw(st.integers(1, most)), most)
    lengths = draw(st.lists(st.integers(1, 400), min_size=1, max_size=8))
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    shots = [
        Shot(end - length, end, 0, Reason.BEAT) for end, length in zip(ends, lengths, strict=True)
    ]
    some = st.builds(Transition, st.sampled_from(TransitionKind), st.integers(0, 60))
    wanted = draw(st.lists(some, min_size=len(shots), max_size=len(shots)))
    return limits, shots, wanted


@given(case=limits_and_shots())
@settings(max_examples=400, deadline=None)
def test_clips_fit_and_transitions_have_room(
    case: tuple[ClipLimits, list[Shot], list[Transition]],
) -> None:
    """Clips never exceed the maximum, reach the minimum, and cover their transitions."""
    limits, shots, wanted = case
    takes = film(shots, wanted, limits)
    assert sum(take.frames for take in takes) == shots[-1].end_frame
    for index, take in enumerate(takes):
        assert take.frames >= 1
        assert take.clip_frames <= limits.max_frames
        following = takes[index + 1] if index + 1 < len(takes) else None
        leaving = following.transition.frames if following else 0
        assert take.handle_in_frames == shown_beyond(take.transition) // 2
        crossing = shown_beyond(following.transition) if following else 0
        assert take.handle_out_frames >= crossing - crossing // 2
        # What both transitions cover of this shot never overlaps.
        covered = take.transition.frames - take.transition.frames // 2 + leaving // 2
        assert covered <= take.frames
        if following and following.take_index > 0:
            assert take.handle_out_frames == 0
        assert take.clip_frames >= limits.min_frames
        if take.take_index == 0:
            assert take.transition.frames <= wanted[take.shot_index].frames
            assert take.transition.kind in (wanted[take.shot_index].kind, TransitionKind.CUT)


@given(case=limits_and_shots())
@settings(max_examples=200, deadline=None)
def test_nothing_crosses_into_the_first_shot(
    case: tuple[ClipLimits, list[Shot], list[Transition]],
) -> None:
    """The film may open out of black, but there is nothing before it to fade from."""
    limits, shots, wanted = case
    first = film(shots, wanted, limits)[0]
    assert first.transition.kind is not TransitionKind.CROSS_FADE
    assert first.handle_in_frames == 0


def test_a_dip_shows_no_more_than_the_shots_themselves() -> None:
    """A dip is as long as it was wanted, and nothing is filmed beyond the cut for it."""
    shots = [Shot(0, 48, 0, Reason.START), Shot(48, 96, 1, Reason.SECTION)]
    dips = [Transition(TransitionKind.DIP_TO_BLACK, n) for n in (24, 20)]
    takes = film(shots, dips, ClipLimits(1, 48))
    assert [take.transition for take in takes] == dips
    assert [take.clip_frames for take in takes] == [48, 48]


@given(frames=st.integers(1, 5_000), most=st.integers(1, 300), share=st.floats(0, 1))
@settings(max_examples=300, deadline=None)
def test_takes_of_a_shot_sum_to_it(frames: int, most: int, share: float) -> None:
    """Split shots lose no frame, and each part fits."""
    limits = ClipLimits(max(1, int(share * most)), most)
    parts = split_shot(frames, limits, 0)
    assert sum(parts) == frames
    assert all(1 <= part <= most for part in parts)
