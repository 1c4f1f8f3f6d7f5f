"""The example song is what its truth says, and so are the songs invented beside it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import cycle, pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest

from songsmith import (
    SAMPLE_RATE_HZ,
    Chord,
    Key,
    Metre,
    TempoMark,
    Truth,
    compose,
    first_light,
    render,
    truth_of,
)
from songsmith.files import write_song
from songsmith.material import MelodyNote, parse_melody
from songsmith.score import ChordSpan, SectionSpan
from songsmith.theory import PITCH_NAMES, chord_in_key
from songsmith.timbres import COMMON

SCRIPT = Path(__file__).parents[1] / "examples" / "make_example_song.py"
SHORT_FORM = (("intro", 2), ("chorus", 2), ("outro", 1))

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def samples() -> Samples:
    """The example song, shape (samples, 2)."""
    return render(first_light())


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_of(first_light())


def mono(samples: Samples) -> Floats:
    """Both channels together around full scale 1, shape (samples,)."""
    return np.asarray(samples.mean(axis=1) / 32768.0)


def part(samples: Samples, start_s: float, end_s: float) -> Floats:
    return mono(samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)])


def level_db(signal: Floats) -> float:
    return float(10 * np.log10(np.mean(signal**2)))


def sharpest_rise_s(signal: Floats, near_s: float, reach_s: float = 0.04) -> float:
    """Where, within reach of a time, the energy of 4 ms most exceeds that of the 4 ms before."""
    width = round(0.004 * SAMPLE_RATE_HZ)
    centre, reach = round(near_s * SAMPLE_RATE_HZ), round(reach_s * SAMPLE_RATE_HZ)
    first = centre - reach
    # The difference of neighbours whitens the signal: strokes stand out over sustained notes.
    excerpt = np.diff(signal[first - width - 1 : centre + reach + width]) ** 2
    energy = np.convolve(excerpt, np.ones(width), mode="valid")
    rises = np.log((energy[width:] + 1e-7) / (energy[:-width] + 1e-7))
    return float(first + int(np.argmax(rises))) / SAMPLE_RATE_HZ


def chroma(signal: Floats) -> Floats:
    """Energy in each of the twelve pitch classes from 110 to 1760 Hz, C first."""
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2
    hz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE_HZ)
    heard = (hz > 110) & (hz < 1760)
    classes = np.round(12 * np.log2(hz[heard] / 440) + 69).astype(int) % 12
    return np.bincount(classes, weights=power[heard], minlength=12).astype(np.float64)


def assert_consistent(truth: Truth) -> None:
    """Downbeats are beats, and sections and chords cover the song without gaps, on its beats."""
    assert truth.downbeats_s == truth.beats_s[:: truth.beats_per_bar]
    assert truth.duration_s == truth.samples / truth.sample_rate_hz
    kinds: list[tuple[Sequence[SectionSpan | ChordSpan], tuple[float, ...]]] = [
        (truth.sections, truth.downbeats_s),
        (truth.chords, truth.beats_s),
    ]
    for spans, starts in kinds:
        assert spans[-1].end_s == truth.duration_s
        assert all(before.end_s == after.start_s for before, after in pairwise(spans))
        assert {span.start_s for span in spans[1:]} <= set(starts)
    assert truth.sections[0].start_s == 0.0
    assert truth.chords[0].start_s == truth.beats_s[0]


def test_example_song_has_the_form_that_the_demo_needs(truth: Truth) -> None:
    """Intro, verse, chorus, verse, chorus and outro of four bars each, about 45 seconds in all."""
    functions = [section.function for section in truth.sections]
    assert functions == ["intro", "verse", "chorus", "verse", "chorus", "outro"]
    assert [section.label for section in truth.sections] == list("ABCBCD")
    assert len(truth.downbeats_s) == 24
    assert 43 < truth.duration_s < 48
    assert (truth.key, truth.tempo_bpm, truth.metre) == (Key("D", "major"), 126.0, "4/4")


def test_example_song_beats_are_even_to_the_sample(truth: Truth) -> None:
    """At 126 beats a minute a beat is exactly 21,000 samples, from the first sample on."""
    expected = tuple(index * 21_000 / SAMPLE_RATE_HZ for index in range(96))
    assert truth.beats_s == expected
    assert_consistent(truth)


def test_rendered_length_is_the_truth(samples: Samples, truth: Truth) -> None:
    """The samples are stereo, and exactly as many as the truth says."""
    assert samples.dtype == np.int16
    assert samples.shape == (truth.samples, 2)


def test_strokes_are_heard_on_the_beats(samples: Samples, truth: Truth) -> None:
    """From the first verse to the last chorus each beat is within 5 ms of the sharpest rise."""
    start_s, end_s = truth.sections[1].start_s, truth.sections[5].start_s
    groove = [beat_s for beat_s in truth.beats_s if start_s <= beat_s < end_s]
    signal = mono(samples)
    late_s = np.array([sharpest_rise_s(signal, beat_s) - beat_s for beat_s in groove])
    assert len(groove) == 64
    assert np.mean(np.abs(late_s) < 0.005) >= 0.98
    assert abs(np.median(late_s)) < 0.001


def test_nothing_clips(samples: Samples) -> None:
    """No sample comes within 1 dB of full scale, and there is no offset from zero."""
    assert np.abs(samples.astype(int)).max() < 32767 * 10 ** (-1 / 20)
    assert np.abs(mono(samples).mean()) < 1e-3


def test_sections_differ_in_energy(samples: Samples, truth: Truth) -> None:
    """Choruses are louder than verses, verses than the intro, which builds; the outro fades."""
    levels = [level_db(part(samples, s.start_s, s.end_s)) for s in truth.sections]
    intro, verse, chorus, second_verse, second_chorus, outro = levels
    assert min(chorus, second_chorus) > max(verse, second_verse) + 1.5
    assert min(verse, second_verse) > max(intro, outro) + 1.5
    bars_db = [
        level_db(part(samples, start_s, end_s)) for start_s, end_s in pairwise(truth.downbeats_s)
    ]
    assert bars_db[3] > bars_db[0] + 6
    assert bars_db[20] > bars_db[22] + 5
    assert level_db(part(samples, truth.duration_s - 0.05, truth.duration_s)) < -60


def test_chords_are_heard_where_they_are_written(samples: Samples, truth: Truth) -> None:
    """In every chord's span its own pitch classes sound more than the five others of the scale."""
    song = first_light()
    for span, timed in zip(truth.chords, song.chords, strict=True):
        energy = chroma(part(samples, span.start_s, span.end_s))
        inside = set(timed.chord.pitch_classes)
        outside = song.key.pitch_classes() - inside
        assert np.mean(energy[list(inside)]) > 1.5 * np.mean(energy[list(outside)]), span


def test_melodies_and_chords_keep_to_the_key(samples: Samples) -> None:
    """Nine tenths of the sound between 110 and 1760 Hz lie in D major's seven pitch classes."""
    energy = chroma(mono(samples))
    scale = list(first_light().key.pitch_classes())
    assert energy[scale].sum() > 0.9 * energy.sum()


def test_script_writes_a_tagged_flac_and_its_truth(
    tmp_path: Path, samples: Samples, truth: Truth
) -> None:
    """The FLAC holds the rendered samples and tags, the JSON the truth, as loud as music is."""
    subprocess.run([sys.executable, SCRIPT, "--out-dir", tmp_path], check=True, timeout=400)
    flac = tmp_path / "first-light.flac"
    assert flac.stat().st_size < 6_000_000
    with av.open(str(flac)) as container:
        stream = container.streams.audio[0]
        tags = {name.lower(): value for name, value in container.metadata.items()}
        blocks = [frame.to_ndarray().reshape(-1, 2) for frame in container.decode(stream)]
        assert (stream.format.name, stream.rate) == ("s16", SAMPLE_RATE_HZ)
    assert (tags["title"], tags["artist"]) == ("First Light", "Soundsight")
    np.testing.assert_array_equal(np.concatenate(blocks), samples)

    written = json.loads((tmp_path / "first-light.json").read_text())
    assert written["beats_s"] == list(truth.beats_s)
    assert written["key"] == {"tonic": "D", "mode": "major"}
    assert written["sections"][1] == {
        "start_s": truth.sections[1].start_s,
        "end_s": truth.sections[1].end_s,
        "label": "B",
        "function": "verse",
    }

    # ffmpeg's measure of EBU R128, not our own, by which the song was brought there.
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    measured = subprocess.run(
        [ffmpeg, "-nostdin", "-i", flac, "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
        timeout=400,
    ).stderr
    summary = measured[measured.rindex("Summary:") :]
    loudness = re.search(r"I:\s+(-?[\d.]+) LUFS", summary)
    true_peak = re.search(r"Peak:\s+(-?[\d.]+) dBFS", summary)
    assert loudness is not None and abs(float(loudness[1]) + 14.0) < 0.3
    assert true_peak is not None and float(true_peak[1]) < -1.0


def test_same_song_gives_the_same_files(tmp_path: Path) -> None:
    """The same seed gives the same bytes, another seed another song."""
    first, second, other = (
        [path.read_bytes() for path in write_song(compose(seed, form=SHORT_FORM), tmp_path, name)]
        for name, seed in (("first", 3), ("second", 3), ("other", 4))
    )
    assert first == second
    assert first[0] != other[0]


@pytest.mark.parametrize(
    ("metre", "timbre"), list(zip(("2/4", "3/4", "4/4", "6/8"), cycle(COMMON)))
)
def test_invented_songs_are_what_their_truth_says(metre: str, timbre: str) -> None:
    """In every metre and timbre a song is as long as its truth, unclipped, its strokes on beats."""
    song = compose(1, tempo_bpm=97.0, metre=metre, form=SHORT_FORM, timbre=timbre, lead_in_s=0.3)
    truth = truth_of(song)
    samples = render(song)
    assert_consistent(truth)
    assert truth.beats_per_bar == {"2/4": 2, "3/4": 3, "4/4": 4, "6/8": 2}[metre]
    assert samples.shape == (truth.samples, 2)
    assert np.abs(samples.astype(int)).max() < 32767 * 10 ** (-1 / 20)
    full = truth.sections[1]
    beats_s = [beat_s for beat_s in truth.beats_s if full.start_s <= beat_s < full.end_s]
    signal = mono(samples)
    late_s = [sharpest_rise_s(signal, beat_s) - beat_s for beat_s in beats_s]
    assert np.mean(np.abs(late_s) < 0.005) >= 0.9


@pytest.mark.parametrize("seed", range(12))
def test_inventions_end_at_home_and_keep_repetitions_alike(seed: int) -> None:
    """The last chord is the tonic's, and sections of one label have the same chords."""
    song = compose(seed)
    truth = truth_of(song)
    assert_consistent(truth)
    assert truth.chords[-1].label.split(":")[0] == song.key.tonic
    heard: dict[str, list[str]] = {}
    for section in truth.sections:
        labels = [
            chord.label
            for chord in truth.chords
            if section.start_s <= chord.start_s < section.end_s
        ]
        assert heard.setdefault(section.label, labels) == labels
    assert len({tuple(labels[:4]) for labels in heard.values()}) == len(heard)


def test_tempo_change_moves_the_beats_from_its_bar_on() -> None:
    """Beats are 0.5 s apart before the change and 0.4 s from its bar on."""
    form = (("verse", 2), ("chorus", 2))
    song = compose(0, tempo_bpm=120.0, form=form, later_tempi=[TempoMark(2, 150.0)])
    truth = truth_of(song)
    assert np.allclose(np.diff(truth.beats_s), [0.5] * 8 + [0.4] * 7, atol=1 / SAMPLE_RATE_HZ)
    assert [(span.start_s, span.bpm) for span in truth.tempi] == [(0.0, 120.0), (4.0, 150.0)]


def test_what_is_given_leaves_the_rest_as_the_seed_chose() -> None:
    """Giving a tempo changes neither the key nor the notes."""
    drawn, given = compose(5), compose(5, tempo_bpm=61.0)
    assert (drawn.key, drawn.chords, drawn.parts) == (given.key, given.chords, given.parts)
    assert drawn.tempi != given.tempi


@pytest.mark.parametrize(
    ("numeral", "label"),
    [
        ("I", "D:maj"),
        ("ii7", "E:min7"),
        ("IVmaj7", "G:maj7"),
        ("V/3", "A:maj/3"),
        ("vi/3", "B:min/b3"),
        ("Vsus4", "A:sus4"),
        ("viidim", "C#:dim"),
    ],
)
def test_numerals_name_chords_in_harte_syntax(numeral: str, label: str) -> None:
    """A roman numeral in D major is the chord that a musician would write."""
    assert chord_in_key(Key("D", "major"), numeral).label == label


def test_dominant_in_minor_has_the_leading_note() -> None:
    """V in A minor is E major, with G sharp."""
    chord = chord_in_key(Key("A", "minor"), "V")
    assert chord == Chord(PITCH_NAMES.index("E"), "maj")
    assert PITCH_NAMES.index("Ab") in chord.pitch_classes


def test_melodies_are_read_with_octaves_and_rests() -> None:
    """A rest moves on without a note; marks raise and lower by an octave of seven degrees."""
    assert parse_melody("3:6 -:2 5':4 7,:4") == (
        MelodyNote(0, 6, 3),
        MelodyNote(8, 4, 12),
        MelodyNote(12, 4, 0),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Metre.parse("5/4"),
        lambda: Key("H", "major"),
        lambda: chord_in_key(Key("C", "major"), "IX"),
        lambda: parse_melody("8:4"),
        lambda: compose(0, form=(("verse", 4), ("ending", 4))),
        lambda: compose(0, form=(("verse", 0),)),
        lambda: compose(0, tempo_bpm=-1.0),
        lambda: compose(0, later_tempi=[TempoMark(8, 100.0), TempoMark(4, 90.0)]),
        lambda: compose(0, timbre="kazoo"),
    ],
)
def test_impossible_descriptions_are_refused(wrong: Callable[[], object]) -> None:
    """What no song can be is a ValueError when it is described, not silence when it is played."""
    with pytest.raises(ValueError, match=r"."):
        wrong()
