"""The render API. Checks what is asked, writes it down, hands it to the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2

from soundsight.render.v1 import render_pb2, render_pb2_grpc
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight_gateway import keys, listing, names
from soundsight_gateway.engine import Engine
from soundsight_gateway.estimating import Estimating
from soundsight_gateway.names import RenderRef
from soundsight_gateway.queries import RENDER
from soundsight_gateway.records import Records
from soundsight_gateway.store import NewRender, RenderStore
from soundsight_gateway.validation import SpecLimits, check_labels, check_spec
from soundsight_gateway.watching import Watching
from soundsight_kit.artifacts import ArtifactStore, ensure_project
from soundsight_kit.errors import InvalidArgument, NotFound, Unimplemented

Context = grpc.aio.ServicerContext[Any, Any]


class RenderServicer(render_pb2_grpc.RenderServiceServicer):
    """soundsight.render.v1.RenderService."""

    def __init__(
        self,
        store: RenderStore,
        artifacts: ArtifactStore,
        engine: Engine,
        watching: Watching,
        estimating: Estimating,
        limits: SpecLimits,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._records = Records(artifacts)
        self._engine = engine
        self._watching = watching
        self._estimating = estimating
        self._limits = limits

    async def CreateRender(  # noqa: N802
        self, request: render_pb2.CreateRenderRequest, context: Context
    ) -> r.Render:
        """Writes a render down and starts it; a paused one of the same request id goes on."""
        project = names.parse_project(request.parent)
        if request.render_id:
            names.check_render_id(request.render_id, "render_id")
        request_id = (
            names.check_request_id(request.request_id, "request_id") if request.request_id else ""
        )
        spec = request.render.spec
        await self._check(project, spec)
        check_labels(request.render.labels)
        new = NewRender(
            ref=RenderRef(project, request.render_id or names.new_render_id()),
            spec=spec,
            spec_digest=keys.spec_digest(spec),
            labels=dict(request.render.labels),
            request_id=request_id,
        )
        render, created = await self._store.create(new)
        ref = names.parse_render(render.name)
        if created:
            await self._engine.submit(ref)
            return render
        await self._engine.resume(ref)
        return await self._store.get(ref)

    async def GetRender(  # noqa: N802
        self, request: render_pb2.GetRenderRequest, context: Context
    ) -> r.Render:
        """Returns a render."""
        return await self._store.get(names.parse_render(request.name))

    async def ListRenders(  # noqa: N802
        self, request: render_pb2.ListRendersRequest, context: Context
    ) -> render_pb2.ListRendersResponse:
        """Returns a page of a project's renders."""
        project = names.parse_project(request.parent)
        wanted = listing.parse_filter(request.filter)
        scope = f"{project}|{request.filter}"
        page, cursor = await self._store.page(
            project,
            wanted,
            listing.page_size(request.page_size),
            listing.read_token(request.page_token, scope),
        )
        token = listing.write_token(cursor, scope) if cursor is not None else ""
        return render_pb2.ListRendersResponse(renders=page, next_page_token=token)

    async def CancelRender(  # noqa: N802
        self, request: render_pb2.CancelRenderRequest, context: Context
    ) -> r.Render:
        """Stops a render."""
        ref = names.parse_render(request.name)
        await self._engine.cancel(ref)
        return await self._store.get(ref)

    async def DeleteRender(  # noqa: N802
        self, request: render_pb2.DeleteRenderRequest, context: Context
    ) -> empty_pb2.Empty:
        """Forgets an ended render, and its video unless another render of the project has it.

        Clips, analyses and storyboards stay: they are found by key.
        """
        ref = names.parse_render(request.name)
        gone = await self._store.delete(ref, request.etag)
        await self._engine.forget(ref)
        video = gone.outputs.video.uri
        if video and not await self._store.uses(ref.project, video):
            folder = self._artifacts.key_of(video).rpartition("/")[0]
            for key in await self._artifacts.list(folder):
                await self._artifacts.delete(key)
        return empty_pb2.Empty()

    async def WatchRender(  # noqa: N802
        self, request: render_pb2.WatchRenderRequest, context: Context
    ) -> AsyncIterator[r.RenderEvent]:
        """Streams what happens to a render."""
        ref = names.parse_render(request.name)
        if request.after_sequence < 0:
            raise InvalidArgument("after_sequence must be 0 or more", field="after_sequence")
        events = self._watching.events(ref, request.after_sequence, previews=request.previews)
        async for event in events:
            yield event

    async def GetStoryboard(  # noqa: N802
        self, request: render_pb2.GetStoryboardRequest, context: Context
    ) -> storyboard_pb2.Storyboard:
        """Returns the storyboard of a render."""
        ref = names.parse_storyboard(request.name)
        render = await self._store.get(ref)
        if not render.outputs.HasField("storyboard"):
            raise NotFound(
                "soundsight.dev/Storyboard",
                request.name,
                message=f"{ref.name} has no storyboard yet",
                reason="NOT_WRITTEN_YET",
            )
        return await self._records.read(render.outputs.storyboard, storyboard_pb2.Storyboard())

    async def EstimateRender(  # noqa: N802
        self, request: render_pb2.EstimateRenderRequest, context: Context
    ) -> r.RenderEstimate:
        """Tells what a render would take."""
        project = names.parse_project(request.parent)
        await self._check(project, request.render.spec)
        return await self._estimating.estimate(project, request.render.spec)

    async def UpdateStoryboard(  # noqa: N802
        self, request: render_pb2.UpdateStoryboardRequest, context: Context
    ) -> storyboard_pb2.Storyboard:
        """Not offered yet."""
        _not_offered("UpdateStoryboard")

    async def ApproveStoryboard(  # noqa: N802
        self, request: render_pb2.ApproveStoryboardRequest, context: Context
    ) -> r.Render:
        """Not offered yet."""
        _not_offered("ApproveStoryboard")

    async def RegenerateScene(  # noqa: N802
        self, request: render_pb2.RegenerateSceneRequest, context: Context
    ) -> r.Render:
        """Not offered yet."""
        _not_offered("RegenerateScene")

    async def _check(self, project: str, spec: r.RenderSpec) -> None:
        """Checks a spec, and that the files it names are there and the project's own."""
        check_spec(spec, self._limits)
        files = [spec.song]
        for member in spec.brief.cast:
            files.extend(member.reference_images)
        for file in files:
            ensure_project(self._artifacts, file, project)
            there = await self._artifacts.head(self._artifacts.key_of(file.uri))
            if there is None:
                raise NotFound("artifact", file.uri)
            if file.sha256 and file.sha256 != there.sha256:
                raise InvalidArgument(
                    f"{file.uri} has the SHA-256 {there.sha256}, not the one given",
                    field="render.spec",
                    reason="DIGEST_MISMATCH",
                )


def _not_offered(rpc: str) -> NoReturn:
    raise Unimplemented(
        f"{rpc} is not offered by this gateway yet; change the spec and create another render: it "
        "reuses all scenes that stay the same",
        reason="RPC_NOT_OFFERED",
        metadata={"rpc": rpc, "resource_type": RENDER},
    )
