"""Songs made from nothing, so that everything about them is known exactly.

A song is described first (`compose`, `first_light`), which fixes its truth (`truth_of`: beats,
downbeats, sections, chords, key); only then is it played (`render`). Descriptions are plain frozen
data and every function here is pure: the same description gives the same samples.
"""

from songsmith.first_light import first_light
from songsmith.invention import DEFAULT_FORM, compose
from songsmith.rendering import render
from songsmith.score import (
    SAMPLE_RATE_HZ,
    Feel,
    Finish,
    KeyMark,
    Section,
    Song,
    TempoMark,
    Truth,
    truth_of,
)
from songsmith.theory import Chord, Key, Metre
from songsmith.timbres import TIMBRES

__all__ = [
    "DEFAULT_FORM",
    "SAMPLE_RATE_HZ",
    "TIMBRES",
    "Chord",
    "Feel",
    "Finish",
    "Key",
    "KeyMark",
    "Metre",
    "Section",
    "Song",
    "TempoMark",
    "Truth",
    "compose",
    "first_light",
    "render",
    "truth_of",
]
