"""Keys and chords of songs and of chord sequences that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import mir_eval
import numpy as np
import pytest

from soundsight_analyzer.harmony.chords import NO_CHORD, Chord, hear_chords
from soundsight_analyzer.harmony.chroma import CHROMA_HOP_S, chroma, harmonic_change
from soundsight_analyzer.harmony.key import Key, hear_keys, on_downbeats
from soundsight_analyzer.harmony.notes import hear_notes
from soundsight_analyzer.spectra import RATE_HZ

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong, Samples

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
NO_BEATS = (np.zeros(0), np.zeros(0, dtype=np.int64))


def chord(pitches: list[int], seconds: float, tuning_semitones: float = 0.0) -> Samples:
    """Struck strings at MIDI pitches."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound = np.zeros(len(times))
    for pitch in pitches:
        hz = 440 * 2 ** ((pitch + tuning_semitones - 69) / 12)
        for partial in range(1, 5):
            sound += np.sin(2 * np.pi * hz * partial * times) / partial
    return (0.05 * sound * np.exp(-times)).astype(np.float32)


def cadence(tonic: int, *, minor: bool, tuning_semitones: float = 0.0) -> Samples:
    """I IV V I, twice, around a tonic (0 is C), a second each."""
    third = 3 if minor else 4
    triads = {
        "I": [0, third, 7],
        "IV": [5, 5 + third, 12],
        "V": [7, 11, 14],
    }
    order = ["I", "IV", "V", "I"] * 2
    return np.concatenate(
        [chord([48 + tonic + p for p in triads[name]], 1.0, tuning_semitones) for name in order]
    )


def longest_key(keys: Sequence[Key], duration_s: float) -> Key | None:
    """The key that holds longest."""
    lasting: dict[tuple[str, bool], float] = {}
    ends = [*(key.start_s for key in keys[1:]), duration_s]
    for key, end_s in zip(keys, ends, strict=False):
        name = (key.tonic, key.minor)
        lasting[name] = lasting.get(name, 0.0) + end_s - key.start_s
    if not lasting:
        return None
    longest = max(lasting, key=lambda name: lasting[name])
    return next(key for key in keys if (key.tonic, key.minor) == longest)


def key_of(samples: Samples) -> Key | None:
    return longest_key(hear_keys(hear_notes(samples)), len(samples) / RATE_HZ)


def majmin_overlap(song: KnownSong, chords: tuple[Chord, ...]) -> float:
    """The share of the song whose chord is right as major, minor or none (mir_eval)."""
    known = song.truth.chords
    known_at = np.array([[c.start_s, c.end_s] for c in known])
    found_at, found = mir_eval.util.adjust_intervals(
        np.array([[c.start_s, c.end_s] for c in chords]),
        [c.label for c in chords],
        known_at.min(),
        known_at.max(),
        NO_CHORD,
        NO_CHORD,
    )
    merged, known_labels, found_labels = mir_eval.util.merge_labeled_intervals(
        known_at, [c.label for c in known], found_at, found
    )
    right = mir_eval.chord.majmin(known_labels, found_labels)
    return float(
        mir_eval.chord.weighted_accuracy(right, mir_eval.util.intervals_to_durations(merged))
    )


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", [0, 3, 6, 10])
def test_key_of_a_cadence(tonic: int, minor: bool) -> None:
    """A cadence says its key, in sharps, and is trusted."""
    key = key_of(cadence(tonic, minor=minor))
    assert key is not None
    assert (key.tonic, key.minor) == (NAMES[tonic], minor)
    assert key.confidence > 0.5


def test_keys_of_songs(example_song: KnownSong, invent: Callable[[int, float], KnownSong]) -> None:
    """The keys of synthesised songs are heard, and each has one from its start."""
    for song in (example_song, invent(2, 104.0), invent(3, 138.0)):
        keys = hear_keys(song.notes)
        truth = song.truth.key
        expected = (FLATS.get(truth.tonic, truth.tonic), truth.mode == "minor")
        assert [(key.tonic, key.minor) for key in keys] == [expected]
        assert keys[0].start_s == 0.0


def test_a_change_of_key_is_heard_where_it_is() -> None:
    """A song that moves up a whole tone changes its key there, and on the nearest downbeat."""
    sound = np.concatenate([cadence(0, minor=False)] * 3 + [cadence(2, minor=False)] * 3)
    keys = hear_keys(hear_notes(sound))
    assert [key.tonic for key in keys] == ["C", "D"]
    assert keys[1].start_s == pytest.approx(24.0, abs=1.1)
    moved = on_downbeats(keys, np.arange(0.0, 48.0, 4.0))
    assert [key.start_s for key in moved] == [0.0, 24.0]


def test_a_borrowed_chord_is_no_change_of_key() -> None:
    """Four seconds of another key in half a minute are not called a change."""
    home, away = cadence(0, minor=False), cadence(9, minor=False)[: 4 * RATE_HZ]
    keys = hear_keys(hear_notes(np.concatenate([home, home, away, home, home])))
    assert [key.tonic for key in keys] == ["C"]


@pytest.mark.parametrize("semitones", [-0.4, 0.0, 0.3])
def test_instruments_may_be_tuned_anyhow(semitones: float) -> None:
    """A song between the semitones has its tuning measured, and its key is the nearest one."""
    sound = cadence(4, minor=False, tuning_semitones=semitones)
    notes = hear_notes(sound)
    assert notes.tuning_semitones == pytest.approx(semitones, abs=0.1)
    key = key_of(sound)
    assert key is not None
    assert key.tonic == "E"


def test_noise_has_no_confident_key(noise: Samples) -> None:
    """Noise fits no key; silence and a moment have none."""
    key = key_of(noise)
    assert key is None or key.confidence < 0.4
    assert key_of(0 * noise) is None
    assert key_of(noise[:1000]) is None


def test_chords_of_songs(
    example_song: KnownSong, invent: Callable[[int, float], KnownSong]
) -> None:
    """With the beats known, most of the time the right major or minor chord is heard."""
    for song in (example_song, invent(2, 104.0), invent(3, 138.0)):
        notes, truth = song.notes, song.truth
        beats = np.asarray(truth.beats_s)
        positions = np.arange(len(beats)) % truth.beats_per_bar + 1
        keys = hear_keys(notes)
        chords = hear_chords(notes, keys, beats, positions, truth.duration_s)
        assert majmin_overlap(song, chords) > 0.85
        assert all(0 <= c.confidence <= 1 for c in chords)
        edges = {0.0, truth.duration_s, *truth.beats_s}
        assert all(min(abs(c.start_s - edge) for edge in edges) < 1e-6 for c in chords)


def test_chords_without_beats() -> None:
    """Where there is no pulse, chords are heard all the same and cover the song."""
    sound = cadence(0, minor=True)
    chords = hear_chords(hear_notes(sound), (), *NO_BEATS, 8.0)
    assert [c.label for c in chords] == [
        *("C:min", "F:min", "G:maj", "C:min"),
        *("F:min", "G:maj", "C:min"),
    ]
    assert chords[0].start_s == 0.0
    assert chords[-1].end_s == 8.0
    for one, following in pairwise(chords):
        assert one.end_s == following.start_s


def test_what_has_no_harmony_has_no_chords(noise: Samples) -> None:
    """Noise and silence have no chord for most of their time."""
    for sound in (noise, 0 * noise):
        duration_s = len(sound) / RATE_HZ
        chords = hear_chords(hear_notes(sound), (), *NO_BEATS, duration_s)
        without_s = sum(c.end_s - c.start_s for c in chords if c.label == NO_CHORD)
        assert without_s > 0.8 * duration_s


@pytest.mark.parametrize("length", [1, 100, 5_000, RATE_HZ])
def test_short_sounds_are_finite(noise: Samples, length: int) -> None:
    """However short the sound, its notes are numbers and its chords cover it."""
    notes = hear_notes(noise[:length])
    assert np.isfinite(notes.treble).all()
    assert np.isfinite(notes.bass).all()
    chords = hear_chords(notes, hear_keys(notes), *NO_BEATS, length / RATE_HZ)
    assert chords[0].start_s == 0.0
    assert chords[-1].end_s == length / RATE_HZ
    assert all(np.isfinite(c.confidence) for c in chords)


def test_harmony_changes_where_the_chord_does() -> None:
    """Harmonic change peaks at the chord change and is near 0 inside a chord."""
    sound = np.concatenate([chord([48, 52, 55], 2.0), chord([53, 57, 60], 2.0)])
    at_s = np.arange(0.6, 3.4, CHROMA_HOP_S)
    change = harmonic_change(chroma(sound), reach_s=0.5, at_s=at_s)
    assert at_s[change.argmax()] == pytest.approx(2.0, abs=0.05)
    assert change[np.abs(at_s - 2.0) > 0.6].max() < 0.2 * change.max()
    assert ((change >= 0) & (change <= 1)).all()
