"""Key and chords as the contract's messages."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.harmony import key as hearing
from soundsight_analyzer.harmony.key import Key
from soundsight_analyzer.messages.evidence import evidence


def harmony_message(key: Key | None) -> pb.Harmony:
    """Harmony; without a key when none was found."""
    return pb.Harmony(keys=[] if key is None else [_key(key)])


def _key(key: Key) -> pb.Key:
    return pb.Key(
        start_s=0.0,
        tonic=key.tonic,
        mode=pb.MODE_MINOR if key.minor else pb.MODE_MAJOR,
        evidence=evidence(key.confidence, hearing.SOURCE),
    )
