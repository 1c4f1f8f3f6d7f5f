"""What can go wrong with each call of videogen, and what a caller does then.

`docs/errors.md` is made of this table by `scripts/generate_errors_page.py`, whose introduction has
what every call may end with.
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


def _film(condition: str, code: str, reason: str, caller: str) -> Row:
    return Row("GenerateClip", condition, code, reason, caller)


TABLE: Final[dict[str, tuple[Row, ...]]] = {
    "soundsight.videogen.v1.VideoGenService": (
        _film("a field is wrong, or the endpoint has no model of that name", "INVALID_ARGUMENT",
              "INVALID_ARGUMENT", "corrects the fields that `BadRequest` names"),
        _film("the endpoint runs other code or another model than the key was made for",
              "FAILED_PRECONDITION", "FINGERPRINT_MISMATCH",
              "asks GetInfo and derives the key anew"),
        _film("no slot is free and no place in the queue", "RESOURCE_EXHAUSTED", "NO_FREE_SLOT",
              "asks another endpoint, or this one after `RetryInfo`"),
        _film("a picture that the request names is not there, or another project's", "NOT_FOUND",
              "NOT_FOUND", "stores the picture, corrects the reference"),
        _film("the clip was cancelled", "CANCELLED", "WORK_CANCELLED", "nothing"),
        _film("workers died over the clip", "UNAVAILABLE", "WORKER_DIED",
              "tries again after `RetryInfo`"),
        _film("workers made no step in time", "UNAVAILABLE", "WORKER_HUNG",
              "tries again after `RetryInfo`"),
        _film("a worker did not get ready in time", "UNAVAILABLE", "WORKER_NOT_STARTED",
              "tries again"),
        _film("the clip does not fit the device under any memory plan", "FAILED_PRECONDITION",
              "OUT_OF_MEMORY", "asks for a smaller picture or a shorter shot"),
        _film("the model's weights are damaged", "DATA_LOSS", "MODEL_CORRUPT",
              "tells the operator to fetch the model again"),
        _film("the model's folder cannot be loaded, or a library that it needs is not installed",
              "FAILED_PRECONDITION", "MODEL_NOT_LOADABLE, LIBRARY_MISSING",
              "tells the operator what the message says"),
        _film("the model's folder is gone, or another one than at the start",
              "FAILED_PRECONDITION",
              "MODEL_NOT_FOUND, NOT_A_PIPELINE, UNSAFE_WEIGHTS, MODEL_NOT_SUPPORTED",
              "tells the operator what the message says"),
        _film("a feature or LoRA of the settings cannot be used with the model",
              "FAILED_PRECONDITION",
              "FEATURE_WITHOUT_EFFECT, CACHE_NOT_SUPPORTED, LORA_UNUSABLE",
              "tells the operator to switch it off"),
        _film("the model cannot make so many frames", "FAILED_PRECONDITION",
              "FRAMES_BEYOND_MODEL", "asks for a shorter shot"),
        _film("the model films from pictures and none is given", "FAILED_PRECONDITION",
              "START_IMAGE_NEEDED, END_IMAGE_NEEDED", "gives the picture, or names another model"),
        _film("the model gave no numbers", "FAILED_PRECONDITION", "NOT_A_NUMBER",
              "tells the operator to try another dtype"),
        _film("the renderer failed on the clip", "INTERNAL", "INTERNAL", "reports it"),
        _film("the remote server does not answer, or breaks off", "UNAVAILABLE",
              "REMOTE_UNAVAILABLE", "tries again"),
        _film("the remote server refuses the clip's fields", "INVALID_ARGUMENT", "REMOTE_REFUSED",
              "changes the prompt, the size or the length"),
        _film("the remote server refuses address, model or key", "FAILED_PRECONDITION",
              "REMOTE_REFUSED", "tells the operator to check the REMOTE_ settings"),
        _film("the remote job failed", "INTERNAL", "REMOTE_FAILED", "tries again"),
        _film("the remote job took too long", "DEADLINE_EXCEEDED", "REMOTE_TIMEOUT",
              "tries again, with more time in REMOTE_TIMEOUT_S"),
        _film("what the remote server made is no video of enough frames", "DATA_LOSS",
              "REMOTE_WRONG_VIDEO", "tells the operator to check the REMOTE_ settings"),
        _film("the clip's record cannot be read", "DATA_LOSS", "DATA_LOSS",
              "deletes the record that is named, asks again"),
    ),
}  # fmt: skip
