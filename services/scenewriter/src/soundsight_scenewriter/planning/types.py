"""What the planner is given and what it decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SHORTEST_SHOT_S = 0.6


class Pace(StrEnum):
    """How fast the video is cut."""

    CALM = "calm"
    STANDARD = "standard"
    FAST = "fast"


class Reason(StrEnum):
    """What a cut falls on."""

    START = "start"
    SECTION = "section"
    DOWNBEAT = "downbeat"
    BEAT = "beat"
    EVENT = "event"
    LENGTH = "length"
    TAKE = "take"

    @property
    def on_pulse(self) -> bool:
        """Whether such a cut belongs to a moment of the music that it may anticipate."""
        return self not in (Reason.START, Reason.LENGTH, Reason.TAKE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame that a cut may fall on.

    `beat` counts the song's beats from 0; -1 where the cut is on none. `strength` (0 to 1) says
    how much happens there. `half_bar` marks the beat in the middle of an even bar, `stands_in` one
    that takes the place of a downbeat within a word (and its number), `opens_line` the last beat
    before a line of the lyrics begins, `driven` a place in a build-up.
    """

    frame: int
    reason: Reason
    beat: int = -1
    strength: float = 0.0
    half_bar: bool = False
    stands_in: bool = False
    opens_line: bool = False
    driven: bool = False


@dataclass(frozen=True, slots=True)
class ClipLimits:
    """What a video backend accepts, in frames, handles included.

    `max_frames` is the largest count that the backend's frame grid holds: asking for more would
    make it render beyond its own limit before it trims.
    """

    min_frames: int
    max_frames: int

    def __post_init__(self) -> None:
        if not 1 <= self.min_frames <= self.max_frames:
            raise ValueError("clip limits need 1 <= min_frames <= max_frames")

    @classmethod
    def on_grid(cls, min_frames: int, max_frames: int, step: int, offset: int) -> ClipLimits:
        """Limits of a backend that renders step * k + offset frames natively."""
        step = max(1, step)
        largest = max_frames - (max_frames - offset) % step
        return cls(min_frames, largest if largest >= min_frames else max_frames)


@dataclass(frozen=True, slots=True)
class Shot:
    """What lies between two cuts. `end_frame` is the first frame of the next shot."""

    start_frame: int
    end_frame: int
    section_index: int
    reason: Reason

    @property
    def frames(self) -> int:
        """Length, in frames."""
        return self.end_frame - self.start_frame


class TransitionKind(StrEnum):
    """How the film comes into a shot; the names are those of the contract."""

    CUT = "cut"
    CROSS_FADE = "cross_fade"
    DIP_TO_BLACK = "dip_to_black"


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition of `frames` frames; 0 for a cut."""

    kind: TransitionKind
    frames: int


CUT = Transition(TransitionKind.CUT, 0)


@dataclass(frozen=True, slots=True)
class Take:
    """One clip: a shot, or a part of one that is longer than the backend's maximum."""

    start_frame: int
    frames: int
    section_index: int
    reason: Reason
    shot_index: int
    take_index: int
    transition: Transition = CUT
    handle_in_frames: int = 0
    handle_out_frames: int = 0

    @property
    def clip_frames(self) -> int:
        """Length of the clip, handles included."""
        return self.handle_in_frames + self.frames + self.handle_out_frames


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the video is cut; takes are contiguous from frame 0 and sum to its frames."""

    takes: tuple[Take, ...]
    shots: tuple[Shot, ...]
    notes: tuple[str, ...]
