"""Captions in a finished video: drawn where and when they were asked for, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from soundsight.common.v1 import common_pb2
from soundsight.composer.v1 import composer_pb2
from soundsight_composer.captions import Caption
from soundsight_composer.lettering import letter
from soundsight_composer.order import Shot
from soundsight_composer.splice import Copied, CutPoints, Made, splice

if TYPE_CHECKING:
    from services.composer.tests.conftest import Picture, Studio

WIDTH, HEIGHT = 192, 96
TITLE = composer_pb2.CAPTION_STYLE_TITLE


async def both(
    studio: Studio, request: composer_pb2.ComposeRequest
) -> tuple[list[Picture], list[Picture], composer_pb2.Composition]:
    """The pictures without captions and with them, and the composition with them."""
    plain = composer_pb2.ComposeRequest()
    plain.CopyFrom(request)
    plain.ClearField("captions")
    plain.output_key += "-plain"
    without = await studio.compose(plain)
    composed = await studio.compose(request)
    return (
        studio.pictures_of(await studio.fetch(without.video)),
        studio.pictures_of(await studio.fetch(composed.video)),
        composed,
    )


async def test_only_the_frames_under_a_caption_are_made(studio: Studio) -> None:
    """A caption over a whole shot, and one over a cut: all other shots keep their very pictures,
    and the video its number of frames."""
    request = await studio.request([(4, 20, 4), (4, 24, 4), (4, 20, 4), (4, 20, 4), (4, 20, 4)])
    request.captions.add(start_frame=20, frames=24, text="Night", style=TITLE)
    request.captions.add(start_frame=64, frames=40, text="said she")
    plain, made, composed = await both(studio, request)
    assert len(made) == len(plain) == composed.frames == request.frames
    same = [bool((a == b).all()) for a, b in zip(plain, made, strict=True)]
    assert same == [True] * 20 + [False] * 24 + [True] * 20 + [False] * 40
    assert await studio.shown(composed) == studio.shot_frames(request)
    assert not composed.notes
    assert not composed.reencoded_clips


async def test_a_caption_changes_only_its_box_and_fades(studio: Studio) -> None:
    """Outside the box there is an encoder's noise and no more; inside, letters come and go."""
    request = await studio.request([(4, 36, 4), (4, 12, 4)])
    request.encoder.crf = 4
    request.captions.add(start_frame=6, frames=24, text="Mid", style=TITLE)
    plain, made, _ = await both(studio, request)
    lettering = letter("Mid", "title", WIDTH, HEIGHT)
    assert lettering is not None
    layer = lettering.overlay.layers[0]
    rows, columns = layer.cover.shape
    box = np.s_[layer.top : layer.top + rows, layer.left : layer.left + columns]
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[box] = False
    assert outside.mean() > 0.2
    strengths: list[float] = []
    for before, after in zip(plain, made, strict=True):
        first, second = before[:HEIGHT].astype(float), after[:HEIGHT].astype(float)
        assert np.abs(second - first)[outside].mean() < 3
        strengths.append(_strength(first[box], second[box], layer.cover, layer.light))
    caption = Caption("Mid", "title", 6, 24, 8)
    assert strengths == pytest.approx([caption.strength(n) for n in range(48)], abs=0.04)
    rising, falling = strengths[5:15], strengths[21:31]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


def _strength(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    cover: NDArray[np.float32],
    light: NDArray[np.float32],
) -> float:
    """How much of the overlay is in `after`, by least squares."""
    full = light - cover * before
    return float(((after - before) * full).sum() / (full * full).sum())


async def test_a_caption_without_a_font_is_left_out_and_told(studio: Studio) -> None:
    """No boxes instead of letters: the video is that without the caption, with a note."""
    request = await studio.request([(4, 20, 4)])
    request.captions.add(start_frame=2, frames=9, text="Night \u0378\nshe", style=TITLE)
    plain, made, composed = await both(studio, request)
    assert all((a == b).all() for a, b in zip(plain, made, strict=True))
    assert len(composed.notes) == 1
    assert "“Night \u0378 / she” was left out" in composed.notes[0]


async def test_a_caption_that_is_too_long_is_cut_and_told(studio: Studio) -> None:
    """What has no room at a readable size ends in an ellipsis, with a note."""
    request = await studio.request([(4, 20, 4)])
    request.captions.add(start_frame=2, frames=9, text="many words " * 18)
    composed = await studio.compose(request)
    assert [note for note in composed.notes if "too long to be shown whole" in note]


async def test_captions_stand_over_transitions_and_each_other(studio: Studio) -> None:
    """A title and a subtitle may be seen together, over a dip to black; frames stay exact."""
    request = await studio.request([(4, 20, 4), (4, 20, 4)])
    request.clips[1].transition_in.kind = common_pb2.TRANSITION_KIND_DIP_TO_BLACK
    request.clips[1].transition_in.frames = 8
    request.captions.add(start_frame=10, frames=20, text="Night", style=TITLE)
    request.captions.add(start_frame=5, frames=30, text="under it")
    plain, made, composed = await both(studio, request)
    assert composed.frames == len(made) == 40
    assert plain[20][20:HEIGHT].max() < 30
    assert made[20][20:60].max() > 150
    assert made[20][70:HEIGHT].max() > 150


def test_copying_goes_on_between_captions() -> None:
    """Frames are made from the last cut point before a caption to the first one behind it."""
    shots = [Shot(2, 60, 2)]
    points = [CutPoints([0, 2, 12, 22, 32, 42, 52], [2, 12, 22, 32, 42, 52, 62])]
    captions = [Caption("b", "title", 33, 4, 1), Caption("a", "title", 3, 4, 1)]
    pieces = splice(shots, points, captions)
    assert [piece for piece in pieces if isinstance(piece, Copied)] == [
        Copied(0, 12, 32),
        Copied(0, 42, 62),
    ]
    made = [piece for piece in pieces if isinstance(piece, Made)]
    assert [[p.frame for p in piece.pictures] for piece in made] == [
        list(range(2, 12)),
        list(range(32, 42)),
    ]
    assert [p.captions for p in made[0].pictures[2:8]] == [
        (),
        *(((1, captions[1].strength(frame)),) for frame in range(3, 7)),
        (),
    ]
    assert {number for p in made[1].pictures for number, _ in p.captions} == {0}
