"""Rhythm as the contract's message."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.messages.evidence import evidence
from soundsight_analyzer.rhythm.tracking import Rhythm


def rhythm_message(heard: Rhythm) -> pb.Rhythm:
    message = pb.Rhythm(
        tempo_bpm=heard.tempo_bpm,
        tempo_evidence=evidence(heard.tempo_confidence, heard.source),
        beats_evidence=evidence(heard.beats_confidence, heard.source),
    )
    if not len(heard.beats_s):
        return message
    for bpm, likelihood in heard.alternatives:
        message.alternatives.add(tempo_bpm=bpm, evidence=evidence(likelihood, heard.source))
    beats = zip(heard.beats_s, heard.positions, heard.beat_confidences, strict=True)
    for time_s, position, confidence in beats:
        message.beats.add(time_s=time_s, position=int(position), confidence=confidence)
    for span in heard.metres:
        message.metres.add(
            start_s=span.start_s,
            beats_per_bar=span.metre.numerator,
            beat_unit=span.metre.denominator,
            evidence=evidence(span.confidence, heard.source),
        )
    for start_s, bpm in heard.tempi:
        message.tempo_curve.add(start_s=start_s, tempo_bpm=bpm)
    return message
