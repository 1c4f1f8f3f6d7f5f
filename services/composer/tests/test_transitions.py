"""Transitions: made from the handles, with everything around them copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundsight.common.v1 import common_pb2
from soundsight.composer.v1 import composer_pb2
from soundsight_composer._make import mixed, veiled
from soundsight_composer.order import read_order
from soundsight_kit.errors import InvalidArgument

if TYPE_CHECKING:
    from services.composer.tests.conftest import Studio

CROSS, BLACK, WHITE = (
    common_pb2.TRANSITION_KIND_CROSS_FADE,
    common_pb2.TRANSITION_KIND_DIP_TO_BLACK,
    common_pb2.TRANSITION_KIND_DIP_TO_WHITE,
)


async def test_transitions_are_made_and_the_rest_is_exact(studio: Studio) -> None:
    """Cross-fades and dips show what they should; frames outside them are the shots' own."""
    request = await studio.request([(8, 40, 8), (8, 40, 8), (8, 40, 8), (0, 20, 0)])
    kinds = [(BLACK, 6), (CROSS, 9), (WHITE, 8)]
    for clip, (kind, frames) in zip(request.clips, kinds, strict=False):
        clip.transition_in.CopyFrom(common_pb2.Transition(kind=kind, frames=frames))
    composition = await studio.compose(request)
    pictures = studio.pictures_of(await studio.fetch(composition.video))
    assert len(pictures) == composition.frames == 140
    expected = studio.shot_frames(request)
    faded = {*range(3), *range(36, 45), *range(76, 84)}
    for number, picture in enumerate(pictures):
        if number not in faded:
            assert studio.identity(picture) == expected[number], number
    assert list(composition.reencoded_clips) == []

    def brightness(number: int) -> float:
        return float(pictures[number][:96].mean())

    assert brightness(0) == pytest.approx(16, abs=2)
    assert [brightness(79), brightness(80)] == pytest.approx([235, 235], abs=2)
    # In the middle of the cross-fade both clips count the same: clip 0's frame 48 is a handle.
    half = mixed(studio.numbered(0, 48), studio.numbered(1, 8), 0.5)
    assert np.abs(pictures[40][:96].astype(int) - half[:96]).mean() < 8


async def test_a_transition_longer_than_all_gops(studio: Studio) -> None:
    """A video that is nearly all transition has exactly its frames."""
    request = await studio.request([(10, 20, 10), (10, 20, 10)])
    request.clips[1].transition_in.CopyFrom(common_pb2.Transition(kind=CROSS, frames=20))
    composition = await studio.compose(request)
    shown = await studio.shown(composition)
    assert composition.frames == len(shown) == 40
    assert shown[:10] == [(0, 10 + frame) for frame in range(10)]
    assert shown[30:] == [(1, 20 + frame) for frame in range(10)]


@pytest.mark.parametrize(
    ("index", "kind", "frames"),
    [(0, CROSS, 4), (1, CROSS, 13), (1, BLACK, 90), (1, 77, 4), (1, CROSS, -2)],
)
async def test_transitions_that_do_not_fit_are_refused(
    index: int, kind: int, frames: int, studio: Studio
) -> None:
    """A transition without handles, longer than its shot, or unknown, is named in the error."""
    request = composer_pb2.ComposeRequest()
    request.CopyFrom(await studio.request([(6, 20, 6), (6, 20, 6)]))
    transition = common_pb2.Transition(frames=frames)
    transition.kind = kind  # type: ignore[assignment]
    request.clips[index].transition_in.CopyFrom(transition)
    with pytest.raises(InvalidArgument) as error:
        read_order(request)
    assert error.value.field_violations[0][0].startswith(f"clips[{index}].transition_in")


def test_mixing_is_linear_and_exact_at_both_ends() -> None:
    """A share of 0 or 1 gives either picture untouched, half of each their mean."""
    first, second = np.full((6, 4), 20, np.uint8), np.full((6, 4), 221, np.uint8)
    assert (mixed(first, second, 0.0) == first).all()
    assert (mixed(first, second, 1.0) == second).all()
    assert (mixed(first, second, 0.5) == 120).all()


def test_a_veil_covers_luma_and_chroma() -> None:
    """Full black is black in I420: 16 for luma and 128 for chroma."""
    picture = np.full((6, 4), 200, np.uint8)
    black = veiled(picture, 4, 16.0, 1.0)
    assert (black[:4] == 16).all()
    assert (black[4:] == 128).all()
