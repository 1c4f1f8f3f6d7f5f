"""What a song is made of before it is arranged: progressions and melodies, one strophe a label."""

import re
from dataclasses import dataclass

# A scale degree, raised by ' and lowered by , one octave each, or a rest; then a length in steps.
MELODY_TOKEN = re.compile(r"(?:(?P<degree>[1-7])(?P<octaves>'*|,*)|-):(?P<steps>\d+)")


@dataclass(frozen=True)
class MelodyNote:
    """A scale degree (1 is the tonic of the middle octave) at a step of its bar."""

    step: int
    steps: int
    degree: int


@dataclass(frozen=True)
class Strophe:
    """The music of one repetition label; both tuples hold one entry a bar and start over.

    A bar of the progression is one or more chord numerals ("IV V") that share the bar's beats.
    """

    progression: tuple[str, ...]
    melody: tuple[tuple[MelodyNote, ...], ...]


def parse_melody(bar: str) -> tuple[MelodyNote, ...]:
    """Read a bar of melody such as `3:6 5':6 -:2 7,:2` (third, high fifth, rest, low seventh)."""
    notes: list[MelodyNote] = []
    step = 0
    for token in bar.split():
        match = MELODY_TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"not a melody note: {token!r}")
        steps = int(match["steps"])
        if match["degree"]:
            octaves = match["octaves"].count("'") - match["octaves"].count(",")
            notes.append(MelodyNote(step, steps, int(match["degree"]) + 7 * octaves))
        step += steps
    return tuple(notes)
