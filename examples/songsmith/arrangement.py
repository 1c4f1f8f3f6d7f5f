"""From progressions and melodies to a song: the players are given their bars."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from songsmith.drummers import DRUMMERS
from songsmith.form import FULL, GROOVE, Bar, bars_of, sections_of
from songsmith.material import Strophe
from songsmith.players import (
    harmonise,
    play_arpeggio,
    play_bass,
    play_melody,
    play_pad,
    play_riff,
    play_stabs,
    play_walking_bass,
)
from songsmith.score import Feel, Finish, KeyMark, Note, Part, Song, TempoMark
from songsmith.theory import Key, Metre
from songsmith.timbres import Timbre

# How far a player's strokes differ in strength. Their timing never differs: it is the truth.
TOUCH = 0.06
# How strongly everyone plays at no intensity, as a share of the strength at full intensity.
SOFTEST = 0.55


def arrange(
    *,
    title: str,
    artist: str,
    key: Key,
    metre: Metre,
    tempi: tuple[TempoMark, ...],
    form: Sequence[tuple[str, int]],
    strophes: Mapping[str, Strophe],
    timbre: Timbre,
    seed: int,
    lead_in_s: float = 0.0,
    tail_s: float = 1.5,
    later_keys: tuple[KeyMark, ...] = (),
    feel: Feel | None = None,
    finish: Finish | None = None,
) -> Song:
    """Arrange a form of (function, bars) with one strophe for each function.

    Raises ValueError when the form names an unknown function or the tempo marks are out of order.
    """
    rng = np.random.default_rng([seed, 1])
    sections = sections_of(form)
    bars = bars_of(sections, strophes, key, metre, later_keys)
    bass = play_walking_bass if timbre.walking_bass else play_bass
    parts = [
        Part("pad", timbre.pad, tuple(play_pad(bars))),
        Part("stabs", timbre.stabs, tuple(play_stabs(bars, metre))),
        Part("arpeggio", timbre.arpeggio, tuple(play_arpeggio(bars, metre))),
        Part("bass", timbre.bass, tuple(bass(bars, metre))),
        *lead_parts(tuple(play_melody(bars, strophes)), timbre),
        Part("riff", timbre.riff, tuple(play_riff(bars, metre, timbre.riffs))),
    ]
    parts = [part for part in parts if part.instrument]
    hits = [hit for bar in bars for hit in DRUMMERS[timbre.drummer](bar, metre)]
    hits.sort(key=lambda hit: (hit.step, hit.drum))

    def played(velocity: float, step: int) -> float:
        """A velocity as a person plays it in the bar of a step."""
        dynamics = SOFTEST + (1.0 - SOFTEST) * bars[step // metre.steps_per_bar].intensity
        touch = 1.0 + TOUCH * rng.standard_normal()
        return float(np.clip(velocity * dynamics * touch, 0.02, 1.0))

    return Song(
        title=title,
        artist=artist,
        key=key,
        metre=metre,
        tempi=tempi,
        sections=sections,
        chords=tuple(chord for bar in bars for chord in bar.chords),
        parts=tuple(
            replace(
                part,
                notes=tuple(
                    replace(note, velocity=played(note.velocity, note.start_step))
                    for note in part.notes
                ),
            )
            for part in parts
        ),
        hits=tuple(replace(hit, velocity=played(hit.velocity, hit.step)) for hit in hits),
        seed=seed,
        lead_in_s=lead_in_s,
        tail_s=tail_s,
        later_keys=later_keys,
        feel=feel or Feel(),
        finish=finish or Finish(),
    )


def lead_parts(melody: Sequence[tuple[Bar, Note]], timbre: Timbre) -> tuple[Part, ...]:
    """Hand the tune to a quiet, a verse or a chorus voice.

    The quiet voice doubles a verse that returns and every chorus; a chorus that returns is
    harmonised.
    """
    quiet = [note for bar, note in melody if bar.intensity < GROOVE]
    verse = [(bar, note) for bar, note in melody if GROOVE <= bar.intensity < FULL]
    full = [(bar, note) for bar, note in melody if bar.intensity >= FULL]
    doubled = [
        replace(note, velocity=0.4 * note.velocity) for bar, note in verse if bar.repetition > 1
    ] + [note for _, note in full]
    second_voice = [harmonise(bar, note) for bar, note in full if bar.repetition > 1]
    return (
        Part("quiet_lead", timbre.quiet_lead, tuple(quiet)),
        Part("verse_lead", timbre.verse_lead, tuple(note for _, note in verse)),
        Part("chorus_lead", timbre.chorus_lead, tuple(note for _, note in full)),
        Part("doubling", timbre.quiet_lead, tuple(doubled)),
        Part("second_voice", timbre.chorus_lead, tuple(second_voice)),
    )
