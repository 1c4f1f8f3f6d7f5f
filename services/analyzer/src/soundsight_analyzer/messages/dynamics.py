"""Loudness, curves and events as the contract's messages."""

from __future__ import annotations

from collections.abc import Sequence

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.dynamics import events, loudness
from soundsight_analyzer.dynamics.curves import MOST_VALUES, Curves
from soundsight_analyzer.dynamics.events import Event
from soundsight_analyzer.dynamics.loudness import Loudness
from soundsight_analyzer.dynamics.parts import Parts
from soundsight_analyzer.messages.evidence import evidence, finite

LOUDNESS_SOURCE = "soundsight.bs1770-5"
CURVES_SOURCE = "soundsight.mel-frames"


def dynamics_message(
    measured: Loudness, drawn: Curves, parts: Parts, happening: Sequence[Event]
) -> pb.Dynamics:
    message = pb.Dynamics(
        integrated_lufs=measured.integrated_lufs,
        loudness_range_lu=measured.range_lu,
        true_peak_dbtp=measured.true_peak_dbtp,
        evidence=evidence(1.0, LOUDNESS_SOURCE),
    )
    unit_curves = (
        (pb.CURVE_KIND_ENERGY, drawn.hop_s, drawn.energy),
        (pb.CURVE_KIND_BASS, drawn.hop_s, drawn.bass),
        (pb.CURVE_KIND_ONSET, drawn.hop_s, drawn.onset),
        (pb.CURVE_KIND_BRIGHTNESS, drawn.hop_s, drawn.brightness),
        (pb.CURVE_KIND_PERCUSSIVE, parts.hop_s, parts.percussive),
        (pb.CURVE_KIND_HARMONIC, parts.hop_s, parts.harmonic),
    )
    for kind, hop_s, values in unit_curves:
        message.curves.add(kind=kind, hop_s=hop_s, values=finite(values))
    loudness_curves = (
        (pb.CURVE_KIND_MOMENTARY_LUFS, measured.momentary_lufs),
        (pb.CURVE_KIND_SHORT_TERM_LUFS, measured.short_term_lufs),
    )
    for kind, values in loudness_curves:
        step = max(1, -(-len(values) // MOST_VALUES))
        message.curves.add(kind=kind, hop_s=loudness.HOP_S * step, values=finite(values[::step]))
    for event in happening:
        message.events.add(
            kind=pb.MusicEventKind.Value(f"MUSIC_EVENT_KIND_{event.kind.value}"),
            time_s=event.time_s,
            duration_s=event.duration_s,
            evidence=evidence(event.confidence, events.SOURCE),
        )
    return message
