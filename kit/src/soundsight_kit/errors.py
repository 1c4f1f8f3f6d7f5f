"""Errors that cross process boundaries: canonical status codes with google.rpc details.

Code raises a `SoundsightError` where the fault is known. The server's interceptor turns it into a
`google.rpc.Status` (https://google.aip.dev/193) and `error_from_rpc` turns that back into the same
exception at the caller, so that errors look alike on both sides of the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "soundsight"

STATUS_METADATA_KEY = "grpc-status-details-bin"

# Trailers beyond 8 KiB are dropped or refused by gRPC peers and proxies, and the status message is
# sent twice: in the trailer of its own and inside the details.
MAX_MESSAGE_CHARS = 1500
MAX_FIELD_VIOLATIONS = 20

FieldViolation = tuple[str, str]


class SoundsightError(Exception):
    """An error with a canonical code, a machine-readable reason and what the caller can do.

    `field_violations` holds (path, description) pairs; `retry_after_s` is set when trying again
    helps; `resource` is the (type, name) of what the error is about.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN
    default_reason: str = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        field_violations: Iterable[FieldViolation] = (),
        retry_after_s: float | None = None,
        resource: tuple[str, str] | None = None,
        code: grpc.StatusCode | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.retry_after_s = retry_after_s
        self.resource = resource
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.message


class InvalidArgument(SoundsightError):
    """The request is wrong whatever the state of the system; `field` is the path of the field."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    default_reason = "INVALID_ARGUMENT"

    def __init__(self, message: str, *, field: str | None = None, **details: Any) -> None:
        violations = tuple(details.pop("field_violations", ()))
        if field is not None and not violations:
            violations = ((field, message),)
        super().__init__(message, field_violations=violations, **details)


class OutOfRange(SoundsightError):
    """A position lies beyond the end of what it refers to."""

    code = grpc.StatusCode.OUT_OF_RANGE
    default_reason = "OUT_OF_RANGE"


class FailedPrecondition(SoundsightError):
    """The system is not in the state that the request needs; trying again alone does not help."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    default_reason = "FAILED_PRECONDITION"


class Aborted(SoundsightError):
    """Another writer came first: read again, then try again."""

    code = grpc.StatusCode.ABORTED
    default_reason = "ABORTED"


class _ResourceError(SoundsightError):
    """An error about one named resource."""

    phrase = ""

    def __init__(
        self, resource_type: str, name: str, *, message: str | None = None, **details: Any
    ) -> None:
        details.setdefault("resource", (resource_type, name))
        super().__init__(message or f"{resource_type} {name!r} {self.phrase}", **details)


class NotFound(_ResourceError):
    """There is no such resource, or it belongs to somebody else."""

    code = grpc.StatusCode.NOT_FOUND
    default_reason = "NOT_FOUND"
    phrase = "was not found"


class AlreadyExists(_ResourceError):
    """A resource of this name exists."""

    code = grpc.StatusCode.ALREADY_EXISTS
    default_reason = "ALREADY_EXISTS"
    phrase = "exists already"


class PermissionDenied(SoundsightError):
    """The caller is known but may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    default_reason = "PERMISSION_DENIED"


class Unauthenticated(SoundsightError):
    """The caller is not known."""

    code = grpc.StatusCode.UNAUTHENTICATED
    default_reason = "UNAUTHENTICATED"


class ResourceExhausted(SoundsightError):
    """No room now: slots, queue, memory or quota; `retry_after_s` says when to try again."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    default_reason = "RESOURCE_EXHAUSTED"


DISK_FULL = "DISK_FULL"
"""Reason of a call that found no room for a file. Trying again helps only once a person has made
some, who must hear of it for that: such a call is not tried again."""


class DiskFull(ResourceExhausted):
    """No room for a file."""

    default_reason = DISK_FULL

    def __init__(self, message: str = "the disk is full; free space and try again") -> None:
        super().__init__(message)


class Unavailable(SoundsightError):
    """The service cannot answer at the moment, such as while it drains."""

    code = grpc.StatusCode.UNAVAILABLE
    default_reason = "UNAVAILABLE"


class DeadlineExceeded(SoundsightError):
    """The time given was not enough."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    default_reason = "DEADLINE_EXCEEDED"


class Cancelled(SoundsightError):
    """Somebody asked for the work to be stopped."""

    code = grpc.StatusCode.CANCELLED
    default_reason = "CANCELLED"


class DataLoss(SoundsightError):
    """Stored or received bytes are not what they should be."""

    code = grpc.StatusCode.DATA_LOSS
    default_reason = "DATA_LOSS"


class Unimplemented(SoundsightError):
    """This implementation does not offer that."""

    code = grpc.StatusCode.UNIMPLEMENTED
    default_reason = "UNIMPLEMENTED"


class Internal(SoundsightError):
    """A fault of ours; the log has more under the incident id, where there is one."""

    code = grpc.StatusCode.INTERNAL
    default_reason = "INTERNAL"


_CLASS_OF_CODE: dict[grpc.StatusCode, type[SoundsightError]] = {
    cls.code: cls
    for cls in (
        InvalidArgument,
        OutOfRange,
        FailedPrecondition,
        Aborted,
        NotFound,
        AlreadyExists,
        PermissionDenied,
        Unauthenticated,
        ResourceExhausted,
        Unavailable,
        DeadlineExceeded,
        Cancelled,
        DataLoss,
        Unimplemented,
        Internal,
    )
}

_CODE_OF_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def status_from_error(error: SoundsightError) -> status_pb2.Status:
    """Builds the `google.rpc.Status` of an error; `ErrorInfo` is always among its details."""
    status = status_pb2.Status(
        code=error.code.value[0], message=_shorten(error.message, MAX_MESSAGE_CHARS)
    )
    for detail in _details(error):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _details(error: SoundsightError) -> Iterable[Message]:
    yield error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    if error.field_violations:
        yield error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=path, description=_shorten(description, 300)
                )
                for path, description in error.field_violations[:MAX_FIELD_VIOLATIONS]
            ]
        )
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(max(0, round(error.retry_after_s * 1e9)))
        yield error_details_pb2.RetryInfo(retry_delay=delay)
    if error.resource is not None:
        resource_type, name = error.resource
        yield error_details_pb2.ResourceInfo(resource_type=resource_type, resource_name=name)


def error_from_status(status: status_pb2.Status) -> SoundsightError:
    """Rebuilds the error that `status_from_error` turned into `status`.

    Details of other domains' making are understood as far as they go; unknown ones are ignored.
    """
    reason: str | None = None
    metadata: dict[str, str] = {}
    violations: list[FieldViolation] = []
    retry_after_s: float | None = None
    resource: tuple[str, str] | None = None
    for packed in status.details:
        info = error_details_pb2.ErrorInfo()
        bad_request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        about = error_details_pb2.ResourceInfo()
        try:
            if packed.Unpack(info):
                reason, metadata = info.reason or None, dict(info.metadata)
            elif packed.Unpack(bad_request):
                violations += [(v.field, v.description) for v in bad_request.field_violations]
            elif packed.Unpack(retry):
                retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
            elif packed.Unpack(about):
                resource = (about.resource_type, about.resource_name)
        except DecodeError:
            continue
    return _make(
        _CODE_OF_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN),
        status.message,
        reason=reason,
        metadata=metadata,
        field_violations=violations,
        retry_after_s=retry_after_s,
        resource=resource,
    )


def error_from_rpc(error: grpc.RpcError) -> SoundsightError:
    """Rebuilds the error that a call failed with, details included.

    A failure that has no details, because gRPC itself or another implementation raised it, gives
    the class of its code and that class's default reason.
    """
    if not isinstance(error, grpc.aio.AioRpcError | grpc.Call):
        return SoundsightError(str(error) or type(error).__name__)
    code = error.code()
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_METADATA_KEY and isinstance(value, bytes):
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                break
            # The transport's code rules: a status that contradicts it was not made for this call.
            if status.code == code.value[0]:
                return error_from_status(status)
    return _make(code, error.details() or code.name.lower().replace("_", " "))


def _make(code: grpc.StatusCode, message: str, **details: Any) -> SoundsightError:
    cls = _CLASS_OF_CODE.get(code)
    if cls is None:
        return SoundsightError(message, code=code, **details)
    if issubclass(cls, _ResourceError):
        resource_type, name = details.get("resource") or ("", "")
        rebuilt = cls(resource_type, name, message=message, **details)
        rebuilt.resource = details.get("resource")
        return rebuilt
    return cls(message, **details)


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
