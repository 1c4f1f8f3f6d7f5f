"""Plans the picture: which frames are copied from which clip, and which are made anew.

Pure. A run of frames can be copied from a clip when it begins at an IDR frame and both of its ends
are *clean*: the packets before such a point, in decoding order, show exactly the frames before it.
All frames are made anew where a transition mixes pictures or a caption is seen, where a clip does
not have the mezzanine format, and between those and the next point where copying can begin or end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from soundsight_composer.captions import Caption
from soundsight_composer.order import Fade, Shot


@dataclass(frozen=True, slots=True)
class CutPoints:
    """Where a clip can be cut without decoding, in frames, ascending.

    `starts`: IDR frames at clean points; `ends`: clean points, the clip's end included. Both empty
    for a clip that cannot be copied at all.
    """

    starts: Sequence[int] = ()
    ends: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame to make: a clip's frame, mixed with another clip's frame or with a colour.

    `share` is the part of the other picture or the colour, 0 to 1. `captions` are drawn over it:
    the number and the strength of each.
    """

    clip: int
    frame: int
    other_clip: int | None = None
    other_frame: int = 0
    veil: Fade | None = None
    share: float = 0.0
    captions: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Copied:
    """Frames `first` up to `end` of a clip, copied."""

    clip: int
    first: int
    end: int

    @property
    def frames(self) -> int:
        """How many frames these are."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Made:
    """Frames made anew and encoded as one run; `keyframes` are its frames that begin a shot."""

    pictures: tuple[Picture, ...]
    keyframes: tuple[int, ...] = field(default=())

    @property
    def frames(self) -> int:
        """How many frames these are."""
        return len(self.pictures)


Piece = Copied | Made


def splice(
    shots: Sequence[Shot], points: Sequence[CutPoints], captions: Sequence[Caption] = ()
) -> list[Piece]:
    """The pieces that make up the picture, in order; their frames sum to the shots' frames."""
    pieces: list[Piece] = []
    waiting: list[Picture] = []
    keyframes: list[int] = []
    position = 0

    def make(pictures: Iterable[Picture]) -> None:
        nonlocal position
        for picture in pictures:
            waiting.append(_captioned(picture, captions, position))
            position += 1

    def copy(run: Copied) -> None:
        nonlocal position
        if waiting:
            pieces.append(Made(tuple(waiting), tuple(keyframes)))
        waiting.clear()
        keyframes.clear()
        pieces.append(run)
        position += run.frames

    for index, shot in enumerate(shots):
        after = shots[index + 1] if index + 1 < len(shots) else None
        keyframes.append(len(waiting))
        make(_fading_in(shots, index))
        first = shot.handle_in + shot.fade_after
        end = shot.end - (after.fade_before if after else 0)
        for low, high in _bare(first, end, position, captions):
            make(Picture(index, frame) for frame in range(first, low))
            run = copied_run(points[index], low, high)
            if run is None:
                make(Picture(index, frame) for frame in range(low, high))
            else:
                make(Picture(index, frame) for frame in range(low, run[0]))
                copy(Copied(index, *run))
                make(Picture(index, frame) for frame in range(run[1], high))
            first = high
        make(Picture(index, frame) for frame in range(first, end))
        if after is not None:
            make(_fading_out(shots, index))
    if waiting:
        pieces.append(Made(tuple(waiting), tuple(keyframes)))
    return pieces


def copied_run(points: CutPoints, first: int, end: int) -> tuple[int, int] | None:
    """The longest run within frames `first` up to `end` that can be copied, if there is one."""
    start_at = bisect_left(points.starts, first)
    end_at = bisect_right(points.ends, end) - 1
    if start_at == len(points.starts) or end_at < 0:
        return None
    start, stop = points.starts[start_at], points.ends[end_at]
    return (start, stop) if start < stop else None


def uncopyable_clips(shots: Sequence[Shot], points: Sequence[CutPoints]) -> list[int]:
    """Clips whose shot could not be copied whole even between hard cuts."""
    return [
        index
        for index, (shot, clip) in enumerate(zip(shots, points, strict=True))
        if copied_run(clip, shot.handle_in, shot.end) != (shot.handle_in, shot.end)
    ]


def _bare(
    first: int, end: int, position: int, captions: Sequence[Caption]
) -> list[tuple[int, int]]:
    """The runs without captions within a clip's frames `first` up to `end`, in order.

    `position` is the video's frame at which `first` is shown.
    """
    to_clip = first - position
    runs: list[tuple[int, int]] = []
    for caption in sorted(captions, key=lambda caption: caption.start):
        start = min(caption.start + to_clip, end)
        if first < start:
            runs.append((first, start))
        first = max(first, caption.end + to_clip)
    if first < end:
        runs.append((first, end))
    return runs


def _captioned(picture: Picture, captions: Sequence[Caption], position: int) -> Picture:
    """The picture with what is drawn over frame `position` of the video."""
    seen = tuple(
        (number, caption.strength(position))
        for number, caption in enumerate(captions)
        if caption.start <= position < caption.end
    )
    return replace(picture, captions=seen) if seen else picture


def _fading_out(shots: Sequence[Shot], index: int) -> Iterator[Picture]:
    """The frames of the next shot's transition that lie in this shot."""
    shot, after = shots[index], shots[index + 1]
    for step in range(after.fade_before):
        frame = shot.end - after.fade_before + step
        if after.fade == "cross":
            other = after.handle_in - after.fade_before + step
            share = (step + 1) / (after.fade_frames + 1)
            yield Picture(index, frame, index + 1, other, share=share)
        else:
            yield Picture(index, frame, veil=after.fade, share=(step + 1) / after.fade_before)


def _fading_in(shots: Sequence[Shot], index: int) -> Iterator[Picture]:
    """The frames of the transition into this shot that lie in it."""
    shot = shots[index]
    for step in range(shot.fade_after):
        frame = shot.handle_in + step
        if shot.fade == "cross":
            before = shots[index - 1]
            share = (shot.fade_before + step + 1) / (shot.fade_frames + 1)
            yield Picture(index - 1, before.end + step, index, frame, share=share)
        else:
            yield Picture(index, frame, veil=shot.fade, share=1 - step / shot.fade_after)
