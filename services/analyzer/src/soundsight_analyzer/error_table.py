"""What can go wrong with each call of the analyzer, and what a caller does then.

`docs/errors.md` is made of this table by `scripts/generate_errors_page.py`, whose introduction has
what every call may end with. The tests of the service provoke each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One way in which a call can fail."""

    rpc: str
    condition: str
    code: str
    reason: str
    caller: str


def _analyze(condition: str, code: str, reason: str, caller: str) -> Row:
    return Row("Analyze", condition, code, reason, caller)


TABLE: Final[dict[str, tuple[Row, ...]]] = {
    "soundsight.analyzer.v1.AnalyzerService": (
        _analyze(
            "a field is malformed or out of its range; `BadRequest` names it",
            "INVALID_ARGUMENT",
            "INVALID_ARGUMENT",
            "corrects the field named",
        ),
        _analyze(
            "the song is no sound file, broken, protected, too long or too large",
            "INVALID_ARGUMENT",
            "SONG_...",
            "sends another file",
        ),
        _analyze(
            "the lyrics have no words, are too long, or have times out of order",
            "INVALID_ARGUMENT",
            "LYRICS_UNREADABLE",
            "corrects the lyrics",
        ),
        _analyze(
            "a line of the lyrics starts after the song's end",
            "INVALID_ARGUMENT",
            "LYRICS_OUT_OF_SONG",
            "sends the lyrics of this recording, or without times",
        ),
        _analyze(
            "a feature is not offered; the message names those that are",
            "UNIMPLEMENTED",
            "FEATURE_NOT_OFFERED",
            "leaves it out",
        ),
        _analyze(
            "`transcribe` is set and no model hears words",
            "UNIMPLEMENTED",
            "TRANSCRIPTION_NOT_OFFERED",
            "gives the lyrics",
        ),
        _analyze(
            "the song is not there, or belongs to another project",
            "NOT_FOUND",
            "NOT_FOUND",
            "uploads the file",
        ),
        _analyze(
            "all slots and places in the queue are taken",
            "RESOURCE_EXHAUSTED",
            "NO_FREE_SLOT",
            "tries again after `RetryInfo`, or elsewhere",
        ),
        _analyze(
            "listening takes longer than the service allows",
            "DEADLINE_EXCEEDED",
            "SONG_TOO_COSTLY",
            "sends a shorter song",
        ),
        _analyze(
            "a model that the settings name cannot be loaded",
            "FAILED_PRECONDITION",
            "MODEL_NOT_LOADED",
            "tells the operator, or asks without the tags",
        ),
        _analyze(
            "no audio language model answers",
            "UNAVAILABLE",
            "CONCEPT_ENDPOINT_MISSING",
            "asks without the concept, or tells the operator",
        ),
        _analyze(
            "the audio language model's endpoint stays busy or broken",
            "UNAVAILABLE",
            "CONCEPT_ENDPOINT_BUSY",
            "tries again, after `RetryInfo` where there is one",
        ),
        _analyze(
            "the audio language model gives no usable answer",
            "UNAVAILABLE",
            "CONCEPT_ANSWER_UNFIT",
            "tries again, or asks without the concept",
        ),
        _analyze(
            "the audio language model's endpoint refuses requests: a wrong key, name or size",
            "FAILED_PRECONDITION",
            "CONCEPT_ENDPOINT_REFUSED",
            "tells the operator",
        ),
        _analyze(
            "the concept takes longer than the service allows",
            "DEADLINE_EXCEEDED",
            "CONCEPT_TOO_SLOW",
            "sends a shorter song, or asks without the concept",
        ),
    ),
}
