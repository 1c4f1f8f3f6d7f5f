"""What is true of the whole song, as a row of facts: each with how sure it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight_cli import naming

LONGEST_FORM = 26
"""Characters of a form that still read as one."""


@dataclass(frozen=True)
class Fact:
    """A fact in a few words."""

    name: str
    value: str
    confidence: float | None = None
    """0 to 1; None where that is no question."""
    note: str = ""


def facts(song: a.SongAnalysis) -> Iterator[Fact]:
    """Yields the facts of a song, the most asked for first; what is not known is left out."""
    if song.HasField("rhythm"):
        yield from _rhythm(song.rhythm)
    if song.harmony.keys:
        first, *others = song.harmony.keys
        note = _more(len(others), "change")
        yield Fact("key", naming.key(first), first.evidence.confidence, note)
    if song.HasField("dynamics"):
        dynamics = song.dynamics
        if dynamics.true_peak_dbtp or dynamics.integrated_lufs:
            loudness = f"{naming.level(dynamics.integrated_lufs)} LUFS"
            peak = f"peak {naming.level(dynamics.true_peak_dbtp)} dBTP"
            note = f"range {dynamics.loudness_range_lu:.1f} LU, {peak}"
            yield Fact("loudness", loudness, None, note)
    if song.HasField("emotion"):
        mood = song.emotion.overall
        sure = (mood.valence_evidence.confidence + mood.arousal_evidence.confidence) / 2
        note = f"valence {naming.signed(mood.valence)}, arousal {naming.signed(mood.arousal)}"
        yield Fact("feeling", naming.feeling(mood.valence, mood.arousal), sure, note)
    if song.HasField("voice"):
        yield _voice(song.voice)
    if song.sections:
        yield Fact("form", form(song), None, _more(len(song.sections), "section"))


def form(song: a.SongAnalysis) -> str:
    """Returns the labels of the sections in order, such as `A B A C`; a long one is cut."""
    words = ""
    for section in song.sections:
        longer = f"{words} {section.label[:LONGEST_FORM]}".strip()
        if len(longer) > LONGEST_FORM:
            return f"{words} …"
        words = longer
    return words


def _rhythm(rhythm: a.Rhythm) -> Iterator[Fact]:
    if not rhythm.tempo_bpm:
        yield Fact("tempo", "no pulse")
        return
    changes = naming.tempo_changes(rhythm.tempo_curve)
    others = " or ".join(f"{one.tempo_bpm:.0f}" for one in rhythm.alternatives[:2])
    note = f"or {others}" if others else ""
    if len(changes) > 1:
        tempi = [point.tempo_bpm for point in rhythm.tempo_curve]
        note = f"{min(tempi):.0f} to {max(tempi):.0f}"
    tempo = f"{rhythm.tempo_bpm:.1f} BPM"
    yield Fact("tempo", tempo, rhythm.tempo_evidence.confidence, note)
    if rhythm.metres:
        first, *others_ = rhythm.metres
        note = naming.assumed(first.evidence) or _more(len(others_), "change")
        yield Fact("metre", naming.metre(first), first.evidence.confidence, note)
    if rhythm.beats:
        yield Fact("beats", str(len(rhythm.beats)), rhythm.beats_evidence.confidence)


def _voice(voice: a.Voice) -> Fact:
    if voice.instrumental:
        return Fact("voice", "instrumental", voice.instrumental_evidence.confidence)
    sung_s = sum(span.end_s - span.start_s for span in voice.spans)
    note = f"for {naming.clock(sung_s)}" if sung_s else ""
    kind = naming.register(voice) or "sung"
    return Fact("voice", kind, voice.instrumental_evidence.confidence, note)


def _more(number: int, what: str) -> str:
    if not number:
        return ""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
