"""What a remote server's refusals mean to a caller. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from soundsight_kit.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    SoundsightError,
    Unavailable,
)
from soundsight_kit.retryafter import retry_after_s

WRONG_VIDEO = "REMOTE_WRONG_VIDEO"
_WHY_CHARACTERS = 300


def refusal(status: int, body: str, headers: Mapping[str, str]) -> SoundsightError:
    """The error of a call that was answered with an HTTP status other than success."""
    why = _said(body)
    if status in (400, 413, 422):
        return InvalidArgument(
            f"the remote server refused this clip: {why}", reason="REMOTE_REFUSED"
        )
    if status < 500 and status not in (408, 409, 425, 429):
        return FailedPrecondition(
            f"the remote server answers {status} ({why}): check SOUNDSIGHT_VIDEOGEN_REMOTE_URL, "
            "..._MODEL and ..._KEY",
            reason="REMOTE_REFUSED",
        )
    return away(f"status {status}, {why}", retry_after_s(headers.get("retry-after")))


def away(why: str, retry_after_s: float | None = None) -> Unavailable:
    """The error of a server that cannot answer at the moment."""
    return Unavailable(
        f"the remote server does not answer ({why}); try again",
        reason="REMOTE_UNAVAILABLE",
        retry_after_s=retry_after_s,
    )


def failed_job(message: str) -> SoundsightError:
    """The error of a job that the server reports as failed."""
    return Internal(
        f"the remote server failed on this clip: {message[:_WHY_CHARACTERS] or 'no reason given'}",
        reason="REMOTE_FAILED",
    )


def _said(body: str) -> str:
    try:
        said = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = body
    return " ".join(str(said).split())[:_WHY_CHARACTERS] or "no reason given"
