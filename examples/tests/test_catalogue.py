"""The catalogue covers what it says, and what its songs' truth says is what sounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from songsmith import (
    SAMPLE_RATE_HZ,
    TIMBRES,
    Feel,
    Finish,
    Key,
    KeyMark,
    Song,
    TempoMark,
    compose,
    render,
    truth_of,
)
from songsmith.catalogue import HARD, LONGEST_S, STANDARD, Entry, drifting, played
from songsmith.files import read_mono, through_mp3
from songsmith.mastering import loudness_lufs
from songsmith.theory import PITCH_NAMES

SHORT_FORM = (("verse", 2), ("chorus", 2), ("outro", 1))
DRUMLESS = {"hall", "salon"}
NEW_BANDS = ("anvil", "club", "forge", "garage", "quarry", "tempest")

Floats = NDArray[np.float64]
everything = pytest.mark.parametrize("entry", STANDARD + HARD, ids=lambda entry: entry.name)


def mono(song: Song) -> Floats:
    """A song played; shape (n,) around full scale 1."""
    return np.asarray(render(song).mean(axis=1) / 32768.0)


def sharpest_rises_s(signal: Floats, near_s: Floats, reach_s: float) -> Floats:
    """Where, within reach of each time, the energy of 4 ms most exceeds that of 4 ms before."""
    width, reach = round(0.004 * SAMPLE_RATE_HZ), round(reach_s * SAMPLE_RATE_HZ)
    # The difference of neighbours whitens the signal: strokes stand out over sustained notes.
    energy = np.convolve(np.diff(signal, prepend=0.0) ** 2, np.ones(width))[width - 1 :]
    rises_s = []
    for centre in np.rint(near_s * SAMPLE_RATE_HZ).astype(int):
        at = np.arange(max(width, centre - reach), centre + reach)
        rise = np.log((energy[at] + 1e-7) / (energy[at - width] + 1e-7))
        rises_s.append(at[rise.argmax()] / SAMPLE_RATE_HZ)
    return np.asarray(rises_s)


def bpm_of(entry: Entry) -> float:
    return 60.0 / float(np.median(np.diff(entry.truth.beats_s)))


def test_the_standard_set_covers_what_music_is_made_of() -> None:
    """At least 24 songs: tempi from 60 to 200 without a gap, three metres, every tonic in some
    mode and both modes, many forms and bands, changes of tempo and of key."""
    assert len(STANDARD) >= 24
    tempi = sorted(entry.song.tempi[0].bpm for entry in STANDARD)
    assert (tempi[0], tempi[-1]) == (60, 200)
    assert max(after - before for before, after in pairwise(tempi)) <= 10
    metres = [entry.truth.metre for entry in STANDARD]
    assert all(metres.count(metre) >= 4 for metre in ("3/4", "4/4", "6/8"))
    assert {entry.song.key.tonic for entry in STANDARD} == set(PITCH_NAMES)
    modes = [entry.song.key.mode for entry in STANDARD]
    assert min(modes.count("major"), modes.count("minor")) >= len(STANDARD) // 3
    assert len({tuple(s.function for s in entry.truth.sections) for entry in STANDARD}) >= 6
    assert len({entry.song.parts[0].instrument for entry in STANDARD}) >= 2
    assert sum(len(entry.song.tempi) == 2 for entry in STANDARD) >= 2
    assert sum(bool(entry.song.later_keys) for entry in STANDARD) >= 3


def test_the_hard_set_has_each_hardship() -> None:
    """At least 12 songs: each hardship twice or more, and some of them together."""
    assert len(HARD) >= 12
    swing = [entry for entry in HARD if entry.song.feel.swing > 0.6]
    drift = [entry for entry in HARD if len(entry.song.tempi) > 20]
    loud = [entry for entry in HARD if entry.song.finish.drive_db >= 12]
    feet = [
        entry
        for entry in HARD
        if any(hit.drum == "beater_kick" for hit in entry.song.hits) and 165 < bpm_of(entry) < 195
    ]
    drumless = [entry for entry in HARD if not entry.song.hits]
    lossy = [entry for entry in HARD if entry.mp3_kbps == 64]
    hardships = (swing, drift, loud, feet, drumless, lossy)
    assert all(len(songs) >= 2 for songs in hardships)
    assert {entry.name for songs in hardships for entry in songs} == {e.name for e in HARD}
    assert sum(entry in swing + loud + feet + drumless for entry in drift + lossy) >= 4
    assert all(entry.song.feel.jitter_s > 0 for entry in HARD)


def test_names_and_sounds_are_told_apart() -> None:
    """No two songs share a name or a digest, and the encoding is part of it."""
    entries = STANDARD + HARD
    assert len({entry.name for entry in entries}) == len(entries)
    assert len({entry.digest for entry in entries}) == len(entries)
    assert replace(STANDARD[0], mp3_kbps=64).digest != STANDARD[0].digest


@everything
def test_truth_is_consistent(entry: Entry) -> None:
    """Every song lasts 60 to 110 s; its sections begin on downbeats, its chords on beats, its bars
    have the metre's beats, and its tempo is the one that is written."""
    truth = entry.truth
    assert 60 <= truth.duration_s <= LONGEST_S + 3 <= 112
    per_bar = {"3/4": 3, "4/4": 4, "6/8": 2}[truth.metre]
    assert truth.downbeats_s == truth.beats_s[::per_bar]
    assert {section.start_s for section in truth.sections[1:]} <= set(truth.downbeats_s)
    assert {chord.start_s for chord in truth.chords} <= set(truth.beats_s)
    assert bpm_of(entry) == pytest.approx(entry.song.tempi[0].bpm, rel=0.16)
    assert all(section.end_s - section.start_s > 4.0 for section in truth.sections)


def test_a_drifting_tempo_wanders_slowly() -> None:
    """It stays within 6 %, moves by some per cent in all, and never by 3 % from bar to bar."""
    for seed in range(5):
        bpms = np.array([mark.bpm for mark in drifting(120.0, 60, seed)])
        assert np.abs(bpms / 120.0 - 1.0).max() <= 0.0601
        assert np.ptp(bpms) > 0.03 * 120.0
        assert np.abs(np.diff(np.log(bpms))).max() < 0.03
    song = compose(1, tempo_bpm=120.0, form=SHORT_FORM, later_tempi=drifting(120.0, 5, 1))
    beats_s = np.array(truth_of(song).beats_s)
    bars_s = np.diff(beats_s[::4])
    written = [240.0 / mark.bpm for mark in song.tempi][: len(bars_s)]
    assert bars_s == pytest.approx(written, abs=2 / SAMPLE_RATE_HZ)


@pytest.mark.parametrize("timbre", NEW_BANDS)
def test_strokes_fall_on_the_beats(timbre: str) -> None:
    """In every band with a drummer of its own, played by people in a drifting tempo, nine tenths of
    the beats are within 10 ms of the sharpest rise."""
    song = compose(
        3,
        tempo_bpm=171.0,
        form=SHORT_FORM,
        timbre=timbre,
        later_tempi=drifting(171.0, 5, 2),
        lead_in_s=0.2,
        feel=Feel(jitter_s=0.003),
    )
    truth = truth_of(song)
    beats_s = np.array([beat_s for beat_s in truth.beats_s if beat_s < truth.sections[-1].start_s])
    late_s = sharpest_rises_s(mono(song), beats_s, reach_s=0.03) - beats_s
    assert np.mean(np.abs(late_s) < 0.010) >= 0.9
    assert abs(np.median(late_s)) < 0.004


def test_swing_moves_what_lies_between_the_beats() -> None:
    """With a swing of 2/3 the second eighth of a beat sounds at its last third, the beat where it
    was."""
    straight = compose(4, tempo_bpm=100.0, form=SHORT_FORM, timbre="garage")
    swung = replace(straight, feel=Feel(swing=2 / 3))
    assert truth_of(swung) == truth_of(straight)
    verse_s = np.array(truth_of(swung).beats_s[:8])
    for song, share in ((straight, 0.5), (swung, 2 / 3)):
        between_s = verse_s + share * 0.6
        late_s = sharpest_rises_s(mono(song), between_s, reach_s=0.03) - between_s
        assert np.mean(np.abs(late_s) < 0.005) >= 0.75


def test_the_last_chorus_is_lifted() -> None:
    """From a key mark on, the same chords sound higher; labels and the home key stay."""
    form = (("verse", 4), ("chorus", 4), ("verse", 4), ("chorus", 4), ("outro", 2))
    home = Key("G", "minor")
    plain = truth_of(compose(5, form=form, key=home))
    lifted = truth_of(compose(5, form=form, key=home, later_keys=[KeyMark(12, Key("A", "minor"))]))
    assert lifted.key == home
    assert [(span.key.tonic, span.start_s) for span in lifted.keys] == [
        ("G", 0.0),
        ("A", plain.sections[3].start_s),
    ]
    assert lifted.sections == plain.sections
    for before, after in zip(plain.chords, lifted.chords, strict=True):
        root, changed = (span.label.split(":")[0] for span in (before, after))
        moved = (PITCH_NAMES.index(changed) - PITCH_NAMES.index(root)) % 12
        assert moved == (2 if before.start_s >= plain.sections[3].start_s else 0)


def test_mp3_loses_the_heights_and_no_time() -> None:
    """At 64 kbit/s hardly anything is left above 15 kHz, and the song is where it was, to the
    sample."""
    samples = render(compose(6, form=SHORT_FORM, timbre="garage"))
    lossy = through_mp3(samples, 64)
    assert lossy.shape == samples.shape
    assert lossy.dtype == np.int16
    before, after = (values.mean(axis=1) for values in (samples, lossy))
    length = 1 << 20
    likeness = np.fft.irfft(np.fft.rfft(after, length) * np.conj(np.fft.rfft(before, length)))
    assert likeness.argmax() == 0
    high = round(15_000 / (SAMPLE_RATE_HZ / 2) * (length // 2))
    spectra = [np.abs(np.fft.rfft(values, length)[high:]) ** 2 for values in (before, after)]
    assert spectra[1].sum() < 0.05 * spectra[0].sum()


def test_drive_squeezes_and_loudness_is_kept() -> None:
    """A driven mix has less between its peaks and its mean, and is as loud as asked."""
    song = compose(7, form=SHORT_FORM, timbre="garage")
    plain = render(song) / np.float32(32768.0)
    driven = render(replace(song, finish=Finish(drive_db=14.0, loudness_lufs=-9.0)))
    loud = driven / np.float32(32768.0)
    crest = [np.abs(values).max() / np.sqrt((values**2).mean()) for values in (plain, loud)]
    assert crest[1] < 0.75 * crest[0]
    assert loudness_lufs(loud.astype(np.float32)) == pytest.approx(-9.0, abs=0.7)


def test_a_song_is_rendered_once(tmp_path: Path) -> None:
    """The second time the file is there already; samples are mono, as many as the truth says."""
    entry = Entry("short", compose(8, form=SHORT_FORM, timbre="hall"))
    [first] = played([entry], tmp_path)
    written_ns = first.path.stat().st_mtime_ns
    [second] = played([entry], tmp_path)
    assert second.path.stat().st_mtime_ns == written_ns
    assert [path.suffix for path in tmp_path.iterdir()] == [".flac"]
    assert first.samples.shape == (entry.truth.samples,)
    assert first.samples.dtype == np.float32
    np.testing.assert_array_equal(read_mono(first.path), second.samples)


def test_bands_without_drums_strike_none() -> None:
    """Where nobody drums there are no strokes, and in every other band there are."""
    for timbre in TIMBRES:
        song = compose(9, form=SHORT_FORM, timbre=timbre)
        assert bool(song.hits) == (timbre not in DRUMLESS)
        assert all(part.notes == () or part.instrument for part in song.parts)


def test_impossible_performances_are_refused() -> None:
    """A key change to another mode, swing where beats divide into three, wild jitter."""
    with pytest.raises(ValueError, match="mode"):
        compose(0, key=Key("C", "major"), later_keys=[KeyMark(4, Key("D", "minor"))])
    with pytest.raises(ValueError, match="swing"):
        compose(0, metre="6/8", feel=Feel(swing=0.6))
    with pytest.raises(ValueError, match="jitter"):
        Feel(jitter_s=0.1)
    with pytest.raises(ValueError, match="order"):
        compose(0, later_tempi=[TempoMark(2, 90.0), TempoMark(2, 95.0)])
