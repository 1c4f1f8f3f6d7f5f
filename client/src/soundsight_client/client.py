"""A client of RenderService and ArtifactService. One method per thing a caller wants."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, TypeVar

import grpc
from google.protobuf import json_format

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import artifacts_pb2, render_pb2
from soundsight.render.v1.artifacts_pb2_grpc import ArtifactServiceStub
from soundsight.render.v1.render_pb2_grpc import RenderServiceStub
from soundsight.render.v1.resources_pb2 import (
    Render,
    RenderEstimate,
    RenderEvent,
    RenderSpec,
    RenderState,
)
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_client.retrying import Patience, persistently
from soundsight_client.uploading import Progress, send_file
from soundsight_kit.channels import ClientTls, TlsSource, open_channel
from soundsight_kit.errors import DataLoss, InvalidArgument, NotFound, error_from_rpc

Answer = TypeVar("Answer")

MAX_READ_BYTES = 64 << 20
"""Largest artifact that `read` takes into memory."""

# A name space of our own, so that no other program's UUIDs mean our renders.
_REQUESTS = uuid.uuid5(uuid.NAMESPACE_DNS, "requests.soundsight.dev")

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
        tls: how to prove the gateway, given or asked for at each call; None for plain text.
        timeouts: how long calls may take.
    """

    def __init__(
        self,
        target: str,
        *,
        project: str,
        tls: ClientTls | TlsSource | None = None,
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
            upload_id=hashlib.sha256(f"{digest} {media_type}".encode()).hexdigest()[:40],
            size_bytes=size,
            sha256=digest,
            media_type=media_type,
            file_name=_printable(path.name),
        )
        return await send_file(
            self._artifacts, header, path, progress or _nobody, self._timeouts.transfer_s
        )

    async def ensure_render(self, spec: RenderSpec) -> Render:
        """Returns the render of this spec: the one under way, the finished one, or a new one.

        The same spec names the same render, across processes. One that failed, was cancelled, or
        whose result was removed from the store is followed by a new one, which finds all finished
        work. One that an earlier gateway left unfinished goes on.

        Raises:
            InvalidArgument: for a spec that cannot be rendered, naming the fields.
        """
        # Not the serialised message: its bytes are not the same everywhere.
        described = json_format.MessageToJson(spec, sort_keys=True, indent=None)
        digest = hashlib.sha256(described.encode()).hexdigest()
        attempt = 0
        while True:
            name = f"{self._project} {digest} {attempt}"
            render = await self.create_render(spec, request_id=str(uuid.uuid5(_REQUESTS, name)))
            if render.state not in _GAVE_UP and await self._can_be_fetched(render):
                return render
            attempt += 1

    async def _can_be_fetched(self, render: Render) -> bool:
        """Whether a render has not succeeded yet, or what it made is still in the store."""
        if render.state != RenderState.RENDER_STATE_SUCCEEDED:
            return True
        outputs = render.outputs
        for artifact in (outputs.video, outputs.storyboard, outputs.analysis):
            if artifact.uri:
                first_byte = artifacts_pb2.DownloadRequest(
                    parent=self._project, uri=artifact.uri, limit_bytes=1
                )
                try:
                    async for _ in self._answers(first_byte):
                        pass
                except NotFound:
                    return False
        return True

    async def create_render(
        self,
        spec: RenderSpec,
        *,
        labels: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> Render:
        """Starts a render; with a `request_id` (a UUID) that was used before, returns that one.

        Raises:
            InvalidArgument: for a spec that cannot be rendered, naming the fields.
        """
        request = render_pb2.CreateRenderRequest(
            parent=self._project,
            render=Render(spec=spec, labels=labels),
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

    async def delete_render(self, name: str, *, etag: str = "") -> None:
        """Forgets a render that has ended, and its video unless another render has it.

        Raises:
            FailedPrecondition: when it has not ended.
            Aborted: when `etag` is given and it has changed since.
        """
        request = render_pb2.DeleteRenderRequest(name=name, etag=etag)
        await self._short(lambda timeout_s: self._renders.DeleteRender(request, timeout=timeout_s))

    async def estimate_render(self, spec: RenderSpec) -> RenderEstimate:
        """Returns what a render would take. Takes the song in for that, so it may take a while."""
        request = render_pb2.EstimateRenderRequest(parent=self._project, render=Render(spec=spec))
        return await persistently(
            lambda timeout_s: self._renders.EstimateRender(request, timeout=timeout_s),
            attempt_s=self._timeouts.transfer_s,
            total_s=self._timeouts.transfer_s,
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
        patience = Patience(self._timeouts.total_s)
        while True:
            patience.attempt()
            try:
                async for event in self._renders.WatchRender(request):
                    patience.succeeded()
                    if event.HasField("state_change"):
                        request.after_sequence = event.state_change.sequence
                    yield event
                return
            except grpc.RpcError as raised:
                await asyncio.sleep(patience.pause_after(error_from_rpc(raised)))

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
        async for answer in self._answers(request):
            yield answer.chunk

    async def _answers(
        self, request: artifacts_pb2.DownloadRequest
    ) -> AsyncIterator[artifacts_pb2.DownloadResponse]:
        """Yields what a download brings, going on after a broken connection."""
        patience = Patience(self._timeouts.total_s)
        while True:
            patience.attempt()
            call = self._artifacts.Download(request, timeout=self._timeouts.transfer_s)
            try:
                async for answer in call:
                    patience.succeeded()
                    request.offset_bytes += len(answer.chunk)
                    if request.limit_bytes:
                        request.limit_bytes -= len(answer.chunk)
                        if request.limit_bytes == 0:
                            yield answer
                            return
                    yield answer
                return
            except grpc.RpcError as raised:
                await asyncio.sleep(patience.pause_after(error_from_rpc(raised)))

    async def _short(self, call: Callable[[float], Awaitable[Answer]]) -> Answer:
        return await persistently(
            call, attempt_s=self._timeouts.attempt_s, total_s=self._timeouts.total_s
        )


def _digest_and_size(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def _nobody(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def _printable(name: str) -> str:
    """A file's name as text, whatever bytes it was made of."""
    return name.encode("utf-8", "replace").decode()[:200]


def _verify(artifact: ArtifactRef, sha256: str) -> None:
    if artifact.sha256 and sha256 != artifact.sha256:
        raise DataLoss(f"{artifact.uri} did not arrive whole: its digest differs")


@contextmanager
def _appearing_whole(destination: Path) -> Iterator[IO[bytes]]:
    """Opens a file that gets its name when the block ends well, and goes when it does not."""
    with tempfile.NamedTemporaryFile(
        # Not the whole name: with more to it, a long one would be too long.
        dir=destination.parent,
        prefix=f".{destination.name[:40]}.",
        suffix=".part",
        delete=False,
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
