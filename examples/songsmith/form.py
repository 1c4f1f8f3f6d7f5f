"""The form of a song, bar by bar: sections, chords and how intense each bar is.

Intensity runs from 0 to 1 and follows from the function of the section. The players look at it and
decide whether to play and how busily, so that a verse is sparser than a chorus, an intro builds and
an outro thins out in any form and metre.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase

from songsmith.material import Strophe
from songsmith.score import KeyMark, Section, TimedChord
from songsmith.theory import Key, Metre, chord_in_key

# Intensity at the first and at the last bar of a section.
INTENSITIES: dict[str, tuple[float, float]] = {
    "intro": (0.15, 0.45),
    "verse": (0.55, 0.60),
    "pre-chorus": (0.60, 0.75),
    "chorus": (0.90, 1.00),
    "bridge": (0.45, 0.65),
    "solo": (0.80, 0.85),
    "break": (0.20, 0.35),
    "outro": (0.60, 0.10),
}

# From these intensities on, a player joins in or plays more.
BASS_ENTERS = 0.3
HATS_ENTER = 0.3
KICK_ENTERS = 0.4
GROOVE = 0.5
FULL = 0.8


@dataclass(frozen=True)
class Bar:
    """One bar and what its players need to know; `repetition` counts its label from 1.

    `rise` is how much more intense the next section begins than this bar, 0 inside a section.
    """

    first_step: int
    section: Section
    index_in_section: int
    repetition: int
    intensity: float
    rise: float
    chords: tuple[TimedChord, ...]
    key: Key
    final: bool

    @property
    def opens(self) -> bool:
        """Whether a section begins here."""
        return self.index_in_section == 0


def sections_of(form: Sequence[tuple[str, int]]) -> tuple[Section, ...]:
    """Sections from (function, bars); labels A, B, ... in order of first appearance."""
    unknown = {function for function, _ in form} - INTENSITIES.keys()
    if unknown:
        raise ValueError(f"unknown section functions: {', '.join(sorted(unknown))}")
    if not form or any(bars < 1 for _, bars in form):
        raise ValueError("a form has at least one section, and a section at least one bar")
    functions = list(dict.fromkeys(function for function, _ in form))
    sections = []
    first_bar = 0
    for function, bars in form:
        label = ascii_uppercase[functions.index(function)]
        sections.append(Section(function, label, first_bar, bars))
        first_bar += bars
    return tuple(sections)


def bars_of(
    sections: Sequence[Section],
    strophes: Mapping[str, Strophe],
    key: Key,
    metre: Metre,
    later_keys: Sequence[KeyMark] = (),
) -> tuple[Bar, ...]:
    """Lay the sections out bar by bar, with the strophe of each function."""
    repetitions: Counter[str] = Counter()
    bars: list[Bar] = []
    for section in sections:
        repetitions[section.label] += 1
        first, last = INTENSITIES[section.function]
        if bars:
            bars[-1] = replace(bars[-1], rise=first - bars[-1].intensity)
        progression = strophes[section.function].progression
        for index in range(section.bars):
            number = section.first_bar + index
            first_step = number * metre.steps_per_bar
            here = next((mark.key for mark in reversed(later_keys) if mark.bar <= number), key)
            numerals = progression[index % len(progression)].split()
            bars.append(
                Bar(
                    first_step=first_step,
                    section=section,
                    index_in_section=index,
                    repetition=repetitions[section.label],
                    intensity=first + (last - first) * index / max(1, section.bars - 1),
                    rise=0.0,
                    chords=chords_of(numerals, first_step, here, metre),
                    key=here,
                    final=False,
                )
            )
    bars[-1] = replace(bars[-1], final=True)
    return tuple(bars)


def chords_of(
    numerals: Sequence[str], first_step: int, key: Key, metre: Metre
) -> tuple[TimedChord, ...]:
    """Chords that share a bar, each from a beat on; the first ones get the longer shares."""
    beats = [-(-index * metre.beats_per_bar // len(numerals)) for index in range(len(numerals))]
    starts = [first_step + beat * metre.steps_per_beat for beat in beats]
    ends = [*starts[1:], first_step + metre.steps_per_bar]
    return tuple(
        TimedChord(start, end, chord_in_key(key, numeral))
        for start, end, numeral in zip(starts, ends, numerals, strict=True)
    )
