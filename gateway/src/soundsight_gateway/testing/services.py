"""Analyzer, scene writer and composer by script."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

from google.protobuf import json_format

from soundsight.analyzer.v1 import analysis_pb2, analyzer_pb2, analyzer_pb2_grpc
from soundsight.common.v1 import common_pb2, implementation_pb2
from soundsight.composer.v1 import composer_pb2, composer_pb2_grpc
from soundsight.scenewriter.v1 import scenewriter_pb2, scenewriter_pb2_grpc, storyboard_pb2
from soundsight_gateway.testing.script import Script, freely, never
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.errors import Unimplemented
from soundsight_kit.jobs import Emit, JobTable


class ScriptedAnalyzer(analyzer_pb2_grpc.AnalyzerServiceServicer):
    """Hears nothing, and says how long that was."""

    def __init__(self) -> None:
        self.script: Script = never
        self.takes_s = 0.0
        self.may_finish = freely()
        self.calls = 0
        self.running = 0
        self.requests: list[analyzer_pb2.AnalyzeRequest] = []
        self.info = implementation_pb2.GetInfoResponse(
            implementation="scripted-analyzer", version="1", fingerprint="analyzer-1"
        )

    async def Analyze(  # noqa: N802
        self, request: analyzer_pb2.AnalyzeRequest, context: Any
    ) -> AsyncIterator[analyzer_pb2.AnalyzeResponse]:
        """Analyses one song."""
        self.calls += 1
        self.requests.append(request)
        self.running += 1
        try:
            if (error := self.script(self.calls)) is not None:
                raise error
            moved = common_pb2.Progress(stage="rhythm", done=1, total=2)
            yield analyzer_pb2.AnalyzeResponse(progress=moved)
            await asyncio.sleep(self.takes_s)
            await self.may_finish.wait()
            analysis = analysis_pb2.SongAnalysis(warnings=["heard by a script"])
            analysis.rhythm.tempo_bpm = 120
            yield analyzer_pb2.AnalyzeResponse(analysis=analysis)
        finally:
            self.running -= 1


class ScriptedWriter(scenewriter_pb2_grpc.SceneWriterServiceServicer):
    """Cuts a song into scenes of equal length; `edit` may change the result before it is sent."""

    def __init__(self) -> None:
        self.script: Script = never
        self.edit: Callable[[storyboard_pb2.Storyboard], None] = never
        self.scene_frames = 12
        self.calls = 0

    async def WriteStoryboard(  # noqa: N802
        self, request: scenewriter_pb2.WriteStoryboardRequest, context: Any
    ) -> AsyncIterator[scenewriter_pb2.WriteStoryboardResponse]:
        """Writes a storyboard."""
        self.calls += 1
        if (error := self.script(self.calls)) is not None:
            raise error
        storyboard = storyboard_pb2.Storyboard(
            frames=request.frames, frame_rate=request.frame_rate, seed=request.seed
        )
        storyboard.treatment.title = "Scripted"
        start = 0
        while start < request.frames:
            index = len(storyboard.scenes)
            frames = min(self.scene_frames, request.frames - start)
            scene = storyboard.scenes.add(
                id=f"s{index:03}", index=index, start_frame=start, frames=frames
            )
            scene.seed = request.seed * 1000 + index
            scene.shot.setting = request.brief.style or "city"
            start += frames
        self.edit(storyboard)
        yield scenewriter_pb2.WriteStoryboardResponse(storyboard=storyboard)

    def RewriteScene(  # noqa: N802
        self, request: scenewriter_pb2.RewriteSceneRequest, context: Any
    ) -> NoReturn:
        """Not scripted."""
        raise Unimplemented("the scripted writer rewrites nothing")


class ScriptedComposer(composer_pb2_grpc.ComposerServiceServicer):
    """Joins clips by listing them."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self.script: Script = never
        self.takes_s = 0.0
        self.may_finish = freely()
        self.requests: list[composer_pb2.ComposeRequest] = []
        self.composed: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self._artifacts = artifacts
        self._jobs = JobTable(1, 4, name="scripted-composer", retry_after_s=0.2)

    async def Compose(  # noqa: N802
        self, request: composer_pb2.ComposeRequest, context: Any
    ) -> AsyncIterator[composer_pb2.ComposeResponse]:
        """Joins clips into one file."""
        self.requests.append(request)

        async def work(emit: Emit[composer_pb2.ComposeResponse]) -> None:
            if (error := self.script(len(self.requests))) is not None:
                raise error
            moved = common_pb2.Progress(stage="join", done=1, total=len(request.clips))
            emit(composer_pb2.ComposeResponse(progress=moved))
            await asyncio.sleep(self.takes_s)
            await self.may_finish.wait()
            await self._compose(request, emit)

        grace_s = request.detach_grace.ToNanoseconds() / 1e9
        async for event in self._jobs.events(request.output_key, work, grace_s):
            yield event

    async def CancelComposition(  # noqa: N802
        self, request: composer_pb2.CancelCompositionRequest, context: Any
    ) -> composer_pb2.CancelCompositionResponse:
        """Stops the work on a composition."""
        stopped = self._jobs.cancel(request.output_key)
        self.cancelled[request.output_key] += stopped
        return composer_pb2.CancelCompositionResponse(cancelled=stopped)

    async def _compose(
        self, request: composer_pb2.ComposeRequest, emit: Emit[composer_pb2.ComposeResponse]
    ) -> None:
        key = request.output_key
        listed = "\n".join(clip.video.sha256 for clip in request.clips).encode()
        rate = request.frame_rate
        composition = composer_pb2.Composition(
            video=await self._artifacts.put_bytes(f"{key}/video.mp4", listed, "video/mp4"),
            poster=await self._artifacts.put_bytes(f"{key}/poster.jpg", b"poster", "image/jpeg"),
            frames=request.frames,
            duration_s=request.frames * rate.den / rate.num,
            notes=["composed by a script"],
        )
        record = json_format.MessageToJson(composition).encode()
        await self._artifacts.put_bytes(f"{key}/composition.json", record, "application/json")
        self.composed[key] += 1
        emit(composer_pb2.ComposeResponse(composition=composition))
