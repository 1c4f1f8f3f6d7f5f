"""Sending a file so that it arrives whole, over lines that break and beside others that send it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import artifacts_pb2, artifacts_pb2_grpc
from soundsight_client.retrying import RETRIED, pause_before_retry
from soundsight_kit.errors import SoundsightError, error_from_rpc

CHUNK_BYTES = 1 << 20
ASK_TIMEOUT_S = 30.0
ATTEMPTS_WITHOUT_PROGRESS = 8

Progress = Callable[[int, int], None]
"""Is told bytes done and bytes in all."""

_GO_ON = frozenset({"WRONG_OFFSET", "UPLOAD_INCOMPLETE", "UPLOAD_IN_PROGRESS"})
"""Reasons that only mean: look how far it is, and go on from there."""


async def send_file(
    stub: artifacts_pb2_grpc.ArtifactServiceAsyncStub,
    header: artifacts_pb2.UploadHeader,
    path: Path,
    progress: Progress,
    transfer_s: float,
) -> ArtifactRef:
    """Sends a file, or what is still missing of it.

    Every round first sends the header alone. The answer is the file when it is there, how much of
    it is, or why it is not wanted; while bytes are under way such an answer could get lost, because
    gRPC's client takes a server that stops listening for an internal error.

    Raises:
        SoundsightError: when the gateway does not take the file, or cannot be reached.
    """
    deadline = time.monotonic() + transfer_s
    stuck, furthest = 0, -1
    while True:
        try:
            position = await _committed(stub, header)
            if isinstance(position, ArtifactRef):
                progress(header.size_bytes, header.size_bytes)
                return position
            if position > furthest:
                stuck, furthest = 0, position
            header.offset_bytes = position
            requests = _requests(header, path, progress)
            left_s = max(0.001, deadline - time.monotonic())
            return (await stub.Upload(requests, timeout=left_s)).artifact
        except grpc.RpcError as raised:
            error = error_from_rpc(raised)
        stuck += 1
        pause_s = pause_before_retry(error, stuck - 1)
        late = time.monotonic() + pause_s >= deadline
        if late or stuck >= ATTEMPTS_WITHOUT_PROGRESS or not _may_go_on(error):
            raise error
        await asyncio.sleep(pause_s)


async def _committed(
    stub: artifacts_pb2_grpc.ArtifactServiceAsyncStub, header: artifacts_pb2.UploadHeader
) -> ArtifactRef | int:
    """The file, when it is there; otherwise how many of its bytes are."""
    asking = artifacts_pb2.UploadHeader()
    asking.CopyFrom(header)
    asking.offset_bytes = 0

    async def header_alone() -> AsyncIterator[artifacts_pb2.UploadRequest]:
        yield artifacts_pb2.UploadRequest(header=asking)

    try:
        return (await stub.Upload(header_alone(), timeout=ASK_TIMEOUT_S)).artifact
    except grpc.RpcError as raised:
        error = error_from_rpc(raised)
        if error.reason in _GO_ON and "committed_bytes" in error.metadata:
            return int(error.metadata["committed_bytes"])
        raise


def _may_go_on(error: SoundsightError) -> bool:
    # INTERNAL is what gRPC's client makes of an answer that came while bytes were under way: the
    # next round asks for that answer.
    return (
        error.code in RETRIED
        or error.reason in _GO_ON
        or (error.code == grpc.StatusCode.INTERNAL and not error.metadata)
    )


async def _requests(
    header: artifacts_pb2.UploadHeader, path: Path, progress: Progress
) -> AsyncIterator[artifacts_pb2.UploadRequest]:
    """Yields the header, then the file from where the header says, up to its announced size."""
    yield artifacts_pb2.UploadRequest(header=header)
    done = header.offset_bytes
    with path.open("rb") as file:
        file.seek(done)
        while chunk := file.read(min(CHUNK_BYTES, header.size_bytes - done)):
            yield artifacts_pb2.UploadRequest(chunk=chunk)
            done += len(chunk)
            progress(done, header.size_bytes)
