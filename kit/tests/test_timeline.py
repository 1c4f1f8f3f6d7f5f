"""The frame formula and the invariant of storyboards."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundsight.common.v1.common_pb2 import FrameRate, Transition, TransitionKind
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight.videogen.v1.shot_pb2 import MusicCues
from soundsight_kit.errors import InvalidArgument
from soundsight_kit.timeline import check_storyboard, transition_handles, video_frames


@given(
    samples=st.integers(0, 10**10),
    sample_rate_hz=st.integers(1, 192_000),
    num=st.integers(1, 120_000),
    den=st.integers(1, 1001),
)
def test_frames_are_the_songs_length_rounded_half_up(
    samples: int, sample_rate_hz: int, num: int, den: int
) -> None:
    """The integer formula equals exact arithmetic, and a video has at least one frame."""
    exact = floor(Fraction(samples * num, sample_rate_hz * den) + Fraction(1, 2))
    assert video_frames(samples, sample_rate_hz, FrameRate(num=num, den=den)) == max(1, exact)


@pytest.mark.parametrize(("samples", "rate_hz", "num"), [(-1, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nonsense_has_no_frames(samples: int, rate_hz: int, num: int) -> None:
    """Negative lengths and rates that are not positive are refused."""
    with pytest.raises(InvalidArgument):
        video_frames(samples, rate_hz, FrameRate(num=num, den=1))


@given(frames=st.integers(0, 200))
def test_a_transitions_handles_cover_it(frames: int) -> None:
    """The frames before and after the cut make up the transition; a cut needs none."""
    fade = Transition(kind=TransitionKind.TRANSITION_KIND_CROSS_FADE, frames=frames)
    before, after = transition_handles(fade)
    assert before + after == frames
    assert 0 <= before - after <= 1
    assert transition_handles(Transition(frames=frames)) == (0, 0)


def board() -> Storyboard:
    """A storyboard in which everything is right."""
    fade = Transition(kind=TransitionKind.TRANSITION_KIND_CROSS_FADE, frames=5)
    return Storyboard(
        frames=30,
        frame_rate=FrameRate(num=24, den=1),
        scenes=[
            Scene(id="a", index=0, start_frame=0, frames=10, handle_out_frames=3),
            Scene(
                id="b",
                index=1,
                start_frame=10,
                frames=20,
                handle_in_frames=2,
                transition_in=fade,
                cues=MusicCues(energy=bytes(22), beat_frames=[0, 21]),
            ),
        ],
    )


def test_a_right_storyboard_passes() -> None:
    """Contiguous scenes with sufficient handles and whole cues are fine."""
    check_storyboard(board())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda b: b.ClearField("scenes"), "scenes"),
        (lambda b: setattr(b, "frames", 31), "frames"),
        (lambda b: b.ClearField("frame_rate"), "frame_rate"),
        (lambda b: setattr(b.scenes[1], "start_frame", 11), "scenes[1].start_frame"),
        (lambda b: setattr(b.scenes[0], "frames", 0), "scenes[0].frames"),
        (lambda b: setattr(b.scenes[1], "index", 2), "scenes[1].index"),
        (lambda b: setattr(b.scenes[1], "id", "a"), "scenes[1].id"),
        (lambda b: setattr(b.scenes[1], "handle_in_frames", 1), "scenes[1].handle_in_frames"),
        (lambda b: setattr(b.scenes[0], "handle_out_frames", 2), "scenes[0].handle_out_frames"),
        (lambda b: setattr(b.scenes[1].cues, "energy", b"\0"), "scenes[1].cues.energy"),
        (lambda b: b.scenes[1].cues.beat_frames.append(22), "scenes[1].cues.beat_frames"),
        (lambda b: b.scenes[1].cues.beat_frames.append(3), "scenes[1].cues.beat_frames"),
    ],
)
def test_each_fault_is_named(change: object, field: str) -> None:
    """A broken invariant is refused with the path of the field at fault."""
    wrong = board()
    assert callable(change)
    change(wrong)
    with pytest.raises(InvalidArgument) as refused:
        check_storyboard(wrong)
    assert refused.value.field_violations[0][0] == field
