"""The plan of the picture, and where clips can be cut: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundsight_composer.cutting import cut_points, display_order
from soundsight_composer.order import Fade, Shot
from soundsight_composer.splice import (
    Copied,
    CutPoints,
    Made,
    Picture,
    Piece,
    copied_run,
    splice,
    uncopyable_clips,
)


def whole(shot: Shot, gop: int) -> CutPoints:
    """Cut points of a clip without B-frames: keyframes at both handles and every `gop` frames."""
    starts = {0, shot.handle_in, shot.end, *range(0, shot.clip_frames, gop)}
    return CutPoints(
        sorted(start for start in starts if start < shot.clip_frames),
        list(range(1, shot.clip_frames + 1)),
    )


def shown(pieces: Sequence[Piece]) -> list[Picture]:
    """Every frame of the video, copied ones as plain pictures."""
    pictures: list[Picture] = []
    for piece in pieces:
        if isinstance(piece, Made):
            pictures += piece.pictures
        else:
            pictures += [Picture(piece.clip, frame) for frame in range(piece.first, piece.end)]
    return pictures


def test_hard_cuts_copy_everything() -> None:
    """With cuts alone each shot is one copied run and nothing is made."""
    shots = [Shot(6, 30, 6), Shot(0, 1, 0), Shot(3, 9, 0)]
    pieces = splice(shots, [whole(shot, 12) for shot in shots])
    assert pieces == [Copied(0, 6, 36), Copied(1, 0, 1), Copied(2, 3, 12)]


def test_a_cross_fade_makes_only_what_surrounds_it() -> None:
    """Frames are made from the last cut point before the fade to the first one behind it."""
    shots = [Shot(0, 40, 8), Shot(8, 40, 0, "cross", 5)]
    points = [CutPoints([0, 12, 24, 36], [12, 24, 36, 40]), CutPoints([0, 8, 20, 32], [8, 20, 48])]
    first, made, last = splice(shots, points)
    assert (first, last) == (Copied(0, 0, 36), Copied(1, 20, 48))
    assert isinstance(made, Made)
    assert made.pictures[:2] == (Picture(0, 36), Picture(0, 37))
    assert made.pictures[2] == Picture(0, 38, 1, 6, share=1 / 6)
    assert made.pictures[4] == Picture(0, 40, 1, 8, share=3 / 6)
    assert made.pictures[6] == Picture(0, 42, 1, 10, share=5 / 6)
    assert made.pictures[7] == Picture(1, 11)
    assert made.frames == 4 + 12


def test_a_dip_reaches_the_colour_on_both_sides_of_the_cut() -> None:
    """The last frame before the cut and the first behind it are the colour alone."""
    shots = [Shot(0, 10, 0), Shot(0, 10, 0, "white", 6)]
    pictures = shown(splice(shots, [CutPoints(), CutPoints()]))
    assert [p.share for p in pictures[7:13]] == pytest.approx([1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3])
    assert {p.veil for p in pictures[7:13]} == {"white"}


def test_a_first_shot_may_rise_from_black() -> None:
    """A dip into the first shot has no frames before it."""
    shots = [Shot(0, 10, 0, "black", 4)]
    pictures = shown(splice(shots, [CutPoints()]))
    assert [p.share for p in pictures] == pytest.approx([1, 1 / 2, *[0] * 8])


def test_shots_made_in_a_row_get_keyframes_at_their_starts() -> None:
    """Adjacent made frames are one run whose keyframes mark the cuts."""
    shots = [Shot(2, 5, 2), Shot(2, 7, 2), Shot(0, 6, 0)]
    pieces = splice(shots, [CutPoints(), CutPoints(), whole(shots[2], 3)])
    assert [piece.frames for piece in pieces] == [12, 6]
    assert isinstance(pieces[0], Made)
    assert set(pieces[0].keyframes) - {12} == {0, 5}
    assert uncopyable_clips(shots, [CutPoints(), CutPoints(), whole(shots[2], 3)]) == [0, 1]


def test_a_clip_covered_by_transitions_is_not_called_encoded_again() -> None:
    """Only clips that cannot be copied for their own sake count as encoded again."""
    shots = [Shot(0, 20, 4), Shot(4, 4, 4, "cross", 4), Shot(4, 20, 0, "cross", 4)]
    points = [whole(shots[0], 99), whole(shots[1], 99), CutPoints([0, 9], [9, 24])]
    assert 1 not in {piece.clip for piece in splice(shots, points) if isinstance(piece, Copied)}
    assert uncopyable_clips(shots, points) == [2]


@st.composite
def films(draw: st.DrawFn) -> tuple[list[Shot], list[CutPoints]]:
    """Shots with transitions that fit, and clips that can be cut here and there."""
    shots: list[Shot] = []
    for index in range(draw(st.integers(1, 5))):
        handle, frames = draw(st.integers(0, 6)), draw(st.integers(1, 20))
        fades: list[Fade] = ["cut", "black"] if index == 0 else ["cut", "cross", "black", "white"]
        fade = draw(st.sampled_from(fades))
        room = min(2 * frames, 2 * handle)
        if shots:
            before = shots[-1]
            room = min(room, 2 * before.handle_out, 2 * (before.frames - before.fade_after))
        length = draw(st.integers(0, max(0, room - 1))) if fade != "cut" else 0
        shot = Shot(handle, frames, handle, fade if length else "cut", length)
        if shot.fade_after > frames or (shots and shot.fade_after > shots[-1].handle_out):
            shot = Shot(handle, frames, handle)
        shots.append(shot)
    points = [
        draw(st.sampled_from([CutPoints(), whole(shot, draw(st.integers(1, 9)))])) for shot in shots
    ]
    return shots, points


@given(films())
def test_every_frame_is_shown_once_and_in_its_place(
    film: tuple[list[Shot], list[CutPoints]],
) -> None:
    """Whatever is copied or made, frame n of the video shows the same picture."""
    shots, points = film
    pictures = shown(splice(shots, points))
    assert pictures == shown(splice(shots, [CutPoints()] * len(shots)))
    assert len(pictures) == sum(shot.frames for shot in shots)
    for piece in splice(shots, points):
        if isinstance(piece, Copied):
            assert piece.first in points[piece.clip].starts
            assert piece.end in points[piece.clip].ends
    for picture in pictures:
        assert 0 <= picture.frame < shots[picture.clip].clip_frames
        assert picture.other_clip is None or (
            0 <= picture.other_frame < shots[picture.other_clip].clip_frames
        )


@given(films())
def test_cuts_never_leave_out_what_could_be_copied(
    film: tuple[list[Shot], list[CutPoints]],
) -> None:
    """A shot without transitions, of a clip that can be cut at its handles, is copied whole."""
    shots, points = film
    pieces = splice(shots, points)
    for index, shot in enumerate(shots):
        after = shots[index + 1].fade_before if index + 1 < len(shots) else 0
        if points[index].starts and not shot.fade_after and not after:
            assert Copied(index, shot.handle_in, shot.end) in pieces


def test_the_longest_run_between_cut_points_is_copied() -> None:
    """Copying begins at the first start and ends at the last end within the frames wanted."""
    points = CutPoints([0, 10, 20], [10, 15, 20, 30])
    assert copied_run(points, 0, 30) == (0, 30)
    assert copied_run(points, 1, 29) == (10, 20)
    assert copied_run(points, 11, 19) is None
    assert copied_run(points, 10, 12) is None
    assert copied_run(CutPoints(), 0, 30) is None


def test_display_order_is_the_rank_of_times() -> None:
    """Presentation times of any scale give frame numbers."""
    assert display_order([100, 500, 300, 200, 400]) == [0, 4, 2, 1, 3]


def test_closed_gops_can_be_cut_at_their_idr_frames() -> None:
    """B-frames within a GOP make only its ends clean."""
    order = [0, 3, 1, 2, 4, 7, 5, 6]
    idr = [True, False, False, False, True, False, False, False]
    assert cut_points(order, idr) == CutPoints([0, 4], [1, 4, 5, 8])


def test_open_gops_cannot_be_cut() -> None:
    """Pictures that follow a keyframe in decoding but are shown before it spoil the point."""
    order = [0, 2, 1, 5, 3, 4]
    points = cut_points(order, [True, False, False, True, False, False])
    assert points.starts == [0]
    assert 4 not in points.ends
    assert 5 not in points.ends


def test_keyframes_that_are_no_idr_are_no_starts() -> None:
    """After an ordinary I-frame, pictures may still look behind it."""
    assert cut_points([0, 1, 2, 3], [True, False, False, False]).starts == [0]
