"""Loudness and curves as the contract's messages."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.dynamics import loudness
from soundsight_analyzer.dynamics.curves import MOST_VALUES, Curves
from soundsight_analyzer.dynamics.loudness import Loudness
from soundsight_analyzer.messages.evidence import evidence, finite

LOUDNESS_SOURCE = "soundsight.bs1770-5"
CURVES_SOURCE = "soundsight.mel-frames"


def dynamics_message(measured: Loudness, drawn: Curves) -> pb.Dynamics:
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
        message.curves.add(kind=kind, hop_s=drawn.hop_s, values=finite(values))
    loudness_curves = (
        (pb.CURVE_KIND_MOMENTARY_LUFS, measured.momentary_lufs),
        (pb.CURVE_KIND_SHORT_TERM_LUFS, measured.short_term_lufs),
    )
    for kind, values in loudness_curves:
        step = max(1, -(-len(values) // MOST_VALUES))
        message.curves.add(kind=kind, hop_s=loudness.HOP_S * step, values=finite(values[::step]))
    return message
