"""What each stage of a render does, filming apart: calls, artifacts, rows.

Every stage may be interrupted anywhere and run again: results lie under keys, and what exists is
used. The workflow says when and how often; here is what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from soundsight.analyzer.v1 import analysis_pb2, analyzer_pb2_grpc
from soundsight.common.v1 import common_pb2
from soundsight.composer.v1 import composer_pb2, composer_pb2_grpc
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import scenewriter_pb2, scenewriter_pb2_grpc, storyboard_pb2
from soundsight.videogen.v1 import profile_pb2, videogen_pb2
from soundsight_gateway import calls, keys, listening, plan, states
from soundsight_gateway.hub import Hub
from soundsight_gateway.ingest import Ingest, Taken
from soundsight_gateway.names import RenderRef
from soundsight_gateway.pool_store import PoolStore
from soundsight_gateway.records import Records
from soundsight_gateway.services import Services
from soundsight_gateway.settings import GatewaySettings
from soundsight_gateway.store import RenderStore
from soundsight_kit.artifacts import ArtifactStore, ensure_project, project_key
from soundsight_kit.context import bind_ids
from soundsight_kit.errors import Internal, InvalidArgument, NotFound, Unimplemented
from soundsight_kit.logs import log
from soundsight_kit.timeline import check_storyboard

CANCEL_TIMEOUT_S = 2.0
CLIP_READS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Tools:
    """What stages work with."""

    settings: GatewaySettings
    store: RenderStore
    memory: PoolStore
    artifacts: ArtifactStore
    records: Records
    hub: Hub
    services: Services
    ingest: Ingest


class Stages:
    """The stages before and after filming."""

    def __init__(self, tools: Tools) -> None:
        self._t = tools

    async def take_in(self, ref: RenderRef) -> None:
        """INGESTING: the song becomes canonical FLAC, its frames are counted."""
        with bind_ids(render=ref.name):
            await self._t.store.enter(ref, states.INGESTING)
            render = await self._t.store.get(ref)
            wish = plan.wish(render.spec)
            self._report(ref, states.INGESTING, render, common_pb2.Progress(stage="decode"))
            taken = await self._take(ref.project, render.spec, wish)
            await self._t.store.note(ref, song=taken.song, notes=taken.notes)

    async def analyse(self, ref: RenderRef) -> r.RenderGoal.ValueType:
        """ANALYZING: what is heard, under its key. Returns how far the render goes."""
        with bind_ids(render=ref.name):
            await self._t.store.enter(ref, states.ANALYZING)
            render = await self._t.store.get(ref)
            analysis, made = await self._analysis(ref, render)
            outputs = r.RenderOutputs()
            outputs.CopyFrom(render.outputs)
            outputs.analysis.CopyFrom(made)
            await self._t.store.note(ref, outputs=outputs, notes=analysis.warnings)
            goal = plan.wish(render.spec).goal
            if goal == r.RENDER_GOAL_ANALYSIS:
                await self._finish(ref, outputs)
            return goal

    async def write(self, ref: RenderRef) -> None:
        """WRITING: the storyboard, under its key, its invariant checked."""
        with bind_ids(render=ref.name):
            await self._t.store.enter(ref, states.WRITING)
            render = await self._t.store.get(ref)
            wish = plan.wish(render.spec)
            profile = await self._t.services.profile(wish.pool)
            analysis = await self._t.records.read(
                render.outputs.analysis, analysis_pb2.SongAnalysis()
            )
            storyboard, made = await self._storyboard(ref, render, analysis, profile)
            outputs = r.RenderOutputs()
            outputs.CopyFrom(render.outputs)
            outputs.storyboard.CopyFrom(made)
            await self._t.store.note(ref, outputs=outputs, notes=storyboard.notes)
            if wish.goal == r.RENDER_GOAL_STORYBOARD:
                await self._finish(ref, outputs)

    async def compose(self, ref: RenderRef) -> None:
        """COMPOSING: clips and song become one file, under its key."""
        with bind_ids(render=ref.name):
            await self._t.store.enter(ref, states.COMPOSING)
            render = await self._t.store.get(ref)
            composition = await self._composition(ref, render)
            wish = plan.wish(render.spec)
            outputs = r.RenderOutputs(resolution=wish.resolution, frame_rate=wish.frame_rate)
            outputs.MergeFrom(render.outputs)
            outputs.video.CopyFrom(composition.video)
            outputs.poster.CopyFrom(composition.poster)
            outputs.frames = composition.frames
            outputs.duration_s = composition.duration_s
            await self._t.store.note(ref, outputs=outputs, notes=composition.notes)

    async def publish(self, ref: RenderRef) -> None:
        """PUBLISHING: what came out is there, and the render has succeeded."""
        with bind_ids(render=ref.name):
            await self._t.store.enter(ref, states.PUBLISHING)
            outputs = (await self._t.store.get(ref)).outputs
            for one in (outputs.video, outputs.analysis, outputs.storyboard):
                if await self._t.artifacts.head(self._t.artifacts.key_of(one.uri)) is None:
                    raise NotFound("artifact", one.uri)
            await self._finish(ref, outputs)

    async def _finish(self, ref: RenderRef, outputs: r.RenderOutputs) -> None:
        await self._t.store.enter(ref, states.SUCCEEDED, outputs=outputs)
        self._t.hub.end(ref)

    async def _take(self, project: str, spec: r.RenderSpec, wish: plan.Wish) -> Taken:
        excerpt = spec.excerpt if spec.HasField("excerpt") else None
        return await self._t.ingest.take(project, spec.song, excerpt, wish.frame_rate)

    async def _analysis(
        self, ref: RenderRef, render: r.Render
    ) -> tuple[analysis_pb2.SongAnalysis, common_pb2.ArtifactRef]:
        info = await calls.describe(self._t.services.analyzer)
        asked = listening.question(ref.project, render.song.flac, render.spec, info.capabilities)
        request = asked.request
        if asked.notes:
            await self._t.store.note(ref, notes=asked.notes)
        key = project_key(
            ref.project,
            "analyses",
            keys.analysis_key(
                render.song.flac.sha256, request.features, request.options, info.fingerprint
            )
            + ".json",
        )
        found = await self._t.records.find(key, analysis_pb2.SongAnalysis())
        if found is not None:
            return found
        stub = analyzer_pb2_grpc.AnalyzerServiceStub(self._t.services.analyzer)
        try:
            analysis = await calls.result_of(
                stub.Analyze(request, timeout=self._t.settings.analysis_timeout_s),
                "analysis",
                silence_timeout_s=self._t.settings.silence_timeout_s,
                on_progress=lambda moved: self._report(ref, states.ANALYZING, render, moved),
            )
        except (InvalidArgument, Unimplemented) as error:
            raise listening.as_asked(error) from error
        return await self._t.records.keep(key, analysis, analysis_pb2.SongAnalysis())

    async def _storyboard(
        self,
        ref: RenderRef,
        render: r.Render,
        analysis: analysis_pb2.SongAnalysis,
        profile: profile_pb2.VideoGenProfile,
    ) -> tuple[storyboard_pb2.Storyboard, common_pb2.ArtifactRef]:
        info = await calls.describe(self._t.services.scenewriter)
        wish = plan.wish(render.spec)
        request = plan.storyboard_request(render.spec, wish, render.song.frames, profile)
        name = keys.storyboard_key(request, render.outputs.analysis.sha256, info.fingerprint)
        key = project_key(ref.project, "storyboards", f"{name}.json")
        found = await self._t.records.find(key, storyboard_pb2.Storyboard())
        if found is not None:
            return found
        request.analysis.CopyFrom(analysis)
        stub = scenewriter_pb2_grpc.SceneWriterServiceStub(self._t.services.scenewriter)
        storyboard = await calls.result_of(
            stub.WriteStoryboard(request, timeout=self._t.settings.writing_timeout_s),
            "storyboard",
            silence_timeout_s=self._t.settings.silence_timeout_s,
            on_progress=lambda moved: self._report(ref, states.WRITING, render, moved),
        )
        _check(storyboard, request)
        return await self._t.records.keep(key, storyboard, storyboard_pb2.Storyboard())

    async def _composition(self, ref: RenderRef, render: r.Render) -> composer_pb2.Composition:
        storyboard = await self._t.records.read(
            render.outputs.storyboard, storyboard_pb2.Storyboard()
        )
        wish = plan.wish(render.spec)
        footing = plan.Footing(
            ref.project, wish, storyboard, render.video, self._t.settings.detach_grace_s
        )
        info = await calls.describe(self._t.services.composer)
        taken = await self._take(ref.project, render.spec, wish)
        clips = await self._clips(ref.project, render.scenes)
        _, request = plan.compose_request(
            footing,
            render.spec,
            render.song,
            render.spec.song if taken.copy_ok and not render.spec.HasField("excerpt") else None,
            {scene.scene_id: scene.clip for scene in render.scenes},
            plan.made_with([clip.provenance for clip in clips]),
            info.fingerprint,
            info.capabilities,
        )
        found = await self._t.records.find(
            f"{request.output_key}/composition.json", composer_pb2.Composition()
        )
        if found is not None and await self._is_there(found[0].video):
            return found[0]
        stub = composer_pb2_grpc.ComposerServiceStub(self._t.services.composer)
        try:
            composition: composer_pb2.Composition = await calls.result_of(
                stub.Compose(request, timeout=self._t.settings.composing_timeout_s),
                "composition",
                silence_timeout_s=self._t.settings.silence_timeout_s,
                on_progress=lambda moved: self._report(ref, states.COMPOSING, render, moved),
            )
        except asyncio.CancelledError:
            await asyncio.shield(self._stop_composition(ref, stub, request.output_key))
            raise
        ensure_project(self._t.artifacts, composition.video, ref.project)
        if composition.frames != storyboard.frames:
            raise Internal(
                f"the composer made {composition.frames} frames instead of {storyboard.frames}",
                reason="WRONG_LENGTH",
            )
        return composition

    async def _stop_composition(
        self, ref: RenderRef, stub: composer_pb2_grpc.ComposerServiceAsyncStub, output_key: str
    ) -> None:
        """Stops the work if the render was cancelled; otherwise it goes on for its grace."""
        if (await self._t.store.standing(ref)).state != states.CANCELLED:
            return
        request = composer_pb2.CancelCompositionRequest(output_key=output_key)
        try:
            await stub.CancelComposition(request, timeout=CANCEL_TIMEOUT_S)
        except grpc.RpcError as error:
            log.warning("composition not cancelled", output_key=output_key, why=str(error))

    async def _clips(
        self, project: str, scenes: Sequence[r.SceneStatus]
    ) -> list[videogen_pb2.Clip]:
        """The records of all clips, for what they say about how they were made."""
        some = asyncio.Semaphore(CLIP_READS_AT_ONCE)

        async def read(scene: r.SceneStatus) -> videogen_pb2.Clip:
            async with some:
                key = f"projects/{project}/clips/{scene.clip_key}/clip.json"
                found = await self._t.records.find(key, videogen_pb2.Clip())
            return found[0] if found is not None else videogen_pb2.Clip()

        return list(await asyncio.gather(*map(read, scenes)))

    async def _is_there(self, artifact: common_pb2.ArtifactRef) -> bool:
        key = self._t.artifacts.key_of(artifact.uri)
        return await self._t.artifacts.head(key) is not None

    def _report(
        self, ref: RenderRef, state: states.State, render: r.Render, moved: common_pb2.Progress
    ) -> None:
        goal = plan.wish(render.spec).goal
        self._t.hub.report(ref, state, goal, render.song.frames, moved)


def _check(
    storyboard: storyboard_pb2.Storyboard, request: scenewriter_pb2.WriteStoryboardRequest
) -> None:
    """Raises Internal for a storyboard that breaks its contract or the backend's limits."""
    most = request.video.max_frames
    try:
        check_storyboard(storyboard)
        if storyboard.frames != request.frames or storyboard.frame_rate != request.frame_rate:
            raise InvalidArgument("is of another length or rate than the song", field="frames")
        for scene in storyboard.scenes:
            if most and plan.clip_frames(scene) > most:
                raise InvalidArgument(
                    f"needs {plan.clip_frames(scene)} frames; the backend films at most {most}",
                    field=f"scenes[{scene.index}]",
                )
    except InvalidArgument as error:
        where = ", ".join(path for path, _ in error.field_violations)
        raise Internal(
            f"the scene writer's storyboard is unsound: {where} {error.message}",
            reason="UNSOUND_STORYBOARD",
        ) from error
