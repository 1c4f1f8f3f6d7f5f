"""What an exception means to a caller: the one table that maps exceptions to errors."""

from __future__ import annotations

import asyncio
import errno
import secrets

import grpc
import obstore.exceptions
import pydantic

from soundsight_kit.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    DiskFull,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    SoundsightError,
    Unavailable,
    error_from_rpc,
)

UNEXPECTED = "UNEXPECTED"

_STORE_RETRY_S = 5.0


def error_from_exception(error: BaseException) -> SoundsightError:
    """The error that a caller is told when `error` ends a call.

    Whatever nobody foresaw becomes INTERNAL with the reason UNEXPECTED and an incident id in the
    metadata; its text, which may hold paths or secrets, stays in the log.
    """
    match error:
        case SoundsightError():
            return error
        case grpc.RpcError():
            return error_from_rpc(error)
        case pydantic.ValidationError():
            return _invalid(error)
        case asyncio.CancelledError():
            return Cancelled("the work was cancelled")
        case TimeoutError():
            return DeadlineExceeded("the work took longer than it may")
        case obstore.exceptions.AlreadyExistsError():
            return AlreadyExists("artifact", "", message="the artifact exists already")
        case obstore.exceptions.PreconditionError():
            return FailedPrecondition("the artifact was changed meanwhile", reason="CHANGED")
        case obstore.exceptions.GenericError() | OSError(errno=None) if _no_room_left(error):
            return DiskFull()
        case obstore.exceptions.GenericError():
            return Unavailable(
                "the object store does not answer",
                reason="OBJECT_STORE",
                retry_after_s=_STORE_RETRY_S,
            )
        # obstore's own carries no errno. With one, the operating system missed a file of ours.
        case FileNotFoundError(errno=None):
            return NotFound("artifact", "", message="the artifact was not found")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return DiskFull()
    incident = secrets.token_hex(6)
    return Internal(
        f"an unexpected fault; the service's log tells more under incident {incident}",
        reason=UNEXPECTED,
        metadata={"incident": incident},
    )


def _no_room_left(error: BaseException) -> bool:
    """Whether it is obstore's way to say so: in words alone."""
    return any(f"os error {number}" in str(error) for number in (errno.ENOSPC, errno.EDQUOT))


def _invalid(error: pydantic.ValidationError) -> InvalidArgument:
    violations = [
        (".".join(str(part) for part in fault["loc"]), fault["msg"].removeprefix("Value error, "))
        for fault in error.errors()
    ]
    first = "; ".join(f"{path}: {message}" if path else message for path, message in violations[:3])
    return InvalidArgument(first, field_violations=violations)
