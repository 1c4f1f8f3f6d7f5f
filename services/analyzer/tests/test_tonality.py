"""Keys of songs and of chords whose key is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundsight_analyzer.harmony.chroma import CHROMA_HOP_S, chroma, harmonic_change
from soundsight_analyzer.harmony.key import hear_key
from soundsight_analyzer.spectra import RATE_HZ

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong, Samples

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}


def chord(pitches: list[int], seconds: float) -> Samples:
    """Struck strings at MIDI pitches."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound = np.zeros(len(times))
    for pitch in pitches:
        hz = 440 * 2 ** ((pitch - 69) / 12)
        for partial in range(1, 5):
            sound += np.sin(2 * np.pi * hz * partial * times) / partial
    return (0.05 * sound * np.exp(-times)).astype(np.float32)


def cadence(tonic: int, *, minor: bool) -> Samples:
    """I IV V I, twice, around a tonic (0 is C)."""
    third = 3 if minor else 4
    triads = {
        "I": [0, third, 7],
        "IV": [5, 5 + third, 12],
        "V": [7, 11, 14],
    }
    order = ["I", "IV", "V", "I"] * 2
    return np.concatenate([chord([48 + tonic + p for p in triads[name]], 1.0) for name in order])


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", [0, 3, 6, 10])
def test_key_of_a_cadence(tonic: int, minor: bool) -> None:
    """A cadence says its key, in sharps, and is trusted."""
    key = hear_key(cadence(tonic, minor=minor), RATE_HZ)
    assert key is not None
    assert (key.tonic, key.minor) == (NAMES[tonic], minor)
    assert key.confidence > 0.5


def test_keys_of_songs(example_song: KnownSong, invent: Callable[[int, float], KnownSong]) -> None:
    """The keys of synthesised songs are heard."""
    for song in (example_song, invent(2, 104.0), invent(3, 138.0)):
        key = hear_key(song.samples, RATE_HZ)
        assert key is not None
        truth = song.truth.key
        assert key.tonic == FLATS.get(truth.tonic, truth.tonic)
        assert key.minor == (truth.mode == "minor")


def test_noise_has_no_confident_key(noise: Samples) -> None:
    """Noise fits no key; silence and a moment have none."""
    key = hear_key(noise, RATE_HZ)
    assert key is None or key.confidence < 0.4
    assert hear_key(0 * noise, RATE_HZ) is None
    assert hear_key(noise[:1000], RATE_HZ) is None


def test_harmony_changes_where_the_chord_does() -> None:
    """Harmonic change peaks at the chord change and is near 0 inside a chord."""
    sound = np.concatenate([chord([48, 52, 55], 2.0), chord([53, 57, 60], 2.0)])
    at_s = np.arange(0.6, 3.4, CHROMA_HOP_S)
    change = harmonic_change(chroma(sound), reach_s=0.5, at_s=at_s)
    assert at_s[change.argmax()] == pytest.approx(2.0, abs=0.05)
    assert change[np.abs(at_s - 2.0) > 0.6].max() < 0.2 * change.max()
    assert ((change >= 0) & (change <= 1)).all()
