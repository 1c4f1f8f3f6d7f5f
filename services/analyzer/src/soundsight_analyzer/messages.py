"""What was heard, as the contract's messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight.common.v1.common_pb2 import Evidence
from soundsight_analyzer import emotion, functions, loudness, structure, tonality, trackers
from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.curves import MOST_VALUES, Curves
from soundsight_analyzer.emotion import EmotionOverTime
from soundsight_analyzer.labels import group_of
from soundsight_analyzer.listening import Feature, Heard
from soundsight_analyzer.loudness import Loudness
from soundsight_analyzer.rhythm import Rhythm
from soundsight_analyzer.structure import Section
from soundsight_analyzer.tags import TAGGERS, Tagger, TagWindows
from soundsight_analyzer.tonality import Key

RHYTHM_SOURCE = f"soundsight.bar-tracker+{trackers.SOURCE}"
LOUDNESS_SOURCE = "soundsight.bs1770-5"
CURVES_SOURCE = "soundsight.mel-frames"
ASSUMED_METRE_SOURCE = "assumed"
_ASSUMED_METRE_CONFIDENCE = 0.5
_LEAST_TAG_SCORE = 0.03


def to_analysis(heard: Heard) -> pb.SongAnalysis:
    """The whole analysis; what was not asked for or not found stays absent."""
    song = heard.song
    analysis = pb.SongAnalysis(
        audio=pb.Audio(
            samples=song.samples,
            sample_rate_hz=song.sample_rate_hz,
            channels=song.channels,
            duration_s=song.duration_s,
        ),
        warnings=heard.warnings,
    )
    if heard.rhythm is not None:
        analysis.rhythm.CopyFrom(_rhythm(heard.rhythm))
    if Feature.HARMONY in heard.options.features:
        analysis.harmony.SetInParent()
        if heard.key is not None:
            analysis.harmony.keys.append(_key(heard.key))
    if heard.curves is not None and heard.loudness is not None:
        analysis.dynamics.CopyFrom(_dynamics(heard.loudness, heard.curves))
    if heard.tags is not None:
        whole = _tags(heard.tags, 0.0, song.duration_s, heard.options.max_tags)
        analysis.tags.extend(whole)
    if heard.emotion is not None:
        analysis.emotion.CopyFrom(_emotion_curve(heard.emotion, song.duration_s))
    analysis.sections.extend(_section(heard, index) for index in range(len(heard.sections)))
    return analysis


def evidence(confidence: float, source: str) -> Evidence:
    """A fact's evidence; confidence is clipped to [0, 1]."""
    return Evidence(confidence=min(1.0, max(0.0, confidence)), source=source)


def _rhythm(heard: Rhythm) -> pb.Rhythm:
    message = pb.Rhythm(
        tempo_bpm=heard.tempo_bpm,
        tempo_evidence=evidence(heard.tempo_confidence, RHYTHM_SOURCE),
        beats_evidence=evidence(heard.beats_confidence, RHYTHM_SOURCE),
    )
    if not len(heard.beats_s):
        return message
    for bpm, likelihood in heard.alternatives:
        message.alternatives.add(tempo_bpm=bpm, evidence=evidence(likelihood, RHYTHM_SOURCE))
    beats = zip(heard.beats_s, heard.positions, heard.beat_confidences, strict=True)
    for time_s, position, confidence in beats:
        message.beats.add(time_s=time_s, position=int(position), confidence=confidence)
    metre = _ASSUMED_METRE_CONFIDENCE * (1.0 + heard.downbeat_confidence)
    message.metres.add(
        start_s=0.0,
        beats_per_bar=heard.beats_per_bar,
        beat_unit=4,
        evidence=evidence(metre, ASSUMED_METRE_SOURCE),
    )
    message.tempo_curve.add(start_s=0.0, tempo_bpm=heard.tempo_bpm)
    return message


def _key(key: Key) -> pb.Key:
    return pb.Key(
        start_s=0.0,
        tonic=key.tonic,
        mode=pb.MODE_MINOR if key.minor else pb.MODE_MAJOR,
        evidence=evidence(key.confidence, tonality.SOURCE),
    )


def _dynamics(measured: Loudness, drawn: Curves) -> pb.Dynamics:
    message = pb.Dynamics(
        integrated_lufs=measured.integrated_lufs,
        loudness_range_lu=measured.range_lu,
        true_peak_dbtp=measured.true_peak_dbtp,
        evidence=evidence(1.0, LOUDNESS_SOURCE),
    )
    unit_curves = (
        (pb.CURVE_KIND_ENERGY, drawn.energy),
        (pb.CURVE_KIND_BASS, drawn.bass),
        (pb.CURVE_KIND_ONSET, drawn.onset),
        (pb.CURVE_KIND_BRIGHTNESS, drawn.brightness),
    )
    for kind, values in unit_curves:
        message.curves.add(kind=kind, hop_s=drawn.hop_s, values=_finite(values))
    loudness_curves = (
        (pb.CURVE_KIND_MOMENTARY_LUFS, measured.momentary_lufs),
        (pb.CURVE_KIND_SHORT_TERM_LUFS, measured.short_term_lufs),
    )
    for kind, values in loudness_curves:
        step = max(1, -(-len(values) // MOST_VALUES))
        message.curves.add(kind=kind, hop_s=loudness.HOP_S * step, values=_finite(values[::step]))
    return message


def _section(heard: Heard, index: int) -> pb.Section:
    section: Section = heard.sections[index]
    guess = heard.section_functions[index]
    message = pb.Section(
        start_s=section.start_s,
        end_s=section.end_s,
        label=section.label,
        occurrence=section.occurrence,
        function=pb.SectionFunction.Value(f"SECTION_FUNCTION_{guess.function.value}"),
        boundary_evidence=evidence(section.boundary_confidence, structure.SOURCE),
        label_evidence=evidence(section.label_confidence, structure.SOURCE),
        function_evidence=evidence(guess.confidence, functions.SOURCE),
        energy=heard.section_energies[index],
    )
    if heard.emotion is not None:
        message.emotion.CopyFrom(_emotion(heard.emotion, section.start_s, section.end_s))
    if heard.tags is not None:
        limit = heard.options.max_tags
        message.tags.extend(_tags(heard.tags, section.start_s, section.end_s, limit))
    return message


def _tags(windows: TagWindows, start_s: float, end_s: float, limit: int) -> Sequence[pb.Tag]:
    """The best tags of a stretch, best first, each model's best in turn and each word once."""
    rankings = [_ranking(windows, tagger, start_s, end_s) for tagger in TAGGERS]
    chosen: dict[str, pb.Tag] = {}
    for tag in (tag for pair in zip(*rankings, strict=True) for tag in pair):
        if len(chosen) < limit and tag.score >= _LEAST_TAG_SCORE:
            chosen.setdefault(tag.label, tag)
    return sorted(chosen.values(), key=lambda tag: -tag.score)


def _ranking(windows: TagWindows, tagger: Tagger, start_s: float, end_s: float) -> list[pb.Tag]:
    scores = windows.mean(tagger, start_s, end_s)
    return [
        pb.Tag(
            group=group_of(tagger.labels[index]),
            label=tagger.labels[index],
            score=float(scores[index]),
            evidence=evidence(float(scores[index]), tagger.id),
        )
        for index in np.argsort(-scores, kind="stable")
    ]


def _emotion(felt: EmotionOverTime, start_s: float, end_s: float) -> pb.Emotion:
    valence, arousal = felt.mean(start_s, end_s)
    return pb.Emotion(
        valence=valence,
        arousal=arousal,
        valence_evidence=evidence(emotion.VALENCE_CONFIDENCE, emotion.SOURCE),
        arousal_evidence=evidence(emotion.AROUSAL_CONFIDENCE, emotion.SOURCE),
    )


def _emotion_curve(felt: EmotionOverTime, duration_s: float) -> pb.EmotionCurve:
    return pb.EmotionCurve(
        overall=_emotion(felt, 0.0, duration_s),
        hop_s=felt.hop_s,
        valence=_finite(felt.valence),
        arousal=_finite(felt.arousal),
    )


def _finite(values: Floats) -> list[float]:
    """The last gate: nothing that is not a number leaves the service."""
    return list(np.nan_to_num(np.asarray(values, dtype=np.float64)).tolist())
