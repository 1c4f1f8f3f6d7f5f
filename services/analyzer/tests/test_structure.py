"""Sections: where they begin, which are alike, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import mir_eval
import numpy as np
import pytest

from soundsight_analyzer.dynamics.curves import draw_curves
from soundsight_analyzer.form.barfeatures import MOST_UNITS, unit_edges
from soundsight_analyzer.form.boundaries import divide, phrase_ends
from soundsight_analyzer.form.functions import Function, guess_functions
from soundsight_analyzer.form.sections import Section, hear_form, label_name, label_names
from soundsight_analyzer.harmony.notes import hear_notes
from soundsight_analyzer.rhythm.tracking import NO_RHYTHM, Rhythm
from soundsight_analyzer.spectra import RATE_HZ, analyse_frames

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong, Samples


def form_of(song: KnownSong) -> tuple[Section, ...]:
    duration_s = len(song.samples) / RATE_HZ
    return hear_form(song.frames, song.notes, true_rhythm(song), duration_s)


def true_rhythm(song: KnownSong) -> Rhythm:
    """The song's own beats and bars: form is judged apart from beat tracking."""
    beats = np.asarray(song.truth.beats_s)
    return replace(
        NO_RHYTHM,
        beats_s=beats,
        positions=np.arange(len(beats)) % song.truth.beats_per_bar + 1,
        beats_confidence=0.9,
        downbeat_confidence=0.9,
    )


def check_contiguous(sections: tuple[Section, ...], duration_s: float) -> None:
    """Sections cover the song without gaps and are numbered by label."""
    assert sections[0].start_s == 0.0
    assert sections[-1].end_s == duration_s
    seen: dict[str, int] = {}
    for section, following in pairwise(sections):
        assert section.end_s == following.start_s
    for section in sections:
        assert section.start_s < section.end_s
        seen[section.label] = seen.get(section.label, 0) + 1
        assert section.occurrence == seen[section.label]
        for confidence in (section.boundary_confidence, section.label_confidence):
            assert 0 <= confidence <= 1
    letters = list(dict.fromkeys(label.rstrip("'") for label in seen))
    assert letters == [label_name(i) for i in range(len(letters))]


def test_form_of_the_example_song(example_song: KnownSong) -> None:
    """Its boundaries are found (F at 3 s of at least 0.8), on downbeats, and verse and chorus
    return."""
    truth = example_song.truth
    sections = form_of(example_song)
    check_contiguous(sections, len(example_song.samples) / RATE_HZ)
    found = np.array([[s.start_s, s.end_s] for s in sections])
    known = np.array([[s.start_s, s.end_s] for s in truth.sections])
    _, _, f_measure = mir_eval.segment.detection(known, found, window=3.0, trim=True)
    assert f_measure >= 0.8
    downbeats = np.asarray(truth.downbeats_s)
    for section in sections[1:]:
        assert np.abs(downbeats - section.start_s).min() < 0.03

    def label_at(time_s: float) -> str:
        return next(s.label for s in sections if s.start_s <= time_s < s.end_s)

    for function in ("verse", "chorus"):
        first, second = (
            label_at((s.start_s + s.end_s) / 2) for s in truth.sections if s.function == function
        )
        assert first == second
    middles = {s.function: label_at((s.start_s + s.end_s) / 2) for s in truth.sections}
    assert middles["verse"] != middles["chorus"]


def test_functions_of_the_example_song(example_song: KnownSong) -> None:
    """Intro, verses, choruses and outro are called by their names for most of the song."""
    sections = form_of(example_song)
    curves = draw_curves(example_song.frames)
    energies = [curves.mean_energy(s.start_s, s.end_s) for s in sections]
    guesses = guess_functions(sections, energies)
    right_s = sum(
        max(0.0, min(s.end_s, known.end_s) - max(s.start_s, known.start_s))
        for s, guess in zip(sections, guesses, strict=True)
        for known in example_song.truth.sections
        if guess.function.value.lower() == known.function
    )
    assert right_s / example_song.truth.duration_s > 0.8


@pytest.mark.parametrize(("seed", "tempo_bpm"), [(2, 104.0), (3, 138.0)])
def test_repetition_of_invented_songs(
    invent: Callable[[int, float], KnownSong], seed: int, tempo_bpm: float
) -> None:
    """Pairs of moments with and without the same label agree with the truth (F of at least 0.8)."""
    song = invent(seed, tempo_bpm)
    sections = form_of(song)
    known = song.truth.sections
    end_s = min(sections[-1].end_s, known[-1].end_s)
    found_intervals = np.array([[s.start_s, min(s.end_s, end_s)] for s in sections])
    known_intervals = np.array([[s.start_s, min(s.end_s, end_s)] for s in known])
    _, _, f_measure = mir_eval.segment.pairwise(
        known_intervals, [s.label for s in known], found_intervals, [s.label for s in sections]
    )
    assert f_measure >= 0.8


def test_sound_without_form_is_still_covered(noise: Samples) -> None:
    """Noise and very short sounds have contiguous sections all the same."""
    for sound in (noise, noise[: RATE_HZ // 10], 0 * noise):
        duration_s = len(sound) / RATE_HZ
        sections = hear_form(analyse_frames(sound), hear_notes(sound), NO_RHYTHM, duration_s)
        check_contiguous(sections, duration_s)


def test_a_weak_sense_of_bars_still_finds_the_form(example_song: KnownSong) -> None:
    """Where the first beat of the bar is a guess, and wrong by two beats, boundaries are found all
    the same."""
    rhythm = true_rhythm(example_song)
    turned = replace(rhythm, positions=(rhythm.positions + 1) % 4 + 1, downbeat_confidence=0.0)
    duration_s = len(example_song.samples) / RATE_HZ
    sections = hear_form(example_song.frames, example_song.notes, turned, duration_s)
    found = np.array([[s.start_s, s.end_s] for s in sections])
    known = np.array([[s.start_s, s.end_s] for s in example_song.truth.sections])
    _, _, f_measure = mir_eval.segment.detection(known, found, window=3.0, trim=True)
    assert f_measure >= 0.75


def test_a_phrase_ends_where_it_is_heard_for_the_last_time() -> None:
    """Between two stretches that each go round in four bars, the line that parts them stands
    out."""
    bars = np.array([0, 1, 2, 3] * 4 + [4, 5, 6, 7] * 3)
    distances = (bars[:, None] != bars).astype(np.float64)
    ends = phrase_ends(distances, 4)
    assert ends.argmax() == 16
    assert ends[16] == 1.0
    assert not ends[:13].any()
    assert not ends[20:].any()


def test_variations_have_primes() -> None:
    """A repetition with plainly another sound is a variation; the same variation has the same
    name, and another letter has primes of its own."""
    places = np.array([0.0, 0.1, 1.0, 5.0, 1.1, 2.5])
    sound = np.abs(places[:, None] - places)
    assert label_names(np.array([7, 7, 7, 2, 7, 7]), sound) == ["A", "A", "A'", "B", "A'", "A''"]


def test_long_songs_are_compared_coarsely() -> None:
    """Two hours of fast music have no more units than can be compared pair by pair."""
    downbeats = np.arange(0.0, 7200.0, 1.2)
    edges = unit_edges(downbeats, 7200.0)
    assert len(edges) - 1 <= MOST_UNITS
    assert edges[0] == 0
    assert edges[-1] == 7200.0
    assert np.isin(edges[1:-1], downbeats).all()


def test_divisions_have_musical_lengths() -> None:
    """With novelty everywhere alike, sections last a multiple of four bars, and none is tiny."""
    lines = divide(np.full(65, 0.5), 2.0, bars_are_real=True)
    assert lines[0] == 0
    assert lines[-1] == 64
    assert set(np.diff(lines) % 4) == {0}


@pytest.mark.parametrize(
    ("index", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (702, "AAA")]
)
def test_labels_go_on_beyond_z(index: int, name: str) -> None:
    """After Z comes AA."""
    assert label_name(index) == name


def made(labels: str, seconds: float = 16.0) -> list[Section]:
    """Sections of equal length with these labels."""
    seen: dict[str, int] = {}
    sections = []
    for index, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        start_s = index * seconds
        sections.append(Section(start_s, start_s + seconds, label, seen[label], 1.0, 1.0))
    return sections


def test_the_chorus_is_what_returns_with_most_energy() -> None:
    """Verse and chorus are told apart by energy, the bridge stands between choruses."""
    energies = [0.2, 0.5, 0.9, 0.5, 0.9, 0.6, 0.95, 0.2]
    names = [g.function for g in guess_functions(made("ABCBCDCE"), energies)]
    assert names == [
        Function.INTRO,
        Function.VERSE,
        Function.CHORUS,
        Function.VERSE,
        Function.CHORUS,
        Function.BRIDGE,
        Function.CHORUS,
        Function.OUTRO,
    ]


def test_voices_tell_a_solo_from_a_bridge() -> None:
    """What is heard once between choruses is a solo if the song is sung and it is not, and a bridge
    if it is sung."""
    sections = made("ABCBCDCE")
    energies = [0.2, 0.5, 0.9, 0.5, 0.9, 0.7, 0.95, 0.2]
    choruses_and_verses = [(s.start_s, s.end_s, 0.9) for s in sections if s.label in "BC"]
    unsung = guess_functions(sections, energies, choruses_and_verses)
    assert unsung[5].function is Function.SOLO
    everything = [(sections[1].start_s, sections[-1].end_s, 0.9)]
    assert guess_functions(sections, energies, everything)[5].function is Function.BRIDGE


def test_variations_count_as_their_letter() -> None:
    """A chorus that is varied is still the chorus."""
    sections = [
        replace(section, label="C'") if index == 6 else section
        for index, section in enumerate(made("ABCBCDCE"))
    ]
    energies = [0.2, 0.5, 0.9, 0.5, 0.9, 0.6, 0.95, 0.2]
    assert guess_functions(sections, energies)[6].function is Function.CHORUS


def test_guesses_are_modest_without_repetition() -> None:
    """Where nothing returns, there is no chorus, and no guess between the ends is confident."""
    guesses = guess_functions(made("ABCDEF"), [0.3, 0.5, 0.6, 0.7, 0.6, 0.3])
    assert all(g.function is not Function.CHORUS for g in guesses)
    assert all(g.confidence <= 0.5 for g in guesses[1:-1])


def test_silence_is_called_silence() -> None:
    """A section without energy is silence, and a lone section is not guessed at."""
    assert guess_functions(made("AB"), [0.5, 0.0])[1].function is Function.SILENCE
    assert guess_functions(made("A"), [0.5])[0].confidence == 0
