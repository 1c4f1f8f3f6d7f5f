"""The harmony of a song: its keys and chords, on its beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soundsight_analyzer.harmony.chords import Chord, hear_chords
from soundsight_analyzer.harmony.key import Key, on_downbeats
from soundsight_analyzer.harmony.notes import Notes
from soundsight_analyzer.rhythm.tracking import Rhythm


@dataclass(frozen=True)
class Harmony:
    """Keys, the first from 0 on, and contiguous chords; both empty where no notes are heard."""

    keys: tuple[Key, ...] = ()
    chords: tuple[Chord, ...] = ()


def hear_harmony(notes: Notes, keys: Sequence[Key], rhythm: Rhythm, duration_s: float) -> Harmony:
    """Chords of ``notes`` and its ``keys`` moved to the beats of ``rhythm``."""
    if not keys:
        return Harmony()
    moved = on_downbeats(keys, rhythm.downbeats_s)
    chords = hear_chords(notes, moved, rhythm.beats_s, rhythm.positions, duration_s)
    return Harmony(moved, chords)
