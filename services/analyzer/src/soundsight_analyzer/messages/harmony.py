"""Keys and chords as the contract's messages."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.harmony import chords as chord_hearing
from soundsight_analyzer.harmony import key as key_hearing
from soundsight_analyzer.harmony.chords import Chord
from soundsight_analyzer.harmony.hearing import Harmony
from soundsight_analyzer.harmony.key import Key
from soundsight_analyzer.messages.evidence import evidence


def harmony_message(harmony: Harmony) -> pb.Harmony:
    """Harmony; without keys and chords when none were found."""
    return pb.Harmony(
        keys=[_key(key) for key in harmony.keys],
        chords=[_chord(chord) for chord in harmony.chords],
    )


def _key(key: Key) -> pb.Key:
    return pb.Key(
        start_s=key.start_s,
        tonic=key.tonic,
        mode=pb.MODE_MINOR if key.minor else pb.MODE_MAJOR,
        evidence=evidence(key.confidence, key_hearing.SOURCE),
    )


def _chord(chord: Chord) -> pb.Chord:
    return pb.Chord(
        start_s=chord.start_s,
        end_s=chord.end_s,
        label=chord.label,
        evidence=evidence(chord.confidence, chord_hearing.SOURCE),
    )
