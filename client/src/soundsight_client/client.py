"""A client of RenderService and ArtifactService. One method per thing a caller wants."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, TypeVar

import grpc

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import artifacts_pb2, render_pb2
from soundsight.render.v1.artifacts_pb2_grpc import ArtifactServiceStub
from soundsight.render.v1.render_pb2_grpc import RenderServiceStub
from soundsight.render.v1.resources_pb2 import Render, RenderEvent, RenderSpec, RenderState
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_client.retrying import TRANSIENT, pause_before_retry, persistently
from soundsight_kit.channels import ClientTls, open_channel
from soundsight_kit.errors import DataLoss, InvalidArgument, NotFound, error_from_rpc

Answer = TypeVar("Answer")

CHUNK_BYTES = 1 << 20
MAX_READ_BYTES = 64 << 20
"""Largest artifact that `read` takes into memory."""

# A name space of our own, so that no other program's UUIDs mean our renders.
_REQUESTS = uuid.uuid5(uuid.NAMESPACE_DNS, "requests.soundsight.dev")

Progress = Callable[[int, int], None]
"""Is told bytes done and bytes in all."""

_GAVE_UP = (RenderState.RENDER_STATE_FAILED, RenderState.RENDER_STATE_CANCELLED)


@dataclass(frozen=True)
class Timeouts:
    """How long calls may take, in seconds."""

    attempt_s: float = 30.0
    """One attempt of a short call."""
    total_s: float = 120.0
    """A short call with all its attempts, and how long a watch bears a gateway that is away."""
    transfer_s: float = 3600.0
    """One attempt of an upload or download."""


class Client:
    """Talks to one gateway on behalf of one project.

    Args:
        target: `host:port`, `dns:///name:port` or `unix:/path`.
        project: `projects/{project}`.
        tls: how to prove the gateway; None for plain text.
        timeouts: how long calls may take.
    """

    def __init__(
        self,
        target: str,
        *,
        project: str,
        tls: ClientTls | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._project = project
        self._timeouts = timeouts or Timeouts()
        self._channel = open_channel(target, tls)
        self._renders = RenderServiceStub(self._channel)
        self._artifacts = ArtifactServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._channel.close()

    async def upload(
        self, path: Path, progress: Progress | None = None, media_type: str = ""
    ) -> ArtifactRef:
        """Stores a file. One that was broken off goes on where it stopped; one that is there
        already is not sent again.

        Raises:
            InvalidArgument: when the gateway does not take such a file.
            SoundsightError: when the gateway cannot be reached.
            OSError: when the file cannot be read.
        """
        digest, size = await asyncio.to_thread(_digest_and_size, path)
        header = artifacts_pb2.UploadHeader(
            parent=self._project,
            # Named after its content, so that any later attempt finds what was sent.
            upload_id=digest[:40],
            size_bytes=size,
            sha256=digest,
            media_type=media_type,
            file_name=path.name,
        )

        async def attempt(timeout_s: float) -> ArtifactRef:
            header.offset_bytes = await self._committed_bytes(header.upload_id)
            requests = _upload_requests(header, path, progress)
            response = await self._artifacts.Upload(requests, timeout=timeout_s)
            return response.artifact

        transfer_s = self._timeouts.transfer_s
        return await persistently(attempt, attempt_s=transfer_s, total_s=transfer_s)

    async def _committed_bytes(self, upload_id: str) -> int:
        request = artifacts_pb2.GetUploadRequest(parent=self._project, upload_id=upload_id)
        try:
            answer = await self._short(
                lambda timeout_s: self._artifacts.GetUpload(request, timeout=timeout_s)
            )
        except NotFound:
            return 0
        return answer.committed_bytes

    async def ensure_render(self, spec: RenderSpec) -> Render:
        """Returns the render of this spec: the one under way, the finished one, or a new one.

        The same spec names the same render, across processes. One that failed or was cancelled is
        followed by a new one, which finds all finished work.
        """
        spec_bytes = spec.SerializeToString(deterministic=True)
        for attempt in range(1_000_000):
            name = f"{self._project} {hashlib.sha256(spec_bytes).hexdigest()} {attempt}"
            render = await self.create_render(spec, request_id=str(uuid.uuid5(_REQUESTS, name)))
            if render.state not in _GAVE_UP:
                break
        return render

    async def create_render(self, spec: RenderSpec, *, request_id: str = "") -> Render:
        """Starts a render; with a `request_id` (a UUID) that was used before, returns that one.

        Raises:
            InvalidArgument: for a spec that cannot be rendered, naming the fields.
        """
        request = render_pb2.CreateRenderRequest(
            parent=self._project,
            render=Render(spec=spec),
            # Without one a repeated attempt could start a second render.
            request_id=request_id or str(uuid.uuid4()),
        )
        return await self._short(
            lambda timeout_s: self._renders.CreateRender(request, timeout=timeout_s)
        )

    async def get_render(self, name: str) -> Render:
        """Returns a render."""
        request = render_pb2.GetRenderRequest(name=name)
        return await self._short(
            lambda timeout_s: self._renders.GetRender(request, timeout=timeout_s)
        )

    async def list_renders(self, filter_text: str = "") -> AsyncIterator[Render]:
        """Yields the project's renders, newest first; `filter_text` as in the contract."""
        request = render_pb2.ListRendersRequest(parent=self._project, filter=filter_text)
        while True:
            page = await self._short(
                lambda timeout_s: self._renders.ListRenders(request, timeout=timeout_s)
            )
            for render in page.renders:
                yield render
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel_render(self, name: str) -> Render:
        """Stops a render; one that has ended stays as it is."""
        request = render_pb2.CancelRenderRequest(name=name)
        return await self._short(
            lambda timeout_s: self._renders.CancelRender(request, timeout=timeout_s)
        )

    async def get_storyboard(self, name: str) -> Storyboard:
        """Returns the storyboard of the render `name`."""
        request = render_pb2.GetStoryboardRequest(name=f"{name}/storyboard")
        return await self._short(
            lambda timeout_s: self._renders.GetStoryboard(request, timeout=timeout_s)
        )

    async def watch_render(
        self, name: str, *, after_sequence: int = 0, previews: bool = False
    ) -> AsyncIterator[RenderEvent]:
        """Yields a render's events to its final state change.

        A gateway that goes away is waited for, for up to `Timeouts.total_s`; no state change is
        lost or seen twice over it.
        """
        request = render_pb2.WatchRenderRequest(
            name=name, after_sequence=after_sequence, previews=previews
        )
        attempt, alive = 0, time.monotonic()
        while True:
            try:
                async for event in self._renders.WatchRender(request):
                    attempt, alive = 0, time.monotonic()
                    if event.HasField("state_change"):
                        request.after_sequence = event.state_change.sequence
                    yield event
                return
            except grpc.RpcError as raised:
                error = error_from_rpc(raised)
                pause_s = pause_before_retry(error, attempt)
                away_s = time.monotonic() - alive
                if error.code not in TRANSIENT or away_s + pause_s > self._timeouts.total_s:
                    raise error from None
            attempt += 1
            await asyncio.sleep(pause_s)

    async def read(self, artifact: ArtifactRef) -> bytes:
        """Returns a small file's bytes, verified.

        Raises:
            InvalidArgument: for one larger than 64 MiB; `download` takes those.
            DataLoss: when what arrives is not what the reference says.
        """
        if artifact.size_bytes > MAX_READ_BYTES:
            raise InvalidArgument(f"{artifact.uri} is too large to be read at once; download it")
        data = bytearray()
        async for chunk in self._chunks(artifact):
            data += chunk
        _verify(artifact, hashlib.sha256(data).hexdigest())
        return bytes(data)

    async def download(
        self, artifact: ArtifactRef, destination: Path, progress: Progress | None = None
    ) -> None:
        """Fetches a file, verified; it appears under its name only when it is whole.

        Raises:
            DataLoss: when what arrives is not what the reference says.
            OSError: when the file cannot be written.
        """
        digest, done = hashlib.sha256(), 0
        with _appearing_whole(destination) as file:
            async for chunk in self._chunks(artifact):
                digest.update(chunk)
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, artifact.size_bytes)
            _verify(artifact, digest.hexdigest())

    async def _chunks(self, artifact: ArtifactRef) -> AsyncIterator[bytes]:
        """Yields a file's bytes in order, going on after a broken connection."""
        request = artifacts_pb2.DownloadRequest(parent=self._project, uri=artifact.uri)
        attempt = 0
        deadline = time.monotonic() + self._timeouts.transfer_s
        while True:
            try:
                timeout_s = max(0.001, deadline - time.monotonic())
                async for answer in self._artifacts.Download(request, timeout=timeout_s):
                    attempt = 0
                    request.offset_bytes += len(answer.chunk)
                    yield answer.chunk
                return
            except grpc.RpcError as raised:
                error = error_from_rpc(raised)
                pause_s = pause_before_retry(error, attempt)
                if error.code not in TRANSIENT or time.monotonic() + pause_s >= deadline:
                    raise error from None
            attempt += 1
            await asyncio.sleep(pause_s)

    async def _short(self, call: Callable[[float], Awaitable[Answer]]) -> Answer:
        return await persistently(
            call, attempt_s=self._timeouts.attempt_s, total_s=self._timeouts.total_s
        )


def _digest_and_size(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


async def _upload_requests(
    header: artifacts_pb2.UploadHeader, path: Path, progress: Progress | None
) -> AsyncIterator[artifacts_pb2.UploadRequest]:
    """Yields the header, then the file from where the header says."""
    yield artifacts_pb2.UploadRequest(header=header)
    with path.open("rb") as file:
        file.seek(header.offset_bytes)
        while chunk := file.read(CHUNK_BYTES):
            yield artifacts_pb2.UploadRequest(chunk=chunk)
            if progress is not None:
                progress(file.tell(), header.size_bytes)


def _verify(artifact: ArtifactRef, sha256: str) -> None:
    if artifact.sha256 and sha256 != artifact.sha256:
        raise DataLoss(f"{artifact.uri} did not arrive whole: its digest differs")


@contextmanager
def _appearing_whole(destination: Path) -> Iterator[IO[bytes]]:
    """Opens a file that gets its name when the block ends well, and goes when it does not."""
    with tempfile.NamedTemporaryFile(
        dir=destination.parent, prefix=f".{destination.name}.", suffix=".part", delete=False
    ) as file:
        part = Path(file.name)
        try:
            yield file
        except BaseException:
            part.unlink()
            raise
    # A temporary file is private; the finished one is like any other of the user's.
    part.chmod(0o666 & ~_umask())
    part.replace(destination)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
