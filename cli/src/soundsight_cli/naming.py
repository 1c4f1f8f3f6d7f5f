"""What is heard in a song, in a musician's words: keys, metres, chords, functions, moments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight.common.v1.common_pb2 import Evidence

GROUPS = ("genre", "style", "mood", "content", "instrument", "voice", "era", "other")
"""Groups of tags in the order in which people ask for them."""

EVENTS: Mapping[int, str] = {
    a.MUSIC_EVENT_KIND_DROP: "drop",
    a.MUSIC_EVENT_KIND_BUILD_UP: "build-up",
    a.MUSIC_EVENT_KIND_BREAK: "break",
    a.MUSIC_EVENT_KIND_CLIMAX: "climax",
}

_REGISTERS: Mapping[int, str] = {
    a.REGISTER_LOW: "low voice",
    a.REGISTER_HIGH: "high voice",
    a.REGISTER_UNPITCHED: "growl, scream or speech",
}
_MODES: Mapping[int, str] = {a.MODE_MAJOR: "major", a.MODE_MINOR: "minor"}
_QUALITIES: Mapping[str, str] = {
    "maj": "",
    "min": "m",
    "maj7": "maj7",
    "min7": "m7",
    "7": "7",
    "dim": "dim",
    "aug": "aug",
    "sus2": "sus2",
    "sus4": "sus4",
    "hdim7": "m7♭5",
    "dim7": "dim7",
    "maj6": "6",
    "min6": "m6",
}
_FEELINGS = ("happy", "excited", "intense", "tense", "dark", "sad", "calm", "content")
"""From pleasure on, against the clock."""

NEUTRAL = 0.12
"""So near to the circumplex's middle no feeling has a name."""

ASSUMED = "assumed"
"""Source of a fact that the analyzer did not hear."""

STEADY = 0.02
"""A tempo that moves by less than this share of itself counts as steady."""


def key(one: a.Key) -> str:
    """Returns a key's name, such as `F♯ minor`."""
    return f"{pitch(one.tonic)} {_MODES.get(one.mode, '')}".strip()


def chord(label: str) -> str:
    """Returns a chord in Harte's notation as it stands above a stave: `A:min7` as `Am7`; no chord
    is empty."""
    root, colon, quality = label.partition(":")
    if root in ("N", "X"):
        return ""
    quality, slash, bass = quality.partition("/")
    named = _QUALITIES.get(quality, quality) if colon else ""
    return pitch(root) + named + slash + pitch(bass)


def pitch(name: str) -> str:
    """Returns a pitch's name with the signs that musicians write."""
    return name.replace("#", "♯").replace("b", "♭")


def metre(one: a.Metre) -> str:
    """Returns such as `6/8`."""
    return f"{one.beats_per_bar}/{one.beat_unit or 4}"


def function(section: a.Section) -> str:
    """Returns what a section does, such as `pre-chorus`; empty when that is not known."""
    if section.function not in a.SectionFunction.values() or not section.function:
        return ""
    name = a.SectionFunction.Name(section.function).removeprefix("SECTION_FUNCTION_")
    return name.lower().replace("_", "-")


def register(voice: a.Voice) -> str:
    """Returns what kind of voice it is; empty when that is not known."""
    return _REGISTERS.get(voice.register, "")


def feeling(valence: float, arousal: float) -> str:
    """Returns the word for a place on Russell's circumplex (A circumplex model of affect, 1980),
    which has eight around its middle."""
    if math.hypot(valence, arousal) < NEUTRAL:
        return "neutral"
    return _FEELINGS[round(math.atan2(arousal, valence) / (math.pi / 4)) % len(_FEELINGS)]


def signed(value: float) -> str:
    """Returns such as `+0.44`."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def level(decibels: float) -> str:
    """Returns such as `−14.0`."""
    return f"{round(decibels, 1) + 0.0:.1f}".replace("-", "−")


def assumed(evidence: Evidence) -> str:
    """Returns `assumed` for what was not heard but supposed, otherwise nothing."""
    return ASSUMED if evidence.source == ASSUMED else ""


def by_group(tags: Iterable[a.Tag]) -> dict[str, list[a.Tag]]:
    """Returns tags by their group, known groups first and best tags first within each. A label
    that several models name counts once, with its best score."""
    found: dict[str, dict[str, a.Tag]] = {}
    for tag in tags:
        best = found.setdefault(tag.group or "other", {})
        if tag.label not in best or best[tag.label].score < tag.score:
            best[tag.label] = tag
    order = [*GROUPS, *sorted(set(found) - set(GROUPS))]
    return {
        group: sorted(found[group].values(), key=lambda tag: -tag.score)
        for group in order
        if group in found
    }


def chord_shares(chords: Iterable[a.Chord]) -> list[tuple[str, float]]:
    """Returns each chord's label and its share of the time with chords, the longest first."""
    seconds: dict[str, float] = {}
    for one in chords:
        if chord(one.label):
            length_s = max(0.0, one.end_s - one.start_s)
            seconds[one.label] = seconds.get(one.label, 0.0) + length_s
    whole_s = sum(seconds.values())
    ranked = sorted(seconds.items(), key=lambda item: -item[1])
    return [(label, length_s / whole_s) for label, length_s in ranked if length_s > 0]


def instruments(spans: Iterable[a.InstrumentSpan]) -> dict[str, float]:
    """Returns the instruments that lead, and for how many seconds each, longest first."""
    seconds: dict[str, float] = {}
    for span in spans:
        seconds[span.instrument] = seconds.get(span.instrument, 0.0) + span.end_s - span.start_s
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def tempo_changes(points: Sequence[a.TempoPoint]) -> list[a.TempoPoint]:
    """Returns the first of a song's tempi and those that are plainly others than the one before;
    a tempo that drifts changes where it has gone far enough."""
    changes: list[a.TempoPoint] = []
    for point in points:
        before = changes[-1].tempo_bpm if changes else 0.0
        if abs(point.tempo_bpm - before) > STEADY * before:
            changes.append(point)
    return changes


def clock(seconds: float, *, decimals: int = 0) -> str:
    """Returns a moment as a player shows it, such as `3:07` or `1:03:07`."""
    whole, rest = divmod(round(seconds * 10**decimals), 60 * 10**decimals)
    hours, minutes = divmod(whole, 60)
    width = 2 if decimals == 0 else 3 + decimals
    end = f"{rest / 10**decimals:0{width}.{decimals}f}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"
