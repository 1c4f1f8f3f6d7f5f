"""Drummers of other schools: rock, jazz and metal, each a bar at a time like `drumming`.

What they leave to `drumming`: the last bar, crashes where sections open, and fills.
"""

from collections.abc import Callable, Iterator

from songsmith.drumming import fill_start, play_drums, play_fill
from songsmith.form import FULL, GROOVE, HATS_ENTER, KICK_ENTERS, Bar
from songsmith.score import Hit
from songsmith.theory import Metre

EIGHTH = 2

# Kicks of a bar of four beats, in steps: one pattern for each kind of section.
ROCK_KICKS = ((0, 8, 10), (0, 6, 8), (0, 2, 8, 10), (0, 8))


def rock(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """Hats or ride in eighths, the backbeat, and a kick pattern that differs by section."""

    def groove() -> Iterator[Hit]:
        if bar.intensity >= KICK_ENTERS:
            for step in _kick_steps(bar, metre):
                yield Hit(bar.first_step + step, "kick", 1.0 if step == 0 else 0.8)
        if bar.intensity >= GROOVE:
            for beat in _backbeats(metre):
                yield Hit(bar.first_step + beat * metre.steps_per_beat, "snare", 0.9)
        if bar.intensity >= HATS_ENTER:
            cymbal = "ride" if bar.intensity >= FULL else "hat"
            for offset in range(0, metre.steps_per_bar, EIGHTH):
                on_beat = offset % metre.steps_per_beat == 0
                yield Hit(bar.first_step + offset, cymbal, 0.8 if on_beat else 0.5)

    yield from _with_fills(bar, metre, groove())


def jazz(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """The ride's "ding, ding-a", the foot on the hat on two and four, brushes and a soft kick."""

    def groove() -> Iterator[Hit]:
        beat_steps = metre.steps_per_beat
        for beat in range(metre.beats_per_bar):
            start = bar.first_step + beat * beat_steps
            yield Hit(start, "ride", 0.9 if beat == 0 else 0.75)
            if beat % 2 == 1:
                yield Hit(start + EIGHTH, "ride", 0.55)
                yield Hit(start, "hat", 0.6)
                yield Hit(start, "brush", 0.5)
            elif bar.intensity >= GROOVE:
                yield Hit(start, "kick", 0.5)
            if bar.intensity >= FULL and (bar.index_in_section + beat) % 3 == 2:
                yield Hit(start + EIGHTH, "brush", 0.7)

    yield from _with_fills(bar, metre, groove())


def double_bass(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """Both feet in sixteenths under a backbeat, which half of the sections play in half time."""
    snare = _backbeat_steps(metre)
    if ord(bar.section.label) % 2 and metre.beats_per_bar == 4:
        snare = (metre.steps_per_bar // 2,)
    yield from _with_fills(bar, metre, _metal(bar, metre, feet=1, snare=snare))


def thrash(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """Kick on the beats, snare between them; in full bars double bass under the backbeat."""
    if bar.intensity >= FULL:
        groove = _metal(bar, metre, feet=1, snare=_backbeat_steps(metre))
    else:
        offbeats = tuple(range(EIGHTH, metre.steps_per_bar, metre.steps_per_beat))
        groove = _metal(bar, metre, feet=4, snare=offbeats)
    yield from _with_fills(bar, metre, groove)


def blast(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """Double bass under a backbeat; in full bars kick, snare and cymbal together in eighths."""
    if bar.intensity >= FULL:
        eighths = tuple(range(0, metre.steps_per_bar, EIGHTH))
        groove = _metal(bar, metre, feet=2, snare=eighths)
    else:
        groove = _metal(bar, metre, feet=1, snare=_backbeat_steps(metre))
    yield from _with_fills(bar, metre, groove)


def grind(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """Double bass under snares in groups of three; in full bars kick and snare in turn, so that
    drums alone do not tell beats from what lies between them."""
    steps = metre.steps_per_bar
    if bar.intensity >= FULL:
        groove = _metal(bar, metre, feet=2, snare=tuple(range(1, steps, 2)), cymbal_stride=EIGHTH)
    else:
        threes = tuple(range(3, steps, 3))
        groove = _metal(bar, metre, feet=1, snare=threes, cymbal_stride=EIGHTH)
    yield from _with_fills(bar, metre, groove)


def nobody(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """No drums at all."""
    yield from ()


def _metal(
    bar: Bar, metre: Metre, *, feet: int, snare: tuple[int, ...], cymbal_stride: int = 4
) -> Iterator[Hit]:
    """Kicks every `feet` steps and snares at the given steps; before the groove cymbals alone.

    Full bars are driven by the china, every `cymbal_stride` steps, others by the ride in eighths.
    """
    if bar.intensity >= GROOVE:
        for step in range(0, metre.steps_per_bar, feet):
            on_beat = step % metre.steps_per_beat == 0
            yield Hit(bar.first_step + step, "beater_kick", 1.0 if on_beat else 0.9)
        for step in snare:
            yield Hit(bar.first_step + step, "tight_snare", 0.9)
    if bar.intensity >= HATS_ENTER:
        cymbal, stride = ("china", cymbal_stride) if bar.intensity >= FULL else ("ride", EIGHTH)
        for step in range(0, metre.steps_per_bar, stride):
            yield Hit(bar.first_step + step, cymbal, 0.9 if step == 0 else 0.75)


def _with_fills(bar: Bar, metre: Metre, groove: Iterator[Hit]) -> Iterator[Hit]:
    """A groove with the crash that opens a section, and a fill where the next one rises."""
    if bar.final:
        yield Hit(bar.first_step, "kick", 0.8)
        yield Hit(bar.first_step, "crash", 0.5)
        return
    if bar.opens and bar.intensity >= GROOVE:
        yield Hit(bar.first_step, "crash", 0.5 + 0.4 * bar.intensity)
    fill_step = fill_start(bar, metre)
    yield from (hit for hit in groove if hit.step < fill_step or "kick" in hit.drum)
    if bar.intensity >= KICK_ENTERS:
        yield from (hit for hit in play_fill(bar, metre, fill_step) if hit.drum != "swell")


def _kick_steps(bar: Bar, metre: Metre) -> tuple[int, ...]:
    if metre.beats_per_bar == 4:
        return ROCK_KICKS[ord(bar.section.label) % len(ROCK_KICKS)]
    if metre.compound:
        return (0, metre.steps_per_bar - EIGHTH) if bar.intensity >= GROOVE else (0,)
    return (0, metre.steps_per_beat + EIGHTH) if bar.index_in_section % 2 else (0,)


def _backbeats(metre: Metre) -> tuple[int, ...]:
    return {4: (1, 3), 3: (1, 2), 2: (1,)}[metre.beats_per_bar]


def _backbeat_steps(metre: Metre) -> tuple[int, ...]:
    return tuple(beat * metre.steps_per_beat for beat in _backbeats(metre))


DRUMMERS: dict[str, Callable[[Bar, Metre], Iterator[Hit]]] = {
    "studio": play_drums,
    "rock": rock,
    "jazz": jazz,
    "double_bass": double_bass,
    "thrash": thrash,
    "blast": blast,
    "grind": grind,
    "none": nobody,
}
