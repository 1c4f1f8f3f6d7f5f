"""A gateway that follows a script: it keeps its contracts and fails when it is told to."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import (
    artifacts_pb2,
    artifacts_pb2_grpc,
    render_pb2,
    render_pb2_grpc,
    resources_pb2,
)
from soundsight_client import Client, Timeouts
from soundsight_kit.errors import NotFound, OutOfRange, SoundsightError, Unavailable
from soundsight_kit.server import ServiceBinding
from soundsight_kit.testing import running_server

State = resources_pb2.RenderState


class ScriptedFiles(artifacts_pb2_grpc.ArtifactServiceServicer):
    """Files in memory. `break_after` lists after how many chunks calls break off."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.parts: dict[str, bytearray] = {}
        self.writing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.received_bytes = 0
        self.upload_errors: list[SoundsightError] = []
        self.break_uploads_after: list[int] = []
        self.break_downloads_after: list[int] = []
        self.damage = False

    async def Upload(
        self, request_iterator: AsyncIterator[artifacts_pb2.UploadRequest], context: Any
    ) -> artifacts_pb2.UploadResponse:
        requests = aiter(request_iterator)
        header = (await anext(requests)).header
        if self.upload_errors:
            raise self.upload_errors.pop(0)
        uri = f"file:///store/{header.sha256}"
        async with self.writing[header.upload_id]:  # one call at a time adds to a part
            if uri not in self.files:
                part = self.parts.setdefault(header.upload_id, bytearray())
                if header.offset_bytes != len(part):
                    raise _so_far(part, "WRONG_OFFSET")
                await self._take(requests, part)
                if len(part) < header.size_bytes:
                    raise _so_far(part, "UPLOAD_INCOMPLETE")
                self.files[uri] = bytes(part)
        return artifacts_pb2.UploadResponse(artifact=self.ref(uri))

    async def _take(
        self, requests: AsyncIterator[artifacts_pb2.UploadRequest], part: bytearray
    ) -> None:
        left = -1
        async for request in requests:
            if left < 0:  # only a call that brings bytes can break
                left = self.break_uploads_after.pop(0) if self.break_uploads_after else 1 << 30
            if left == 0:
                raise Unavailable("the line broke")
            left -= 1
            part += request.chunk
            self.received_bytes += len(request.chunk)

    async def Download(
        self, request: artifacts_pb2.DownloadRequest, context: Any
    ) -> AsyncIterator[artifacts_pb2.DownloadResponse]:
        if request.uri not in self.files:
            raise NotFound("artifact", request.uri)
        data = self.files[request.uri][request.offset_bytes :]
        if request.limit_bytes:
            data = data[: request.limit_bytes]
        left = self.break_downloads_after.pop(0) if self.break_downloads_after else 1 << 30
        answer = artifacts_pb2.DownloadResponse(artifact=self.ref(request.uri))
        for start in range(0, len(data), 1000):
            if left == 0:
                raise Unavailable("the line broke")
            left -= 1
            answer.chunk = data[start : start + 1000]
            if self.damage:
                answer.chunk = bytes(len(answer.chunk))
            yield answer
            answer = artifacts_pb2.DownloadResponse()

    def ref(self, uri: str) -> ArtifactRef:
        data = self.files[uri]
        digest = hashlib.sha256(data).hexdigest()
        return ArtifactRef(uri=uri, sha256=digest, size_bytes=len(data))


def _so_far(part: bytearray, reason: str) -> OutOfRange:
    return OutOfRange("not so", reason=reason, metadata={"committed_bytes": str(len(part))})


class ScriptedRenders(render_pb2_grpc.RenderServiceServicer):
    """Renders by request id. `errors` are raised first, one per call of any kind."""

    def __init__(self) -> None:
        self.errors: list[SoundsightError] = []
        self.calls: list[str] = []
        self.by_request: dict[str, resources_pb2.Render] = {}
        self.born: Callable[[resources_pb2.Render], None] = lambda render: None
        self.changes = 0
        self.break_watch_after: list[int] = []
        self.after_sequences: list[int] = []
        self.delay_s: list[float] = []

    async def _begin(self, rpc: str) -> None:
        self.calls.append(rpc)
        if self.delay_s:
            await asyncio.sleep(self.delay_s.pop(0))
        if self.errors:
            raise self.errors.pop(0)

    async def CreateRender(
        self, request: render_pb2.CreateRenderRequest, context: Any
    ) -> resources_pb2.Render:
        if request.request_id not in self.by_request:
            render = resources_pb2.Render()
            render.CopyFrom(request.render)
            render.name = f"{request.parent}/renders/made-{len(self.by_request)}"
            render.state = State.RENDER_STATE_QUEUED
            self.born(render)
            self.by_request[request.request_id] = render
        # The answer may be lost although the render was made.
        await self._begin("CreateRender")
        return self.by_request[request.request_id]

    async def GetRender(
        self, request: render_pb2.GetRenderRequest, context: Any
    ) -> resources_pb2.Render:
        await self._begin("GetRender")
        for render in self.by_request.values():
            if render.name == request.name:
                return render
        raise NotFound("render", request.name)

    async def ListRenders(
        self, request: render_pb2.ListRendersRequest, context: Any
    ) -> render_pb2.ListRendersResponse:
        await self._begin("ListRenders")
        renders = list(self.by_request.values())
        start = int(request.page_token or 0)
        return render_pb2.ListRendersResponse(
            renders=renders[start : start + 2],
            next_page_token=str(start + 2) if start + 2 < len(renders) else "",
        )

    async def WatchRender(
        self, request: render_pb2.WatchRenderRequest, context: Any
    ) -> AsyncIterator[resources_pb2.RenderEvent]:
        self.after_sequences.append(request.after_sequence)
        await self._begin("WatchRender")
        left = self.break_watch_after.pop(0) if self.break_watch_after else 1 << 30
        for number in range(request.after_sequence + 1, self.changes + 1):
            if left == 0:
                raise Unavailable("going away", reason="DRAINING", retry_after_s=0.01)
            left -= 1
            last = number == self.changes
            state = State.RENDER_STATE_SUCCEEDED if last else State.RENDER_STATE_FILMING
            event = resources_pb2.RenderEvent()
            event.state_change.sequence, event.state_change.state = number, state
            yield event
            if not last:
                event = resources_pb2.RenderEvent()
                event.progress.fraction = number / self.changes
                yield event


class ScriptedGateway:
    """Both services, and a client of them."""

    def __init__(self, target: str, renders: ScriptedRenders, files: ScriptedFiles) -> None:
        self.target = target
        self.renders = renders
        self.files = files
        self.client = Client(
            target,
            project="projects/demo",
            timeouts=Timeouts(attempt_s=60.0, total_s=120.0, transfer_s=120.0),
        )


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    """A scripted gateway, and a client of it."""
    # Calls that no test makes are left out; at run time the generated classes answer those.
    renders = ScriptedRenders()  # type: ignore[abstract]
    files = ScriptedFiles()  # type: ignore[abstract]
    bindings = (
        ServiceBinding(
            "soundsight.render.v1.RenderService",
            lambda server: render_pb2_grpc.add_RenderServiceServicer_to_server(renders, server),
        ),
        ServiceBinding(
            "soundsight.render.v1.ArtifactService",
            lambda server: artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server(files, server),
        ),
    )
    async with running_server(*bindings) as target:
        made = ScriptedGateway(target, renders, files)
        async with made.client:
            yield made
