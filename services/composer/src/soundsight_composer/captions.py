"""Captions: what text is seen on which frames, checked, and how it comes and goes. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from soundsight.composer.v1 import composer_pb2
from soundsight_kit.errors import InvalidArgument

Style = Literal["title", "subtitle"]

MAX_CHARS = 200
MAX_LINES = 3
_STYLES: dict[int, Style] = {
    composer_pb2.CAPTION_STYLE_UNSPECIFIED: "subtitle",
    composer_pb2.CAPTION_STYLE_SUBTITLE: "subtitle",
    composer_pb2.CAPTION_STYLE_TITLE: "title",
}
_FADE_S: dict[Style, Fraction] = {"title": Fraction(6, 10), "subtitle": Fraction(2, 10)}
# Control characters, line and paragraph separators: only a newline has a meaning here.
_REFUSED = ("Cc", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class Caption:
    """A text, and the video's frames it is seen on.

    `fade_frames` is how many of them it takes to come, and again to go.
    """

    text: str
    style: Style
    start: int
    frames: int
    fade_frames: int

    @property
    def end(self) -> int:
        """The video's frame behind the caption."""
        return self.start + self.frames

    def strength(self, frame: int) -> float:
        """How strongly it is seen on a frame of the video, 0 to 1: above 0 on all of its own."""
        step = min(frame - self.start + 1, self.end - frame)
        if step <= 0:
            return 0.0
        share = min(1.0, step / (self.fade_frames + 1))
        # Slow at both ends, so that neither coming nor going is seen as a jerk.
        return share * share * (3 - 2 * share)


def read_captions(
    captions: Sequence[composer_pb2.Caption], frames: int, rate: Fraction
) -> tuple[Caption, ...]:
    """Checks captions of a video of this many frames. Raises InvalidArgument, naming the field."""
    read: list[Caption] = []
    for index, caption in enumerate(captions):
        path = f"captions[{index}]"
        style = _STYLES.get(caption.style)
        if style is None:
            raise InvalidArgument("unknown caption style", field=f"{path}.style")
        _check_text(caption.text, f"{path}.text")
        if caption.start_frame < 0:
            raise InvalidArgument("must not be negative", field=f"{path}.start_frame")
        if caption.frames < 1:
            raise InvalidArgument("a caption has at least one frame", field=f"{path}.frames")
        if caption.start_frame + caption.frames > frames:
            raise InvalidArgument(
                f"the caption ends behind the video's {frames} frames", field=f"{path}.frames"
            )
        fade = min(round(_FADE_S[style] * rate), caption.frames // 3)
        read.append(Caption(caption.text, style, caption.start_frame, caption.frames, fade))
    _check_overlaps(read)
    return tuple(read)


def _check_text(text: str, field: str) -> None:
    if not text.strip():
        raise InvalidArgument("a caption needs text", field=field)
    if len(text) > MAX_CHARS:
        raise InvalidArgument(f"at most {MAX_CHARS} characters are taken", field=field)
    if text.count("\n") >= MAX_LINES:
        raise InvalidArgument(f"at most {MAX_LINES} lines are taken", field=field)
    if any(unicodedata.category(one) in _REFUSED for one in text if one != "\n"):
        raise InvalidArgument("control characters other than newline are not taken", field=field)


def _check_overlaps(captions: Sequence[Caption]) -> None:
    """Captions of one style stand in the same place, so they must follow each other."""
    latest: dict[Style, int] = {}
    for index in sorted(range(len(captions)), key=lambda index: captions[index].start):
        caption = captions[index]
        before = latest.get(caption.style)
        if before is not None and caption.start < captions[before].end:
            raise InvalidArgument(
                f"captions {before} and {index} have the same style and overlap",
                field=f"captions[{index}].start_frame",
            )
        latest[caption.style] = index
