"""What was heard in a song, in as many lines as there are facts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from google.protobuf import json_format

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight.common.v1.common_pb2 import Evidence
from soundsight_cli import naming
from soundsight_cli.display import duration, printable

WIDTH = 100
"""Columns of running text."""

TAGS_OF_GROUP, TAGS_OF_SECTION = 4, 3
MOST_EVENTS, MOST_CHANGES = 12, 6
LYRIC_LINES = 3

Row = tuple[str, str]
"""A label, empty where the one above goes on, and what it labels."""


def summary(document: bytes, notes: Iterable[str] = ()) -> str:
    """Returns the main facts of an analysis document (protobuf JSON), each with its confidence.

    Args:
        document: the analysis.
        notes: what a user should know beside the analysis' own warnings.
    """
    song = json_format.Parse(document, a.SongAnalysis())
    rows = [row for part in _PARTS for row in part(song)]
    width = max(len(label) for label, _ in rows)
    lines = [f"{label:<{width}}  {printable(value)}".rstrip() for label, value in rows]
    lines += _sections(song)
    lines += [f"note: {printable(note)}" for note in dict.fromkeys([*song.warnings, *notes])]
    return "\n".join(lines)


def _length(song: a.SongAnalysis) -> Iterator[Row]:
    yield "length", duration(song.audio.duration_s)
    named = " – ".join(filter(None, (song.metadata.title, song.metadata.artist)))
    if named:
        yield "title", named


def _rhythm(song: a.SongAnalysis) -> Iterator[Row]:
    rhythm = song.rhythm
    if not song.HasField("rhythm"):
        return
    if not rhythm.tempo_bpm:
        yield "tempo", "no pulse found"
        return
    tempo = f"{rhythm.tempo_bpm:.1f} BPM {_sure(rhythm.tempo_evidence)}"
    others = ", ".join(f"{one.tempo_bpm:.1f}" for one in rhythm.alternatives[:2])
    yield "tempo", tempo + (f"; perhaps {others}" if others else "")
    if changes := naming.tempo_changes(rhythm.tempo_curve)[1:]:
        told = [f"{point.tempo_bpm:.1f} from {naming.clock(point.start_s)}" for point in changes]
        yield "", "then " + _few(told, MOST_CHANGES)
    if rhythm.metres:
        first, *others_ = rhythm.metres
        supposed = naming.assumed(first.evidence)
        told = [f"{naming.metre(first)} {supposed or _sure(first.evidence)}"]
        told += [f"{naming.metre(one)} from {naming.clock(one.start_s)}" for one in others_]
        yield "metre", _few(told, MOST_CHANGES)
    bars = sum(beat.position == 1 for beat in rhythm.beats)
    if rhythm.beats:
        yield "beats", f"{len(rhythm.beats)} in {bars} bars {_sure(rhythm.beats_evidence)}"


def _harmony(song: a.SongAnalysis) -> Iterator[Row]:
    if song.harmony.keys:
        first, *others = song.harmony.keys
        told = [f"{naming.key(first)} {_sure(first.evidence)}"]
        told += [f"{naming.key(one)} from {naming.clock(one.start_s)}" for one in others]
        yield "key", _few(told, MOST_CHANGES)
    shares = naming.chord_shares(song.harmony.chords)
    if shares:
        told = [f"{naming.chord(label)} {share:.0%}" for label, share in shares[:6]]
        yield "chords", ", ".join(told)


def _dynamics(song: a.SongAnalysis) -> Iterator[Row]:
    dynamics = song.dynamics
    if not song.HasField("dynamics"):
        return
    spread = f"range {dynamics.loudness_range_lu:.1f} LU"
    peak = f"true peak {naming.level(dynamics.true_peak_dbtp)} dBTP"
    yield "loudness", f"{naming.level(dynamics.integrated_lufs)} LUFS, {spread}, {peak}"
    events = [
        f"{naming.EVENTS.get(event.kind, 'event')} at {naming.clock(event.time_s)}"
        for event in dynamics.events
    ]
    if events:
        yield "events", _few(events, MOST_EVENTS)


def _emotion(song: a.SongAnalysis) -> Iterator[Row]:
    if not song.HasField("emotion"):
        return
    mood = song.emotion.overall
    valence = f"valence {naming.signed(mood.valence)} {_sure(mood.valence_evidence)}"
    arousal = f"arousal {naming.signed(mood.arousal)} {_sure(mood.arousal_evidence)}"
    yield "feeling", f"{naming.feeling(mood.valence, mood.arousal)}: {valence}, {arousal}"


def _voice(song: a.SongAnalysis) -> Iterator[Row]:
    voice = song.voice
    if song.HasField("voice"):
        sure = _sure(voice.instrumental_evidence)
        if voice.instrumental:
            yield "voice", f"none, instrumental {sure}"
        else:
            sung_s = sum(span.end_s - span.start_s for span in voice.spans)
            kind = naming.register(voice) or "sung"
            yield "voice", f"{kind} for {duration(sung_s)} {sure}"
    leading = naming.instruments(song.instruments)
    if leading:
        told = [f"{name} {duration(seconds)}" for name, seconds in list(leading.items())[:5]]
        yield "leading", ", ".join(told)


def _tags(song: a.SongAnalysis) -> Iterator[Row]:
    for group, tags in naming.by_group(song.tags).items():
        yield group, ", ".join(f"{tag.label} {tag.score:.2f}" for tag in tags[:TAGS_OF_GROUP])


def _lyrics(song: a.SongAnalysis) -> Iterator[Row]:
    lines = [line for line in song.lyrics.lines if line.text.strip()]
    if not lines:
        return
    language = f" in {song.lyrics.language}" if song.lyrics.language else ""
    yield "lyrics", f"{len(lines)} lines{language} {_sure(song.lyrics.evidence)}"
    for line in lines[:LYRIC_LINES]:
        yield "", f"{naming.clock(line.start_s)}  {line.text.strip()}"
    if len(lines) > LYRIC_LINES:
        yield "", "…"


def _concept(song: a.SongAnalysis) -> Iterator[Row]:
    if song.concept.summary:
        first, *others = textwrap.wrap(printable(" ".join(song.concept.summary.split())), WIDTH)
        yield "concept", first
        yield from (("", line) for line in others)


_PARTS = (_length, _rhythm, _harmony, _dynamics, _emotion, _voice, _tags, _lyrics, _concept)


def _sections(song: a.SongAnalysis) -> list[str]:
    if not song.sections:
        return []
    lines = [f"{len(song.sections)} sections" if len(song.sections) > 1 else "1 section"]
    for section in song.sections:
        function = naming.function(section)
        if function:
            function += f" {section.function_evidence.confidence:.2f}"
        start, end = (
            naming.clock(moment, decimals=2) for moment in (section.start_s, section.end_s)
        )
        tags = ", ".join(dict.fromkeys(tag.label for tag in _best(section.tags)))
        line = f"  {start:>8} - {end:>8}  {printable(section.label):<2}  {function:<15}  "
        lines.append(f"{line}energy {section.energy:.2f}  {printable(tags)}".rstrip())
    return lines


def _best(tags: Iterable[a.Tag]) -> list[a.Tag]:
    one_each = [best[0] for best in naming.by_group(tags).values()]
    return sorted(one_each, key=lambda tag: -tag.score)[:TAGS_OF_SECTION]


def _sure(evidence: Evidence) -> str:
    return f"({evidence.confidence:.2f})"


def _few(texts: Sequence[str], most: int) -> str:
    more = f", and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
