"""Files in and out: resumable uploads, ranged downloads.

An upload arrives in parts that lie in the object store until it is whole, so that it can be resumed
at any gateway and nothing of it hangs on one machine's disk. What a broken call had sent is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import artifacts_pb2, artifacts_pb2_grpc
from soundsight_gateway import names
from soundsight_gateway.upload_store import UPLOAD, Announced, UploadRef, UploadStore
from soundsight_kit.artifacts import ArtifactStore, ensure_project, project_key
from soundsight_kit.errors import DataLoss, InvalidArgument, NotFound, OutOfRange

Context = grpc.aio.ServicerContext[Any, Any]

CHUNK_BYTES: Final = 1 << 20
"""Most bytes of a message, in and out: the contract's bound."""
PART_BYTES: Final = 8 << 20
"""Bytes that are committed at a time."""
OCTETS: Final = "application/octet-stream"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")


class ArtifactServicer(artifacts_pb2_grpc.ArtifactServiceServicer):
    """soundsight.render.v1.ArtifactService.

    Args:
        artifacts: where files lie.
        uploads: how far uploads are.
        scratch: a folder for temporary files.
        max_bytes: largest file that may be uploaded.
    """

    def __init__(
        self, artifacts: ArtifactStore, uploads: UploadStore, scratch: Path, max_bytes: int
    ) -> None:
        self._artifacts = artifacts
        self._uploads = uploads
        self._scratch = scratch
        self._max_bytes = max_bytes
        self._commits: set[asyncio.Task[int]] = set()

    async def Upload(  # noqa: N802
        self, request_iterator: AsyncIterator[artifacts_pb2.UploadRequest], context: Context
    ) -> artifacts_pb2.UploadResponse:
        """Takes a file, or what is still missing of it."""
        requests = aiter(request_iterator)
        first = await anext(requests, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidArgument("the first message must be the header", field="header")
        ref, announced = self._checked(first.header)
        upload = await self._uploads.begin(ref, announced)
        if upload.artifact is not None:
            if await self._is_there(upload.artifact):
                return artifacts_pb2.UploadResponse(artifact=upload.artifact)
            await self._uploads.discard(ref)
            upload = await self._uploads.begin(ref, announced)
        if first.header.offset_bytes != upload.committed_bytes:
            raise OutOfRange(
                f"offset_bytes is {first.header.offset_bytes}, but {upload.committed_bytes} bytes "
                "are committed: go on from there",
                reason="WRONG_OFFSET",
                metadata={"committed_bytes": str(upload.committed_bytes)},
            )
        committed = await self._take_parts(ref, announced, upload.committed_bytes, requests)
        if committed < announced.size_bytes:
            raise OutOfRange(
                f"the upload ended after {committed} of {announced.size_bytes} bytes; go on from "
                "there",
                reason="UPLOAD_INCOMPLETE",
                metadata={"committed_bytes": str(committed)},
            )
        return artifacts_pb2.UploadResponse(artifact=await self._join(ref, announced))

    async def GetUpload(  # noqa: N802
        self, request: artifacts_pb2.GetUploadRequest, context: Context
    ) -> artifacts_pb2.GetUploadResponse:
        """Tells how far an upload is."""
        ref = UploadRef(
            names.parse_project(request.parent),
            names.check_upload_id(request.upload_id, "upload_id"),
        )
        upload = await self._uploads.get(ref)
        if upload.artifact is not None and not await self._is_there(upload.artifact):
            raise NotFound(UPLOAD, ref.name)
        return artifacts_pb2.GetUploadResponse(
            committed_bytes=upload.committed_bytes, artifact=upload.artifact
        )

    async def Download(  # noqa: N802
        self, request: artifacts_pb2.DownloadRequest, context: Context
    ) -> AsyncIterator[artifacts_pb2.DownloadResponse]:
        """Gives out a file or a range of it; the first message names the whole file."""
        project = names.parse_project(request.parent)
        for field in ("offset_bytes", "limit_bytes"):
            if getattr(request, field) < 0:
                raise InvalidArgument(f"{field} must be 0 or more", field=field)
        wanted = ArtifactRef(uri=request.uri)
        ensure_project(self._artifacts, wanted, project)
        whole = await self._artifacts.head(self._artifacts.key_of(request.uri))
        if whole is None:
            raise NotFound("artifact", request.uri)
        if request.offset_bytes > whole.size_bytes:
            raise OutOfRange(
                f"offset_bytes is {request.offset_bytes}; the file has {whole.size_bytes} bytes",
                reason="OFFSET_BEYOND_END",
            )
        position = request.offset_bytes
        end = whole.size_bytes
        if request.limit_bytes:
            end = min(end, position + request.limit_bytes)
        answer = artifacts_pb2.DownloadResponse(artifact=whole)
        while position < end:
            answer.chunk = await self._artifacts.read_range(
                whole, position, min(CHUNK_BYTES, end - position)
            )
            if not answer.chunk:
                raise DataLoss(f"{request.uri} ended early: it was changed while it was read")
            position += len(answer.chunk)
            yield answer
            answer = artifacts_pb2.DownloadResponse()
        if answer.HasField("artifact"):
            yield answer  # an empty range still says what it is a range of

    def _checked(self, header: artifacts_pb2.UploadHeader) -> tuple[UploadRef, Announced]:
        """What a header says. Raises InvalidArgument."""
        project = names.parse_project(header.parent, "header.parent")
        upload_id = names.check_upload_id(header.upload_id, "header.upload_id")
        if not 1 <= header.size_bytes <= self._max_bytes:
            raise InvalidArgument(
                f"size_bytes is {header.size_bytes}, but must be 1 to {self._max_bytes}",
                field="header.size_bytes",
            )
        if header.sha256 and not _SHA256.fullmatch(header.sha256):
            raise InvalidArgument(
                "sha256 must be 64 lower-case hexadecimal digits", field="header.sha256"
            )
        media_type = header.media_type or OCTETS
        if not _MEDIA_TYPE.fullmatch(media_type):
            raise InvalidArgument(
                "media_type must be one such as audio/mpeg", field="header.media_type"
            )
        return UploadRef(project, upload_id), Announced(
            header.size_bytes, header.sha256, media_type
        )

    async def _is_there(self, artifact: ArtifactRef) -> bool:
        """Whether a finished upload's file was not removed from the store since."""
        return await self._artifacts.head(self._artifacts.key_of(artifact.uri)) is not None

    async def _take_parts(
        self,
        ref: UploadRef,
        announced: Announced,
        committed: int,
        requests: AsyncIterator[artifacts_pb2.UploadRequest],
    ) -> int:
        """Stores what comes in; returns the bytes that are committed afterwards.

        When the caller breaks off, what it had sent is committed before the error goes on.
        """
        part = bytearray()
        try:
            async for request in requests:
                if request.WhichOneof("part") != "chunk":
                    raise InvalidArgument("only the first message is a header", field="header")
                if len(request.chunk) > CHUNK_BYTES:
                    raise InvalidArgument(f"a chunk has at most {CHUNK_BYTES} bytes", field="chunk")
                part += request.chunk
                if committed + len(part) > announced.size_bytes:
                    raise InvalidArgument(
                        f"more bytes came than the {announced.size_bytes} announced", field="chunk"
                    )
                if len(part) >= PART_BYTES:
                    committed = await self._commit(ref, committed, bytes(part))
                    part.clear()
        finally:
            if part and committed + len(part) <= announced.size_bytes:
                # In a task of its own, since a caller's going may cut this one short at any time.
                last = asyncio.create_task(self._commit(ref, committed, bytes(part)))
                self._commits.add(last)
                last.add_done_callback(self._commits.discard)
                committed = await asyncio.shield(last)
        return committed

    async def _commit(self, ref: UploadRef, offset: int, data: bytes) -> int:
        # The digest in the name keeps two calls at once from taking each other's bytes for theirs.
        name = f"{offset:014}-{hashlib.sha256(data).hexdigest()}"
        key = project_key(ref.project, "upload-parts", ref.upload_id, name)
        stored = await self._artifacts.put_bytes(key, data, OCTETS)
        await self._uploads.add_part(ref, offset, stored)
        return offset + len(data)

    async def _join(self, ref: UploadRef, announced: Announced) -> ArtifactRef:
        """Makes one file of the parts, under its own digest.

        Raises InvalidArgument when it is not what was announced; the upload is forgotten then.
        """
        parts = await self._uploads.parts(ref)
        folder = Path(tempfile.mkdtemp(prefix="upload-", dir=self._scratch))
        try:
            whole, digest = folder / "file", hashlib.sha256()
            with whole.open("wb") as file:
                for part in parts:
                    async for chunk in self._artifacts.stream(part):
                        digest.update(chunk)
                        file.write(chunk)
            sha256 = digest.hexdigest()
            sound = sha256 == (announced.sha256 or sha256)
            if sound:
                key = project_key(ref.project, "uploads", sha256)
                artifact = await self._artifacts.put_file(key, whole, announced.media_type)
                await self._uploads.finish(ref, artifact)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not sound:
            await self._uploads.discard(ref)
        for part in parts:
            await self._artifacts.delete(self._artifacts.key_of(part.uri))
        if not sound:
            raise InvalidArgument(
                f"the bytes that came have the SHA-256 {sha256}, not the one announced; send the "
                "file again from the start",
                field="header.sha256",
                reason="CHECKSUM_MISMATCH",
            )
        return artifact
