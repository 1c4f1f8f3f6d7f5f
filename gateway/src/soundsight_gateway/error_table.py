"""What can go wrong with each call of the render API, and what a caller does then.

`docs/errors.md` is made of this table by `scripts/generate_errors_page.py`, whose introduction has
what every call may end with. `tests/test_services_api.py` provokes each row.
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


RENDER_SERVICE: Final = "soundsight.render.v1.RenderService"
ARTIFACT_SERVICE: Final = "soundsight.render.v1.ArtifactService"
SCALER_SERVICE: Final = "externalscaler.ExternalScaler"

_MALFORMED = "a field is malformed or out of its range; `BadRequest` names each one"
_CORRECT = "corrects the fields named"
_ABSENT = "no such render in this project"


def _trigger(rpc: str) -> tuple[Row, ...]:
    """What KEDA can be told of a ScaledObject's trigger."""
    return (
        Row(
            rpc,
            "`clipsPerReplica` in the trigger's metadata is no number, or out of its range",
            "INVALID_ARGUMENT",
            "INVALID_ARGUMENT",
            "corrects the ScaledObject",
        ),
        Row(
            rpc,
            "`pool` in the trigger's metadata names no video pool of the gateway",
            "NOT_FOUND",
            "NOT_FOUND",
            "corrects the ScaledObject, or the gateway's VIDEO_POOLS",
        ),
    )


def _spec(rpc: str) -> tuple[Row, ...]:
    """What a call can be told of the files and wishes in a RenderSpec."""
    return (
        Row(
            rpc,
            "a URI lies outside the artifact store",
            "INVALID_ARGUMENT",
            "FOREIGN_URI",
            "uploads the file first",
        ),
        Row(
            rpc,
            "a file is not the one whose SHA-256 is given",
            "INVALID_ARGUMENT",
            "DIGEST_MISMATCH",
            "takes the reference that Upload answered with",
        ),
        Row(
            rpc,
            "the song or a picture is not there, or belongs to another project",
            "NOT_FOUND",
            "NOT_FOUND",
            "uploads the file `ResourceInfo` names",
        ),
        Row(
            rpc,
            "`require_approval` or `webhook` is set",
            "UNIMPLEMENTED",
            "FIELD_NOT_OFFERED",
            "leaves the field out",
        ),
    )


TABLE: Final[dict[str, tuple[Row, ...]]] = {
    RENDER_SERVICE: (
        Row("CreateRender", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        *_spec("CreateRender"),
        Row(
            "CreateRender",
            "`render_id` is taken",
            "ALREADY_EXISTS",
            "ALREADY_EXISTS",
            "takes another id, or the render there is",
        ),
        Row(
            "CreateRender",
            "`request_id` was used for another spec",
            "ALREADY_EXISTS",
            "REQUEST_ID_REUSED",
            "takes a new request id",
        ),
        Row("GetRender", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row("GetRender", _ABSENT, "NOT_FOUND", "NOT_FOUND", "checks the name"),
        Row(
            "ListRenders",
            "the filter, page size or page token is not understood",
            "INVALID_ARGUMENT",
            "INVALID_ARGUMENT",
            _CORRECT,
        ),
        Row("CancelRender", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row("CancelRender", _ABSENT, "NOT_FOUND", "NOT_FOUND", "checks the name"),
        Row("DeleteRender", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row("DeleteRender", _ABSENT, "NOT_FOUND", "NOT_FOUND", "nothing: it is gone"),
        Row(
            "DeleteRender",
            "the render has not ended",
            "FAILED_PRECONDITION",
            "RENDER_NOT_ENDED",
            "cancels it first",
        ),
        Row(
            "DeleteRender",
            "`etag` is not the present one",
            "ABORTED",
            "ETAG_MISMATCH",
            "reads the render again and decides anew",
        ),
        Row("WatchRender", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row("WatchRender", _ABSENT, "NOT_FOUND", "NOT_FOUND", "checks the name"),
        Row(
            "WatchRender",
            "`after_sequence` is above the latest change",
            "OUT_OF_RANGE",
            "SEQUENCE_AHEAD",
            "watches from a number it has seen of this render",
        ),
        Row(
            "WatchRender",
            "the gateway goes away while watching",
            "UNAVAILABLE",
            "DRAINING",
            "watches again from the last state change it has seen",
        ),
        Row("GetStoryboard", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row("GetStoryboard", _ABSENT, "NOT_FOUND", "NOT_FOUND", "checks the name"),
        Row(
            "GetStoryboard",
            "the storyboard is not written yet",
            "NOT_FOUND",
            "NOT_WRITTEN_YET",
            "watches the render until it leaves WRITING",
        ),
        Row("EstimateRender", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        *_spec("EstimateRender"),
        Row(
            "EstimateRender",
            "the file is no song, or beyond a limit",
            "INVALID_ARGUMENT",
            "SONG_... or TOO_MANY_FRAMES",
            "sends another file or an excerpt",
        ),
        Row(
            "EstimateRender",
            "nothing is known of the video pool yet and no endpoint answers",
            "UNAVAILABLE",
            "NO_ENDPOINT",
            "tries again after `RetryInfo`",
        ),
        *(
            Row(rpc, "always", "UNIMPLEMENTED", "RPC_NOT_OFFERED", "creates another render")
            for rpc in ("UpdateStoryboard", "ApproveStoryboard", "RegenerateScene")
        ),
    ),
    ARTIFACT_SERVICE: (
        Row("Upload", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row(
            "Upload",
            "the header differs from the one the upload was begun with",
            "INVALID_ARGUMENT",
            "UPLOAD_HEADER_CHANGED",
            "takes another upload id",
        ),
        Row(
            "Upload",
            "`offset_bytes` is not what is committed",
            "OUT_OF_RANGE",
            "WRONG_OFFSET",
            "goes on from `committed_bytes` in the metadata",
        ),
        Row(
            "Upload",
            "the stream ended before the file was whole",
            "OUT_OF_RANGE",
            "UPLOAD_INCOMPLETE",
            "goes on from `committed_bytes` in the metadata",
        ),
        Row(
            "Upload",
            "another call sends the same upload",
            "ABORTED",
            "UPLOAD_IN_PROGRESS",
            "asks GetUpload and goes on from there",
        ),
        Row(
            "Upload",
            "the bytes are not those announced",
            "INVALID_ARGUMENT",
            "CHECKSUM_MISMATCH",
            "sends the file again from the start",
        ),
        Row("GetUpload", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row(
            "GetUpload",
            "nothing was sent under this id",
            "NOT_FOUND",
            "NOT_FOUND",
            "begins at offset 0",
        ),
        Row("Download", _MALFORMED, "INVALID_ARGUMENT", "INVALID_ARGUMENT", _CORRECT),
        Row(
            "Download",
            "the URI lies outside the artifact store",
            "INVALID_ARGUMENT",
            "FOREIGN_URI",
            "takes a URI from a render",
        ),
        Row(
            "Download",
            "the file is not there, or belongs to another project",
            "NOT_FOUND",
            "NOT_FOUND",
            "checks the URI",
        ),
        Row(
            "Download",
            "`offset_bytes` lies beyond the file's end",
            "OUT_OF_RANGE",
            "OFFSET_BEYOND_END",
            "asks for less",
        ),
    ),
    SCALER_SERVICE: (
        *_trigger("IsActive"),
        *_trigger("StreamIsActive"),
        *_trigger("GetMetricSpec"),
        *_trigger("GetMetrics"),
    ),
}

RENDER_FAILURES: Final = (
    Row(
        "INGESTING",
        "the file is no song, or beyond a limit",
        "INVALID_ARGUMENT",
        "SONG_... or TOO_MANY_FRAMES",
        "sends another file or an excerpt",
    ),
    Row(
        "ANALYZING",
        "`spec.analysis` asks for a feature that the analyzer does not offer",
        "UNIMPLEMENTED",
        "FEATURE_NOT_OFFERED",
        "leaves the wish out that `BadRequest` names, or has the analyzer set up for it",
    ),
    Row(
        "ANALYZING",
        "the analyzer refuses an option or the words",
        "INVALID_ARGUMENT",
        "the analyzer's own",
        _CORRECT,
    ),
    Row(
        "any stage",
        "a service did not answer, or failed, in all attempts",
        "UNAVAILABLE, INTERNAL, ...",
        "the service's own",
        "asks again: finished work is reused",
    ),
    Row(
        "WRITING",
        "the storyboard breaks its contract or the backend's limits",
        "INTERNAL",
        "UNSOUND_STORYBOARD",
        "reports it to whoever runs the scene writer",
    ),
    Row(
        "FILMING",
        "no endpoint answered in all attempts",
        "UNAVAILABLE",
        "NO_ENDPOINT",
        "asks again when the pool runs",
    ),
    Row(
        "FILMING",
        "a scene's time is up, all attempts together",
        "DEADLINE_EXCEEDED",
        "SCENE_TIMEOUT",
        "looks at the scene's failures and at the pool, then asks again",
    ),
    Row(
        "FILMING",
        "the backend declares inputs that do not exist, or no profile",
        "FAILED_PRECONDITION",
        "UNKNOWN_CONSUMED_INPUT, NO_PROFILE",
        "reports it to whoever runs the backend",
    ),
    Row(
        "any stage",
        "the gateway was upgraded to other workflows",
        "ABORTED",
        "ENGINE_UPGRADED",
        "asks again: finished work is reused",
    ),
    Row(
        "any stage",
        "the workflow was lost",
        "INTERNAL",
        "LOST_WORK",
        "asks again: finished work is reused",
    ),
)
"""How a render itself fails: `Render.error`, not a call's status. The first column is the stage."""
