"""What was heard in a song is told in a few lines, and only what was heard."""

from __future__ import annotations

from google.protobuf import json_format

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight.common.v1.common_pb2 import Evidence
from soundsight_cli import naming
from soundsight_cli.songsummary import MOST_EVENTS, summary


def told(song: a.SongAnalysis, *notes: str) -> str:
    return summary(json_format.MessageToJson(song).encode(), notes)


def sure(confidence: float) -> Evidence:
    return Evidence(confidence=confidence, source="test")


def test_each_fact_is_told_with_its_confidence() -> None:
    """Tempo, metre, key, chords, feeling, voice, tags and words stand in lines of their own."""
    song = a.SongAnalysis(warnings=["weak"])
    song.audio.duration_s = 75
    song.rhythm.tempo_bpm = 128.04
    song.rhythm.tempo_evidence.CopyFrom(sure(0.87))
    song.rhythm.alternatives.add(tempo_bpm=64)
    song.rhythm.beats.extend(a.Beat(position=n % 3 + 1) for n in range(6))
    song.rhythm.metres.add(beats_per_bar=3, beat_unit=4, evidence=Evidence(source="assumed"))
    for start_s, tempo in ((0, 128), (10, 129), (20, 140.2)):
        song.rhythm.tempo_curve.add(start_s=start_s, tempo_bpm=tempo)
    song.harmony.keys.add(tonic="F#", mode=a.MODE_MINOR, evidence=sure(0.6))
    song.harmony.keys.add(start_s=61, tonic="G", mode=a.MODE_MAJOR)
    song.harmony.chords.add(end_s=3, label="F#:min7")
    song.harmony.chords.add(start_s=3, end_s=4, label="D:maj")
    song.emotion.overall.valence, song.emotion.overall.arousal = -0.5, 0.5
    song.voice.register = a.REGISTER_HIGH
    song.voice.spans.add(end_s=30)
    song.instruments.add(end_s=20, instrument="piano")
    song.tags.add(group="mood", label="dark", score=0.2)
    song.tags.add(group="genre", label="rock", score=0.3)
    song.tags.add(group="genre", label="metal", score=0.4)
    song.tags.add(group="genre", label="rock", score=0.1)
    song.lyrics.language = "en"
    for number in range(5):
        song.lyrics.lines.add(start_s=number * 10, text=f"line {number}")
    song.concept.summary = "A courier\ncrosses a city."
    lines = told(song, "weak", "more").splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "length 1:15 min",
        "tempo 128.0 BPM (0.87); perhaps 64.0",
        "then 140.2 from 0:20",
        "metre 3/4 assumed",
        "beats 6 in 2 bars (0.00)",
        "key F♯ minor (0.60), G major from 1:01",
        "chords F♯m7 75%, D 25%",
        "feeling tense: valence −0.50 (0.00), arousal +0.50 (0.00)",
        "voice high voice for 30 s (0.00)",
        "leading piano 20 s",
        "genre metal 0.40, rock 0.30",
        "mood dark 0.20",
        "lyrics 5 lines in en (0.00)",
        "0:00 line 0",
        "0:10 line 1",
        "0:20 line 2",
        "…",
        "concept A courier crosses a city.",
        "note: weak",
        "note: more",
    ]


def test_sections_are_told_with_function_energy_and_tags() -> None:
    """A section has a line: when, which, what it does and how sure that is, how it sounds."""
    song = a.SongAnalysis()
    section = song.sections.add(
        start_s=7.5, end_s=67.25, label="A", function=a.SECTION_FUNCTION_PRE_CHORUS, energy=0.5
    )
    section.function_evidence.CopyFrom(sure(0.6))
    section.tags.extend(
        a.Tag(group=group, label=label, score=score)
        for group, label, score in (("x", "a", 0.1), ("x", "b", 0.2), ("y", "c", 0.3))
    )
    song.sections.add(start_s=67.25, end_s=70, label="B")
    *_, head, first, second = told(song).splitlines()
    assert head == "2 sections"
    assert first == "   0:07.50 -  1:07.25  A   pre-chorus 0.60  energy 0.50  c, b"
    assert second.split() == ["1:07.25", "-", "1:10.00", "B", "energy", "0.00"]


def test_what_was_not_heard_is_not_told() -> None:
    """An analysis of nothing has its length alone; one without a pulse or a voice says so."""
    assert told(a.SongAnalysis()) == "length  0 s"
    song = a.SongAnalysis()
    song.rhythm.SetInParent()
    song.voice.instrumental = True
    assert "tempo   no pulse found" in told(song)
    assert "voice   none, instrumental" in told(song)


def test_many_of_a_kind_are_counted() -> None:
    """A long list is cut, and how much was left out is said."""
    song = a.SongAnalysis()
    for number in range(MOST_EVENTS + 3):
        song.dynamics.events.add(kind=a.MUSIC_EVENT_KIND_DROP, time_s=number)
    [line] = [line for line in told(song).splitlines() if line.startswith("events")]
    assert line.count("drop at") == MOST_EVENTS
    assert line.endswith(", and 3 more")


def test_words_of_a_song_move_no_cursor() -> None:
    """What a file or a model says is printed as text, whatever is in it."""
    song = a.SongAnalysis()
    song.metadata.title = "\x1b[31mred"
    song.lyrics.lines.add(text="a\rb")
    song.concept.summary = "c\x1bd"
    song.sections.add(label="A").tags.add(label="e\x07f")
    song.warnings.append("g\x1bh")
    assert not any(ord(one) < 32 and one != "\n" for one in told(song))


def test_feelings_stand_where_russell_put_them() -> None:
    """Going round the circumplex each feeling is passed once; near its middle there is none."""
    assert naming.feeling(0.05, -0.05) == "neutral"
    assert [
        naming.feeling(valence, arousal)
        for valence, arousal in (
            (1, 0),
            (1, 1),
            (0, 1),
            (-1, 1),
            (-1, 0),
            (-1, -1),
            (0, -1),
            (1, -1),
        )
    ] == ["happy", "excited", "intense", "tense", "dark", "sad", "calm", "content"]


def test_chords_are_written_as_musicians_do() -> None:
    """Harte's notation becomes the usual signs; what is no chord becomes nothing."""
    written = {"C:maj": "C", "A:min": "Am", "F#:min7": "F♯m7", "G": "G", "Bb:maj/b3": "B♭/♭3"}
    assert {label: naming.chord(label) for label in written} == written
    assert naming.chord("N") == naming.chord("X") == naming.chord("") == ""
