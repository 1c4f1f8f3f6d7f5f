"""The picture of an analysis: whatever was heard, it can be drawn and read."""

from __future__ import annotations

import asyncio
import io
import math
import struct
import wave
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight.common.v1.common_pb2 import Evidence
from soundsight_cli.plotting.facts import facts, form
from soundsight_cli.plotting.lane import Stage, in_columns
from soundsight_cli.plotting.lettering import LAST_RESORT, OWN, Lettering, _characters
from soundsight_cli.plotting.look import chord_colour, section_colours
from soundsight_cli.plotting.pulse import CLOSEST_IN, joined, thinned
from soundsight_cli.plotting.sheet import MOST_TICKS, draw, encoded, time_step_s
from soundsight_cli.plotting.waveform import RATE_HZ, Waveform, outline, read_waveform

LINES = ("Oh the river runs away from here", "はじまりの光", "hold on", "$ x_{ \\frac")
FORM = (
    (a.SECTION_FUNCTION_INTRO, "A"),
    (a.SECTION_FUNCTION_VERSE, "B"),
    (a.SECTION_FUNCTION_PRE_CHORUS, "C"),
    (a.SECTION_FUNCTION_CHORUS, "D"),
    (a.SECTION_FUNCTION_VERSE, "B"),
    (a.SECTION_FUNCTION_CHORUS, "D"),
    (a.SECTION_FUNCTION_BREAK, "E"),
    (a.SECTION_FUNCTION_OUTRO, "A"),
)
EVENTS = (
    (a.MUSIC_EVENT_KIND_BUILD_UP, 0.2),
    (a.MUSIC_EVENT_KIND_DROP, 0.25),
    (a.MUSIC_EVENT_KIND_BREAK, 0.5),
    (a.MUSIC_EVENT_KIND_DROP, 0.505),
    (a.MUSIC_EVENT_KIND_DROP, 0.51),
    (a.MUSIC_EVENT_KIND_CLIMAX, 0.995),
)

on_any_machine = pytest.mark.filterwarnings("ignore:Glyph .* missing")
"""For tests that draw by themselves: not every machine has fonts of every script."""


def sure(confidence: float = 0.7) -> Evidence:
    return Evidence(confidence=confidence, source="test")


def song(duration_s: float = 240.0, bpm: float = 128.0) -> a.SongAnalysis:
    """An analysis with everything that the contract can hold."""
    heard = a.SongAnalysis(warnings=["the pulse is weak"])
    heard.audio.duration_s = duration_s
    heard.metadata.title, heard.metadata.artist = "夜に駆ける $x^2$", "Μουσική & مرحبا"
    _pulse(heard, duration_s, bpm)
    heard.dynamics.integrated_lufs, heard.dynamics.true_peak_dbtp = -9.3, -0.4
    shape = np.abs(np.sin(np.linspace(0, 12, max(2, min(50_000, int(duration_s * 50))))))
    for kind in a.CurveKind.values()[1:]:
        heard.dynamics.curves.add(kind=kind, hop_s=duration_s / len(shape), values=shape)
    for event, at in EVENTS:
        heard.dynamics.events.add(
            kind=event, time_s=at * duration_s, duration_s=duration_s / 20, evidence=sure()
        )
    _meaning(heard, duration_s)
    for number in range(24):
        start_s = duration_s * (0.05 + 0.9 * number / 24)
        heard.lyrics.lines.add(
            start_s=start_s, end_s=start_s + duration_s / 40, text=LINES[number % len(LINES)]
        )
    heard.concept.summary = "A courier crosses a flooded city at night. " * 6
    heard.origin.implementation = "by hand"
    return heard


def _pulse(heard: a.SongAnalysis, duration_s: float, bpm: float) -> None:
    rhythm = heard.rhythm
    rhythm.tempo_bpm = bpm
    for number in range(int(duration_s * bpm / 60)):
        rhythm.beats.add(time_s=number * 60 / bpm, position=number % 4 + 1, confidence=0.8)
    rhythm.metres.add(beats_per_bar=4, beat_unit=4, evidence=sure())
    rhythm.metres.add(start_s=duration_s * 0.6, beats_per_bar=6, beat_unit=8, evidence=sure())
    for at, tempo in ((0, bpm), (0.3, bpm * 1.1), (0.6, bpm * 0.8)):
        rhythm.tempo_curve.add(start_s=at * duration_s, tempo_bpm=tempo)
    heard.harmony.keys.add(tonic="F#", mode=a.MODE_MINOR, evidence=sure())
    heard.harmony.keys.add(start_s=duration_s * 0.7, tonic="G", mode=a.MODE_MAJOR)
    labels = ("F#:min", "D:maj", "N", "E:min7", "Bb:7", "F#:min/5", "not a chord")
    for number in range(int(max(3, duration_s / 2))):
        length_s = duration_s / max(3, int(duration_s / 2))
        heard.harmony.chords.add(
            start_s=number * length_s,
            end_s=(number + 1) * length_s,
            label=labels[number % len(labels)],
            evidence=sure(),
        )


def _meaning(heard: a.SongAnalysis, duration_s: float) -> None:
    words = (("genre", "indie pop"), ("mood", "melancholic"), ("instrument", "piano"), ("x", "y"))
    for number, (function, label) in enumerate(FORM):
        section = heard.sections.add(
            start_s=number * duration_s / len(FORM),
            end_s=(number + 1) * duration_s / len(FORM),
            label=label,
            function=function,
        )
        section.emotion.valence, section.emotion.arousal = number / 4 - 1, 1 - number / 4
        section.tags.extend(a.Tag(group=group, label=word, score=0.5) for group, word in words)
    heard.tags.extend(
        a.Tag(group=group, label=f"{word} {number}", score=number / 4)
        for group, word in words
        for number in range(4)
    )
    heard.emotion.overall.valence = -0.3
    heard.emotion.hop_s = duration_s / 50
    heard.emotion.valence.extend([0.1, -0.2, 0.4] * 17)
    heard.emotion.arousal.extend([-0.1, 0.2, -0.4] * 17)
    heard.voice.register = a.REGISTER_HIGH
    heard.voice.spans.add(start_s=duration_s * 0.1, end_s=duration_s * 0.4, probability=0.8)
    for number, name in enumerate(("piano", "electric guitar", "a very long name of one", "oboe")):
        start_s = duration_s * number / 6
        heard.instruments.add(start_s=start_s, end_s=start_s + duration_s / 5, instrument=name)


def sound(duration_s: float) -> Waveform:
    """A swelling tone."""
    moments = np.linspace(0, 1, max(4, min(200_000, int(duration_s * RATE_HZ))))
    tone = np.sin(moments * 5) * np.sin(moments * 9e4)
    drawn = outline(tone.astype(np.float32), 1400)
    return Waveform(duration_s, drawn.low, drawn.high, drawn.rms)


def drawn(heard: a.SongAnalysis, title: str = "song") -> Figure:
    """The figure, set and ready to be measured."""
    figure = draw(heard, sound(heard.audio.duration_s or 2.0), title)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    return figure


def texts(figure: Figure) -> list[Text]:
    """All that is written on a picture."""
    found = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip()]
    assert all(isinstance(one, Text) for one in found)
    return found


@on_any_machine
@pytest.mark.parametrize("duration_s", [1.0, 240.0, 7200.0])
def test_no_words_stand_on_each_other_or_beyond_the_edge(duration_s: float) -> None:
    """However long the song is and however much was heard, all that is written can be read."""
    figure = drawn(song(duration_s))
    boxes = [(one.get_text(), one.get_window_extent()) for one in texts(figure)]
    assert len(boxes) > 60
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
    overlapping = [
        (one, other)
        for (one, first), (other, second) in combinations(boxes, 2)
        if min(first.x1, second.x1) - max(first.x0, second.x0) > 1
        and min(first.y1, second.y1) - max(first.y0, second.y0) > 3
    ]
    assert overlapping == []


@on_any_machine
@pytest.mark.parametrize("part", [field.name for field in a.SongAnalysis.DESCRIPTOR.fields])
def test_one_part_alone_can_be_drawn(part: str) -> None:
    """Features that are switched off, or found nothing, leave their room to the one there is."""
    heard = song(20.0)
    for field, _ in heard.ListFields():
        if field.name != part:
            heard.ClearField(field.name)  # type: ignore[arg-type]
    assert drawn(heard).axes


@on_any_machine
@pytest.mark.parametrize(
    "take_away",
    [
        lambda s: s.Clear(),
        lambda s: s.ClearField("sections"),
        lambda s: [beat.ClearField("position") for beat in s.rhythm.beats],
        lambda s: [curve.ClearField("values") for curve in s.dynamics.curves],
        lambda s: [section.ClearField("tags") for section in s.sections],
    ],
)
def test_what_was_not_heard_is_not_missed(take_away: Callable[[a.SongAnalysis], object]) -> None:
    """Nor are the halves of a part that others do not have."""
    heard = song(5.0)
    take_away(heard)
    assert drawn(heard).axes


@pytest.mark.parametrize(
    "title", ["", "$", "$x_{", "\\frac{", "a\nb\x00\u202e", "x" * 10_000, "😀 𐎠 \ue000"]
)
def test_a_title_is_never_read_as_anything_else(title: str) -> None:
    """Formulas, line ends and characters that no font has are words like any other."""
    heard = a.SongAnalysis(warnings=[title])
    heard.sections.add(end_s=2.0, label=title)
    heard.harmony.chords.add(end_s=2.0, label=title)
    heard.lyrics.lines.add(end_s=1.0, text=title)
    heard.tags.add(group=title, label=title, score=2.0)
    heard.instruments.add(end_s=1.0, instrument=title)
    figure = draw(heard, sound(2.0), title)
    for ending in (".png", ".svg"):
        assert encoded(figure, ending)


def test_a_picture_is_a_picture() -> None:
    """PNG and SVG have the same shape, and the same analysis gives the same file."""
    heard = song(3.0)
    first, second = (draw(heard, sound(3.0), "song") for _ in range(2))
    png, svg = encoded(first, ".png"), encoded(first, ".svg")
    assert (encoded(second, ".png"), encoded(second, ".svg")) == (png, svg)
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (1920, 1080)
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width / height == pytest.approx(16 / 9)
    assert b"<text" not in svg  # Letters are drawn: no viewer needs the fonts.


def test_sections_that_sound_alike_look_alike() -> None:
    """A label has one colour, and the first ten labels have colours of their own; a variant takes
    none away from the next."""
    colours = section_colours(["A", "B", "A", *"CDEFGHIJ"])
    assert list(colours) == list("ABCDEFGHIJ")
    assert len(set(colours.values())) == 10
    varied = section_colours(["A", "A'", "B"])
    assert len(set(varied.values())) == 3
    assert varied["B"] == colours["B"]


def stage(duration_s: float) -> Stage:
    return Stage(Lettering([]), duration_s, 11.0, {})


@pytest.mark.parametrize("duration_s", [0.5, 60.0, 240.0, 7200.0, 36_000.0])
def test_ticks_never_run_into_a_block(duration_s: float) -> None:
    """Where there is no room for every beat some are left out, evenly, and no more than needed."""
    beats = np.arange(0, duration_s, 0.35)
    kept, every = thinned(beats, stage(duration_s))
    apart_in = 0.35 * every / duration_s * 11.0
    assert apart_in >= CLOSEST_IN or len(kept) < 2
    assert every == 1 or apart_in < 2 * CLOSEST_IN
    assert np.array_equal(kept, beats[::every])


def test_a_chord_that_goes_on_is_one_chord() -> None:
    """Neighbours of the same name are drawn and named as one."""
    chords = [
        a.Chord(start_s=0, end_s=1, label="C:maj", evidence=sure(0.2)),
        a.Chord(start_s=1, end_s=2, label="C:maj", evidence=sure(0.9)),
        a.Chord(start_s=2, end_s=3, label="A:min"),
        a.Chord(start_s=4, end_s=5, label="A:min"),
    ]
    runs = [(one.start_s, one.end_s, one.label) for one in joined(chords)]
    assert runs == [(0, 2, "C:maj"), (2, 3, "A:min"), (4, 5, "A:min")]
    assert joined(chords)[0].evidence.confidence == 0.9
    assert chords[0].end_s == 1


def test_chords_of_one_name_have_one_colour() -> None:
    """Flats are the sharps they sound as; what is no chord has the colour of nothing."""
    assert chord_colour("Bb:maj") == chord_colour("A#:maj") != chord_colour("A#:min")
    assert chord_colour("N") == chord_colour("not a chord") == chord_colour("")


@pytest.mark.parametrize("duration_s", [0.2, 1.0, 59.0, 200.0, 7200.0, 36_000.0])
def test_the_time_axis_has_a_few_round_marks(duration_s: float) -> None:
    """There are neither so many marks that they run together nor so few that they tell nothing."""
    assert 1 < duration_s / time_step_s(duration_s) <= MOST_TICKS


@on_any_machine
@pytest.mark.parametrize("text", ["word", "a line of several words", "はじまりの光", "WWWW iiii"])
@pytest.mark.parametrize("room_in", [0.0, 0.1, 0.5, 1.0, 5.0])
def test_a_text_takes_no_more_room_than_it_has(text: str, room_in: float) -> None:
    """What is too long is cut with an ellipsis; where nothing would be left, nothing stands."""
    lettering = Lettering([text])
    fitted = lettering.fitted(text, room_in, 9.0)
    assert not fitted or lettering.width_in(fitted, 9.0) <= room_in
    assert fitted in ("", text) or (fitted.endswith("…") and text.startswith(fitted[:-1]))
    for line in lettering.wrapped(text, room_in, 9.0, 2):
        assert not line or lettering.width_in(line, 9.0) <= room_in


def test_letters_come_from_a_font_that_has_them() -> None:
    """Any character that some font of this machine has is drawn with one that has it."""
    machine = [
        entry.fname
        for entry in font_manager.fontManager.ttflist
        if entry.style == "normal" and not entry.name.startswith(LAST_RESORT)
    ]
    for character in "夜अ한ⵣ":
        chosen = Lettering([character]).families
        assert chosen[0] == OWN
        if any(character in _characters(path) for path in machine):
            files = [
                entry.fname for entry in font_manager.fontManager.ttflist if entry.name in chosen
            ]
            assert any(character in _characters(path) for path in files), character


def test_an_outline_keeps_every_peak() -> None:
    """However narrow, the loudest sample is seen; silence is flat; there may be no sound at all."""
    samples = np.zeros(100_000, np.float32)
    samples[54_321], samples[7] = 0.9, -0.5
    found = outline(samples, 100)
    assert len(found.low) == len(found.high) == len(found.rms) == 100
    assert (found.high.max(), found.low.min()) == (np.float32(0.9), np.float32(-0.5))
    assert int(found.high.argmax()) == 54
    assert found.duration_s == pytest.approx(100_000 / RATE_HZ)
    assert (found.rms <= np.maximum(found.high, -found.low) + 1e-6).all()
    assert len(outline(samples[:3], 100).low) == 3
    assert outline(samples[:0], 100).high.tolist() == [0.0]


def test_the_outline_is_of_the_part_that_was_analysed(tmp_path: Path) -> None:
    """The first second is silent, the second is not: an excerpt shows one or the other."""
    path = tmp_path / "half.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        loud = (round(16_000 * math.sin(i / 3)) for i in range(8000))
        file.writeframes(bytes(16_000) + b"".join(struct.pack("<h", one) for one in loud))

    def loudest(start_s: float, end_s: float | None) -> tuple[float, float]:
        read = asyncio.run(read_waveform(path, 50, start_s=start_s, end_s=end_s))
        return read.duration_s, float(read.high.max())

    assert loudest(0, 0.9) == pytest.approx((0.9, 0.0), abs=0.01)
    assert loudest(1.0, None) == pytest.approx((1.0, 0.49), abs=0.02)
    assert loudest(0, None) == pytest.approx((2.0, 0.49), abs=0.02)


def test_a_curve_has_no_more_points_than_the_picture_shows() -> None:
    """Means stay where they were, whatever the curve's hop is."""
    values = np.repeat([0.0, 1.0], 25_000)
    moments, means = in_columns(values, 0.02, 1000.0)
    assert len(moments) == len(means) <= 1400
    assert moments[np.searchsorted(means, 0.5)] == pytest.approx(500.0, abs=1.0)
    assert all(first < second for first, second in pairwise(moments))
    assert [len(one) for one in in_columns(values[:0], 0.02, 1.0)] == [0, 0]


def test_facts_are_told_with_how_sure_they_are() -> None:
    """Tempo, metre and key have their confidence; a song without a pulse says so."""
    told = {fact.name: fact for fact in facts(song())}
    assert told["tempo"].value == "128.0 BPM"
    assert (told["metre"].value, told["metre"].confidence) == ("4/4", 0.7)
    assert (told["key"].value, told["key"].note) == ("F♯ minor", "1 change")
    assert told["loudness"].value == "−9.3 LUFS"
    assert told["form"].value == form(song()) == "A B C D B D E A"
    nothing = a.SongAnalysis()
    assert list(facts(nothing)) == []
    nothing.rhythm.SetInParent()
    assert [fact.value for fact in facts(nothing)] == ["no pulse"]
