"""Reads a SongAnalysis into a Song, checking everything that planning relies on.

Tolerated, because it happens in honest analyses: beats outside the song (dropped), equal beats
(merged), curve values outside [0, 1] (clipped), sections that miss each other by up to 0.1 s (the
later one's start counts), a last section that does not reach the end (it is extended).
Everything else that contradicts the contract raises InvalidArgument with the field's path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_kit.errors import InvalidArgument
from soundsight_scenewriter.lyrics import read_lines, read_words
from soundsight_scenewriter.measured import measured
from soundsight_scenewriter.song import (
    Counts,
    Curve,
    CurveName,
    Event,
    EventName,
    Floats,
    Function,
    Section,
    Song,
    TagWord,
)
from soundsight_scenewriter.texts import clean
from soundsight_scenewriter.timeline import Timeline

MOST_BEATS = 100_000
MOST_SECTIONS = 2_000
MOST_EVENTS = 2_000
SECTION_GAP_S = 0.1
_TITLE_CHARACTERS = 200
_CONCEPT_CHARACTERS = 2_000
_TAG_CHARACTERS = 60
_HOPS_S = (0.001, 60.0)

_CURVES = {
    pb.CurveKind.CURVE_KIND_ENERGY: CurveName.ENERGY,
    pb.CurveKind.CURVE_KIND_BASS: CurveName.BASS,
    pb.CurveKind.CURVE_KIND_ONSET: CurveName.ONSET,
    pb.CurveKind.CURVE_KIND_BRIGHTNESS: CurveName.BRIGHTNESS,
}
_EVENTS = {
    pb.MusicEventKind.MUSIC_EVENT_KIND_DROP: EventName.DROP,
    pb.MusicEventKind.MUSIC_EVENT_KIND_BUILD_UP: EventName.BUILD_UP,
    pb.MusicEventKind.MUSIC_EVENT_KIND_BREAK: EventName.BREAK,
    pb.MusicEventKind.MUSIC_EVENT_KIND_CLIMAX: EventName.CLIMAX,
}
_FUNCTIONS = {
    pb.SectionFunction.SECTION_FUNCTION_INTRO: Function.INTRO,
    pb.SectionFunction.SECTION_FUNCTION_VERSE: Function.VERSE,
    pb.SectionFunction.SECTION_FUNCTION_PRE_CHORUS: Function.PRE_CHORUS,
    pb.SectionFunction.SECTION_FUNCTION_CHORUS: Function.CHORUS,
    pb.SectionFunction.SECTION_FUNCTION_BRIDGE: Function.BRIDGE,
    pb.SectionFunction.SECTION_FUNCTION_SOLO: Function.SOLO,
    pb.SectionFunction.SECTION_FUNCTION_BREAK: Function.BREAK,
    pb.SectionFunction.SECTION_FUNCTION_OUTRO: Function.OUTRO,
    pb.SectionFunction.SECTION_FUNCTION_SILENCE: Function.SILENCE,
}
_MODES = {pb.Mode.MODE_MAJOR: 1, pb.Mode.MODE_MINOR: -1}


def read_song(analysis: pb.SongAnalysis, timeline: Timeline) -> Song:
    """The song as the planner and the writer see it.

    Raises InvalidArgument, with a path that begins with `analysis` (or `frames`), where the
    analysis contradicts itself or the length of the video.
    """
    _check_length(analysis, timeline)
    beats_s, positions = _beats(analysis.rhythm, timeline)
    curves = _curves(analysis.dynamics)
    tonic, mode = _main_key(analysis.harmony, timeline)
    tempo = measured(analysis.rhythm.tempo_bpm, "analysis.rhythm.tempo_bpm")
    dynamics = analysis.dynamics if analysis.HasField("dynamics") else None
    loudness = (
        measured(dynamics.integrated_lufs, "analysis.dynamics.integrated_lufs")
        if dynamics
        else None
    )
    # An integrated loudness of exactly 0 LUFS means that nobody measured it.
    loudness = loudness or None
    valence, arousal = _emotion(analysis, mode, tempo, loudness)
    evidence = analysis.rhythm.beats_evidence
    return Song(
        duration_s=timeline.duration_s,
        beats_s=beats_s,
        positions=positions,
        beats_confidence=(
            measured(evidence.confidence, "analysis.rhythm.beats_evidence.confidence")
            if analysis.rhythm.HasField("beats_evidence")
            else None
        ),
        beats_per_bar=_beats_per_bar(analysis.rhythm, positions),
        tempo_bpm=tempo,
        sections=_sections(analysis, timeline, curves.get(CurveName.ENERGY), valence, arousal),
        sections_found=bool(analysis.sections),
        events=_events(analysis.dynamics),
        curves=curves,
        words_s=read_words(analysis.lyrics, timeline),
        lines_s=read_lines(analysis.lyrics, timeline),
        title=clean(analysis.metadata.title, _TITLE_CHARACTERS),
        genre=clean(analysis.metadata.genre, _TITLE_CHARACTERS).lower(),
        tags=_tags(analysis.tags, "analysis.tags"),
        mode=mode,
        tonic=tonic,
        valence=valence,
        arousal=arousal,
        loudness_lufs=loudness,
        concept_summary=clean(analysis.concept.summary, _CONCEPT_CHARACTERS),
        concept_sections={
            part.section_index: clean(part.text, _CONCEPT_CHARACTERS)
            for part in analysis.concept.sections
        },
    )


def _check_length(analysis: pb.SongAnalysis, timeline: Timeline) -> None:
    """The video's frames must be the song's length, or picture and sound drift apart."""
    audio = analysis.audio
    if audio.samples <= 0 or audio.sample_rate_hz <= 0:
        return
    expected = audio.samples / audio.sample_rate_hz / timeline.frame_s
    if abs(max(1.0, expected) - timeline.frames) > 1.0:
        raise InvalidArgument(
            f"frames is {timeline.frames}, but the analysed song has {expected:.1f} frames at "
            f"{timeline.num}/{timeline.den} per second. Give the frames of the song that was "
            "analysed.",
            field="frames",
        )


def _beats(rhythm: pb.Rhythm, timeline: Timeline) -> tuple[Floats, Counts]:
    if len(rhythm.beats) > MOST_BEATS:
        raise InvalidArgument(
            f"analysis.rhythm.beats has {len(rhythm.beats)} entries; at most {MOST_BEATS} are "
            "read.",
            field="analysis.rhythm.beats",
        )
    times = np.array([beat.time_s for beat in rhythm.beats], dtype=np.float64)
    positions = np.array([beat.position for beat in rhythm.beats], dtype=np.int64)
    for index in np.flatnonzero(~np.isfinite(times))[:1]:
        measured(times[index], f"analysis.rhythm.beats[{index}].time_s")
    for index in np.flatnonzero(np.diff(times) < 0.0)[:1] + 1:
        path = f"analysis.rhythm.beats[{index}].time_s"
        raise InvalidArgument(
            f"{path} is before the beat that precedes it. Give beats in order of time.", field=path
        )
    for index in np.flatnonzero(positions < 0)[:1]:
        path = f"analysis.rhythm.beats[{index}].position"
        raise InvalidArgument(f"{path} is negative. Use 0 where it is not known.", field=path)
    inside = (times >= 0.0) & (times < timeline.duration_s)
    inside[1:] &= np.diff(times) > 1e-6
    return times[inside], positions[inside]


def _beats_per_bar(rhythm: pb.Rhythm, positions: Counts) -> int:
    """The commonest distance of downbeats, else the metre's, else 4."""
    distances = np.diff(np.flatnonzero(positions == 1))
    if distances.size:
        return int(Counter(distances.tolist()).most_common(1)[0][0])
    for metre in rhythm.metres:
        if 1 <= metre.beats_per_bar <= 32:
            return metre.beats_per_bar
    return 4


def _curves(dynamics: pb.Dynamics) -> dict[CurveName, Curve]:
    found: dict[CurveName, Curve] = {}
    for index, curve in enumerate(dynamics.curves):
        path = f"analysis.dynamics.curves[{index}]"
        name = _CURVES.get(curve.kind)
        if name is None:
            continue
        if name in found:
            raise InvalidArgument(
                f"{path} repeats the {name} curve. Give one per kind.", field=path
            )
        shortest_s, longest_s = _HOPS_S
        if not shortest_s <= measured(curve.hop_s, f"{path}.hop_s") <= longest_s:
            raise InvalidArgument(
                f"{path}.hop_s must lie between {shortest_s:g} and {longest_s:g} seconds.",
                field=f"{path}.hop_s",
            )
        values = np.array(curve.values, dtype=np.float64)
        for at in np.flatnonzero(~np.isfinite(values))[:1]:
            measured(values[at], f"{path}.values[{at}]")
        if values.size:
            found[name] = Curve(curve.hop_s, np.clip(values, 0.0, 1.0))
    return found


def _events(dynamics: pb.Dynamics) -> tuple[Event, ...]:
    if len(dynamics.events) > MOST_EVENTS:
        raise InvalidArgument(
            f"analysis.dynamics.events has {len(dynamics.events)} entries; at most {MOST_EVENTS} "
            "are read.",
            field="analysis.dynamics.events",
        )
    found = []
    for index, event in enumerate(dynamics.events):
        path = f"analysis.dynamics.events[{index}]"
        time_s = measured(event.time_s, f"{path}.time_s")
        duration_s = measured(event.duration_s, f"{path}.duration_s")
        if event.kind in _EVENTS:
            found.append(Event(_EVENTS[event.kind], time_s, max(0.0, duration_s)))
    return tuple(sorted(found, key=lambda event: event.time_s))


def _main_key(harmony: pb.Harmony, timeline: Timeline) -> tuple[str, int]:
    """The key that lasts longest: (tonic, 1 major / -1 minor / 0 not known)."""
    lasts: Counter[tuple[str, int]] = Counter()
    starts = [
        measured(key.start_s, f"analysis.harmony.keys[{index}].start_s")
        for index, key in enumerate(harmony.keys)
    ]
    ends = [*starts, timeline.duration_s][1:]
    for key, start, end in zip(harmony.keys, starts, ends, strict=True):
        lasts[(clean(key.tonic, 3), _MODES.get(key.mode, 0))] += round(1000 * max(0.0, end - start))
    return lasts.most_common(1)[0][0] if lasts else ("", 0)


def _emotion(
    analysis: pb.SongAnalysis, mode: int, tempo_bpm: float, loudness_lufs: float | None
) -> tuple[float, float]:
    """The song's valence and arousal; a cautious guess from key, tempo and loudness without any."""
    if analysis.emotion.HasField("overall"):
        overall = analysis.emotion.overall
        valence = measured(overall.valence, "analysis.emotion.overall.valence")
        arousal = measured(overall.arousal, "analysis.emotion.overall.arousal")
        return _signed(valence), _signed(arousal)
    by_tempo = (tempo_bpm - 105.0) / 90.0 if tempo_bpm > 0.0 else 0.0
    by_loudness = (loudness_lufs + 15.0) / 12.0 if loudness_lufs is not None else 0.0
    return 0.25 * mode, _signed(0.5 * by_tempo + 0.5 * by_loudness)


def _signed(value: float) -> float:
    return min(1.0, max(-1.0, value))


def _tags(tags: Iterable[pb.Tag], path: str) -> tuple[TagWord, ...]:
    """Tags with their scores relative to the best of the same source, best first."""
    read: list[tuple[str, str, str, float]] = []
    for index, tag in enumerate(tags):
        score = measured(tag.score, f"{path}[{index}].score")
        word = clean(tag.label, _TAG_CHARACTERS).lower()
        if word and score > 0.0:
            group = clean(tag.group, _TAG_CHARACTERS).lower()
            read.append((tag.evidence.source, group, word, score))
    best: dict[str, float] = {}
    for source, _, _, score in read:
        best[source] = max(best.get(source, 0.0), score)
    words = [TagWord(group, word, score / best[source]) for source, group, word, score in read]
    return tuple(sorted(words, key=lambda tag: (-tag.weight, tag.group, tag.word)))


def _sections(
    analysis: pb.SongAnalysis,
    timeline: Timeline,
    energy: Curve | None,
    valence: float,
    arousal: float,
) -> tuple[Section, ...]:
    if not analysis.sections:
        whole = Section(
            0, 0.0, timeline.duration_s, "A", 1, Function.UNKNOWN, 0.5, valence, arousal
        )
        return (whole,)
    _check_sections(analysis)
    sections: list[Section] = []
    occurrences: Counter[str] = Counter()
    last = len(analysis.sections) - 1
    for index, section in enumerate(analysis.sections):
        path = f"analysis.sections[{index}]"
        start = 0.0 if index == 0 else max(section.start_s, sections[-1].start_s)
        end = timeline.duration_s if index == last else analysis.sections[index + 1].start_s
        label = clean(section.label, 20) or f"{index}"
        occurrences[label] += 1
        mood = section.emotion if section.HasField("emotion") else None
        sections.append(
            Section(
                index=index,
                start_s=start,
                end_s=max(start, end),
                label=label,
                occurrence=occurrences[label],
                function=_FUNCTIONS.get(section.function, Function.UNKNOWN),
                energy=_energy_between(energy, start, end, section, path),
                valence=_signed(measured(mood.valence, f"{path}.emotion.valence"))
                if mood
                else valence,
                arousal=_signed(measured(mood.arousal, f"{path}.emotion.arousal"))
                if mood
                else arousal,
            )
        )
    return tuple(sections)


def _energy_between(
    energy: Curve | None, start_s: float, end_s: float, section: pb.Section, path: str
) -> float:
    given = measured(section.energy, f"{path}.energy")
    if energy is None:
        return min(1.0, max(0.0, given))
    part = energy.values[int(start_s / energy.hop_s) : int(end_s / energy.hop_s) + 1]
    return float(part.mean()) if part.size else min(1.0, max(0.0, given))


def _check_sections(analysis: pb.SongAnalysis) -> None:
    if len(analysis.sections) > MOST_SECTIONS:
        raise InvalidArgument(
            f"analysis.sections has {len(analysis.sections)} entries; at most {MOST_SECTIONS} are "
            "read.",
            field="analysis.sections",
        )
    end = 0.0
    for index, section in enumerate(analysis.sections):
        path = f"analysis.sections[{index}]"
        start = measured(section.start_s, f"{path}.start_s")
        if abs(start - end) > SECTION_GAP_S:
            raise InvalidArgument(
                f"{path} starts at {start:.3f} s, but what is before it ends at {end:.3f} s. "
                "Sections must follow each other from 0 without gaps.",
                field=f"{path}.start_s",
            )
        end = measured(section.end_s, f"{path}.end_s")
        if end < start:
            raise InvalidArgument(f"{path} ends before it starts.", field=f"{path}.end_s")
