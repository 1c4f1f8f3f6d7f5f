"""What the scene writer knows of a song: checked once, then plain values and arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def steps(count: int, step: float) -> Floats:
    """0, step, 2 * step, ..., shape (count,)."""
    return np.arange(count, dtype=np.float64) * step


class CurveName(StrEnum):
    """The curves that the scene writer reads."""

    ENERGY = "energy"
    BASS = "bass"
    ONSET = "onset"
    BRIGHTNESS = "brightness"


class Function(StrEnum):
    """What a section does in the song; the names are those of the vocabulary's arc lines."""

    UNKNOWN = "unknown"
    INTRO = "intro"
    VERSE = "verse"
    PRE_CHORUS = "pre_chorus"
    CHORUS = "chorus"
    BRIDGE = "bridge"
    SOLO = "solo"
    BREAK = "break"
    OUTRO = "outro"
    SILENCE = "silence"


class EventName(StrEnum):
    """What can happen in the music."""

    DROP = "drop"
    BUILD_UP = "build_up"
    BREAK = "break"
    CLIMAX = "climax"


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity in [0, 1]: values[i], shape (n,), belongs to the moment i * hop_s."""

    hop_s: float
    values: Floats

    def at(self, times_s: Floats) -> Floats:
        """The curve at times in seconds, between its values linearly; 0 beyond its ends."""
        if not self.values.size:
            return np.zeros(times_s.shape)
        moments = steps(self.values.size, self.hop_s)
        sampled = np.interp(times_s, moments, self.values)
        outside = (times_s < 0.0) | (times_s >= self.values.size * self.hop_s)
        sampled[outside] = 0.0
        return np.asarray(sampled, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in the music."""

    name: EventName
    time_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class TagWord:
    """A word for what is heard, with its score relative to the best of its group (0 to 1)."""

    group: str
    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the song. `energy`, `valence` and `arousal` fall back to the song's."""

    index: int
    start_s: float
    end_s: float
    label: str
    occurrence: int
    function: Function
    energy: float
    valence: float
    arousal: float


@dataclass(frozen=True, slots=True)
class Song:
    """All that the planner and the writer read of an analysis.

    `beats_s` is ascending, shape (n,); `positions[i]` is beat i's place in its bar (1 is the
    downbeat, 0 not known). `beats_confidence` is None when the analysis does not say. There is
    always at least one section. `words_s`, shape (n, 2), holds when words start and end, by start;
    `lines_s`, shape (n,), when lines begin, ascending. `mode` is 1 for major, -1 for minor, 0 for
    not known.
    """

    duration_s: float
    beats_s: Floats
    positions: Counts
    beats_confidence: float | None
    beats_per_bar: int
    tempo_bpm: float
    sections: tuple[Section, ...]
    sections_found: bool
    events: tuple[Event, ...] = ()
    curves: Mapping[CurveName, Curve] = field(default_factory=dict)
    words_s: Floats = field(default_factory=lambda: np.empty((0, 2)))
    lines_s: Floats = field(default_factory=lambda: np.empty(0))
    title: str = ""
    genre: str = ""
    tags: tuple[TagWord, ...] = ()
    mode: int = 0
    tonic: str = ""
    valence: float = 0.0
    arousal: float = 0.0
    loudness_lufs: float | None = None
    concept_summary: str = ""
    concept_sections: Mapping[int, str] = field(default_factory=dict)

    @property
    def downbeats_s(self) -> Floats:
        """Times of the downbeats, in seconds, ascending."""
        return self.beats_s[self.positions == 1]

    @property
    def beat_s(self) -> float:
        """Median distance of beats, in seconds; 0 when there are fewer than two."""
        return float(np.median(np.diff(self.beats_s))) if self.beats_s.size > 1 else 0.0

    @property
    def bar_s(self) -> float:
        """Length of an ordinary bar, in seconds; 0 when there is no pulse."""
        return self.beat_s * self.beats_per_bar

    def digest(self) -> str:
        """Names the song by what is heard in it, so that different songs give different films."""
        facts = hashlib.blake2b(digest_size=16)
        facts.update(np.round(self.beats_s * 1000.0).astype("<i8").tobytes())
        facts.update(
            f"{self.duration_s:.3f} {self.tempo_bpm:.2f} {self.tonic} {self.mode}".encode()
        )
        for section in self.sections:
            facts.update(f"{section.start_s:.3f} {section.label} {section.function}".encode())
        for tag in self.tags:
            facts.update(f"{tag.group} {tag.word}".encode())
        facts.update(self.title.encode())
        return facts.hexdigest()
