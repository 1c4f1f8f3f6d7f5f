"""Inventing songs from a seed, for tests that need many songs whose truth is known."""

from collections.abc import Sequence

import numpy as np

from songsmith.arrangement import arrange
from songsmith.form import bars_of, sections_of
from songsmith.material import MelodyNote, Strophe
from songsmith.score import Feel, Finish, KeyMark, Song, TempoMark
from songsmith.theory import PITCH_NAMES, SCALES, Chord, Key, Metre
from songsmith.timbres import COMMON, TIMBRES

DEFAULT_FORM = (
    ("intro", 4),
    ("verse", 8),
    ("chorus", 8),
    ("verse", 8),
    ("chorus", 8),
    ("outro", 4),
)

# Four bars each. Every section of a song gets one that no other section has; choruses and solos
# draw from the open, assertive ones.
CALM = {
    "major": (
        ("I", "vi7", "IVmaj7", "V"),
        ("IVmaj7", "I/3", "ii7", "Vsus4 V"),
        ("I", "iii7", "IV", "V"),
        ("I", "ii7", "IVmaj7", "I/3"),
        ("I", "IVmaj7", "ii7", "V"),
        ("I", "I/3", "IVmaj7", "Vsus4 V"),
    ),
    "minor": (
        ("i", "VImaj7", "iv7", "V"),
        ("i", "VII", "VImaj7", "V"),
        ("i", "iv7", "i", "V"),
        ("iv7", "i", "VI", "V"),
        ("i", "v7", "VImaj7", "V"),
        ("i", "i/3", "iv7", "Vsus4 V"),
    ),
}
ASSERTIVE = {
    "major": (
        ("I", "V/3", "vi7", "IV V"),
        ("I", "IV", "vi7", "V"),
        ("IV", "V", "I", "vi7"),
        ("I", "V", "IV", "V"),
    ),
    "minor": (
        ("i", "VI", "III", "V"),
        ("i", "VI", "iv V", "i"),
        ("VI", "VII", "i", "V"),
        ("i", "iv", "VI", "V"),
    ),
}
ASSERTIVE_FUNCTIONS = {"chorus", "solo"}
TONIC = {"major": "I", "minor": "i"}

# The middle of a section's melody, as a degree of the middle octave, and how far it roams.
MELODY_CENTRE = {"chorus": 4, "solo": 5, "pre-chorus": 2, "verse": 0}
AMBITUS = 5
EIGHTH = 2


def compose(
    seed: int = 0,
    *,
    tempo_bpm: float | None = None,
    metre: str = "4/4",
    form: Sequence[tuple[str, int]] = DEFAULT_FORM,
    key: Key | None = None,
    timbre: str | None = None,
    later_tempi: Sequence[TempoMark] = (),
    later_keys: Sequence[KeyMark] = (),
    lead_in_s: float = 0.0,
    feel: Feel | None = None,
    finish: Finish | None = None,
) -> Song:
    """Invent a song; what is not given is chosen by the seed.

    `form` lists (function, bars); `tempo_bpm` counts beats as `Metre` does (dotted quarters in
    6/8); `timbre` names one of `TIMBRES`; `later_tempi` and `later_keys` change
    tempo and key from their bars on.
    Raises ValueError when no such song can be.
    """
    rng = np.random.default_rng([seed, 0])
    # Drawn whether needed or not, so that giving one choice leaves the others as they were.
    drawn_bpm = float(rng.integers(80, 145))
    drawn_key = Key(
        PITCH_NAMES[rng.integers(len(PITCH_NAMES))], sorted(SCALES)[rng.integers(len(SCALES))]
    )
    drawn_timbre = COMMON[rng.integers(len(COMMON))]
    if timbre is not None and timbre not in TIMBRES:
        raise ValueError(f"no such timbre: {timbre}")
    first_bpm = drawn_bpm if tempo_bpm is None else tempo_bpm
    signature = Metre.parse(metre)
    home = key or drawn_key
    return arrange(
        title=f"Invention {seed}",
        artist="Soundsight",
        key=home,
        metre=signature,
        tempi=(TempoMark(0, first_bpm), *later_tempi),
        form=form,
        strophes=invent_strophes(form, home, signature, rng),
        timbre=TIMBRES[timbre or drawn_timbre],
        seed=seed,
        lead_in_s=lead_in_s,
        later_keys=tuple(later_keys),
        feel=feel,
        finish=finish,
    )


def invent_strophes(
    form: Sequence[tuple[str, int]], key: Key, metre: Metre, rng: np.random.Generator
) -> dict[str, Strophe]:
    """A strophe for each function of the form; the last one comes home to the tonic."""
    decks = {
        pool_name: [pool[index] for index in rng.permutation(len(pool))]
        for pool_name, pool in (("calm", CALM[key.mode]), ("assertive", ASSERTIVE[key.mode]))
    }
    last_function, last_bars = form[-1]
    strophes = {}
    for function in dict.fromkeys(function for function, _ in form):
        deck = decks["assertive" if function in ASSERTIVE_FUNCTIONS else "calm"]
        progression: tuple[str, ...] = deck.pop()
        if function == last_function:
            repeated = progression * (last_bars // len(progression) + 1)
            progression = (*repeated[: last_bars - 1], TONIC[key.mode])
        centre = MELODY_CENTRE.get(function)
        strophe = Strophe(progression, ((),))
        if centre is not None:
            strophe = Strophe(
                progression, invent_melody(function, strophe, centre, key, metre, rng)
            )
        strophes[function] = strophe
    return strophes


def invent_melody(
    function: str,
    strophe: Strophe,
    centre: int,
    key: Key,
    metre: Metre,
    rng: np.random.Generator,
) -> tuple[tuple[MelodyNote, ...], ...]:
    """A phrase as long as the progression: statement, answer, statement, ..., close."""
    bars = bars_of(
        sections_of([(function, len(strophe.progression))]), {function: strophe}, key, metre
    )
    statement, answer = invent_rhythm(metre, rng), invent_rhythm(metre, rng)
    close = ((0, metre.steps_per_bar - 4),)
    degree = centre
    phrase = []
    for bar in bars:
        rhythm = close if bar.final else (statement, answer)[bar.index_in_section % 2]
        notes = []
        for step, steps in rhythm:
            chord = next(t.chord for t in bar.chords if bar.first_step + step < t.end_step)
            on_beat = step % metre.steps_per_beat == 0
            degree = next_degree(degree, centre, chord if on_beat else None, key, rng)
            notes.append(MelodyNote(step, steps, degree))
        phrase.append(tuple(notes))
    return tuple(phrase)


def invent_rhythm(metre: Metre, rng: np.random.Generator) -> tuple[tuple[int, int], ...]:
    """(step, steps) of the notes of one bar, in eighths, with now and then a rest."""
    rhythm = []
    step = 0
    while step < metre.steps_per_bar:
        longest = (metre.steps_per_bar - step) // EIGHTH
        eighths = min(longest, int(rng.choice([1, 2, 3], p=[0.35, 0.4, 0.25])))
        if step == 0 or rng.random() > 0.15:
            rhythm.append((step, eighths * EIGHTH))
        step += eighths * EIGHTH
    return tuple(rhythm)


def next_degree(
    degree: int, centre: int, chord: Chord | None, key: Key, rng: np.random.Generator
) -> int:
    """A small move from a degree that stays near the centre; on a beat, to a tone of the chord."""
    wish = degree + int(rng.choice([-2, -1, 1, 2])) - round((degree - centre) / AMBITUS)
    if chord is None:
        return wish
    nearby = [
        candidate
        for candidate in range(wish - 3, wish + 4)
        if key.midi(candidate) % 12 in chord.pitch_classes
    ]
    return min(nearby, key=lambda candidate: (abs(candidate - wish), candidate))
