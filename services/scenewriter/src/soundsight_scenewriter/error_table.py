"""What can go wrong with each call of the scene writer, and what a caller does then.

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


def _shared(rpc: str) -> tuple[Row, ...]:
    """What both calls may end with."""
    return (
        Row(
            rpc,
            "a field is malformed or out of its range; `BadRequest` names it",
            "INVALID_ARGUMENT",
            "INVALID_ARGUMENT",
            "corrects the field named",
        ),
        Row(
            rpc,
            "`WRITER_LLM` is asked for and no language model is configured",
            "FAILED_PRECONDITION",
            "LANGUAGE_MODEL_NOT_AVAILABLE",
            "asks for the rules, or leaves the writer unset",
        ),
        Row(
            rpc,
            "`WRITER_LLM` is asked for and no language model answers",
            "UNAVAILABLE",
            "LANGUAGE_MODEL_MISSING",
            "tries again when it runs, or asks for the rules",
        ),
        Row(
            rpc,
            "`WRITER_LLM` is asked for, and the model's endpoint stays busy or broken",
            "UNAVAILABLE",
            "LANGUAGE_MODEL_BUSY",
            "tries again, after `RetryInfo` where there is one",
        ),
        Row(
            rpc,
            "`WRITER_LLM` is asked for, and the endpoint refuses the request: key, model, context",
            "FAILED_PRECONDITION",
            "LANGUAGE_MODEL_REFUSED",
            "tells the operator",
        ),
        Row(
            rpc,
            "the moderation refuses what would be filmed",
            "FAILED_PRECONDITION",
            "PROMPT_FLAGGED",
            "changes the brief, or the note",
        ),
        Row(
            rpc,
            "a moderation is configured and cannot be asked",
            "UNAVAILABLE",
            "MODERATION_UNAVAILABLE",
            "tries again",
        ),
        Row(
            rpc,
            "all slots and places in the queue are taken",
            "RESOURCE_EXHAUSTED",
            "NO_FREE_SLOT",
            "tries again after `RetryInfo`, or elsewhere",
        ),
    )


TABLE: Final[dict[str, tuple[Row, ...]]] = {
    "soundsight.scenewriter.v1.SceneWriterService": (
        *_shared("WriteStoryboard"),
        *_shared("RewriteScene"),
        Row(
            "RewriteScene",
            "the storyboard has no scene of that id",
            "NOT_FOUND",
            "NOT_FOUND",
            "names one of its scenes",
        ),
    ),
}
