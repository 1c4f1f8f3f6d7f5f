"""Rhythm as the contract's message."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.messages.evidence import evidence
from soundsight_analyzer.rhythm import degara
from soundsight_analyzer.rhythm.tracking import Rhythm

RHYTHM_SOURCE = f"soundsight.bar-tracker+{degara.SOURCE}"
ASSUMED_METRE_SOURCE = "assumed"
_ASSUMED_METRE_CONFIDENCE = 0.5


def rhythm_message(heard: Rhythm) -> pb.Rhythm:
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
