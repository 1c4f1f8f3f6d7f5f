"""Videogen by script."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from soundsight.common.v1 import common_pb2, implementation_pb2
from soundsight.videogen.v1 import profile_pb2, videogen_pb2, videogen_pb2_grpc
from soundsight_gateway.testing.script import Script, freely, never
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.errors import FailedPrecondition
from soundsight_kit.jobs import Emit, JobTable


@dataclass
class VideogenLog:
    """What videogen endpoints did, by output key; endpoints of a pool may share one."""

    begun: Counter[str] = field(default_factory=Counter)
    filmed: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    """Descriptions (`shot.setting`) of the clips in the order in which they were begun."""
    requests: list[videogen_pb2.GenerateClipRequest] = field(default_factory=list)
    record: Path | None = None
    """A file that gets a line for each clip begun and filmed: seconds since 1970, which, its key.
    Processes may share it."""

    def note(self, what: str, key: str) -> None:
        """Writes into the record, if there is one."""
        if self.record is not None:
            with self.record.open("a") as file:
                file.write(f"{time.time():.3f} {what} {key}\n")


class ScriptedVideogen(videogen_pb2_grpc.VideoGenServiceServicer):
    """Films clips of a few bytes, with slots, a queue, detach and cancel as the contract says."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        log: VideogenLog | None = None,
        *,
        slots: int = 4,
        queue_limit: int = 4,
    ) -> None:
        self.log = log or VideogenLog()
        self.script: Script = never
        self.takes_s = 0.0
        self.may_finish = freely()
        self.profile = profile_pb2.VideoGenProfile(
            kind=profile_pb2.BACKEND_KIND_BUILT_IN_RENDERER,
            frame_step=1,
            min_frames=1,
            max_frames=240,
            size_multiple=2,
            consumed_inputs=["shot", "seed", "cues"],
            capabilities=[profile_pb2.VIDEO_CAPABILITY_PREVIEW],
        )
        self._artifacts = artifacts
        self._jobs = JobTable(slots, queue_limit, name="scripted", retry_after_s=0.2)
        self._queue_limit = queue_limit

        self.info = implementation_pb2.GetInfoResponse(
            implementation="scripted-videogen", version="1"
        )
        self.become("f00d")

    def become(self, fingerprint: str) -> None:
        """Turns into another implementation, or into one with a changed `profile`."""
        self.fingerprint = fingerprint
        self.info.fingerprint = fingerprint
        self.info.profile.Pack(self.profile)

    def drop_all(self) -> None:
        """Stops all work, as the end of its process would."""
        for key in self.log.begun:
            self._jobs.cancel(key)

    async def GenerateClip(  # noqa: N802
        self, request: videogen_pb2.GenerateClipRequest, context: Any
    ) -> AsyncIterator[videogen_pb2.GenerateClipResponse]:
        """Films one clip."""
        self.log.requests.append(request)
        if request.expected_fingerprint != self.fingerprint:
            raise FailedPrecondition("another implementation", reason="FINGERPRINT_MISMATCH")
        found = await self._find(request.output_key)
        if found is not None:
            yield videogen_pb2.GenerateClipResponse(clip=found)
            return

        async def work(emit: Emit[videogen_pb2.GenerateClipResponse]) -> None:
            # While it waited for its turn, another endpoint may have been faster.
            found = await self._find(request.output_key)
            if found is not None:
                emit(videogen_pb2.GenerateClipResponse(clip=found))
            else:
                await self._film(request, emit)

        events = self._jobs.events(
            request.output_key, work, request.detach_grace.ToNanoseconds() / 1e9, request.priority
        )
        async for event in events:
            yield event

    async def CancelClip(  # noqa: N802
        self, request: videogen_pb2.CancelClipRequest, context: Any
    ) -> videogen_pb2.CancelClipResponse:
        """Stops the work on a clip."""
        stopped = self._jobs.cancel(request.output_key)
        self.log.cancelled[request.output_key] += stopped
        return videogen_pb2.CancelClipResponse(cancelled=stopped)

    async def GetLoad(  # noqa: N802
        self, request: videogen_pb2.GetLoadRequest, context: Any
    ) -> videogen_pb2.GetLoadResponse:
        """How busy it is."""
        load = self._jobs.load()
        return videogen_pb2.GetLoadResponse(
            slots=load.slots, busy=load.busy, queued=load.queued, queue_limit=self._queue_limit
        )

    async def _find(self, output_key: str) -> videogen_pb2.Clip | None:
        record = f"{output_key}/clip.json"
        if await self._artifacts.head(record) is None:
            return None
        there = common_pb2.ArtifactRef(uri=self._artifacts.uri(record))
        data = await self._artifacts.get_bytes(there, 1 << 20)
        clip = json_format.Parse(data, videogen_pb2.Clip())
        clip.reused = True
        return clip

    async def _film(
        self,
        request: videogen_pb2.GenerateClipRequest,
        emit: Emit[videogen_pb2.GenerateClipResponse],
    ) -> None:
        key = request.output_key
        self.log.begun[key] += 1
        self.log.note("begun", key)
        self.log.order.append(request.shot.setting)
        if (error := self.script(request, self.log.begun[key])) is not None:
            raise error
        frames = request.handle_in_frames + request.shot_frames + request.handle_out_frames
        for done in (0, frames // 2):
            moved = common_pb2.Progress(stage="film", done=done, total=frames)
            emit(videogen_pb2.GenerateClipResponse(progress=moved))
            if request.HasField("preview_interval"):
                shown = videogen_pb2.Preview(image=b"jpeg", media_type="image/jpeg", frame=done)
                emit(videogen_pb2.GenerateClipResponse(preview=shown))
            await asyncio.sleep(self.takes_s / 2)
        await self.may_finish.wait()
        clip = videogen_pb2.Clip(
            handle_in_frames=request.handle_in_frames,
            shot_frames=request.shot_frames,
            handle_out_frames=request.handle_out_frames,
            frame_rate=request.frame_rate,
            resolution=request.resolution,
            provenance=videogen_pb2.ClipProvenance(
                implementation="scripted-videogen", fingerprint=self.fingerprint, seed=request.seed
            ),
        )
        made = f"{key} {request.start_image.sha256}".encode()
        clip.video.CopyFrom(await self._artifacts.put_bytes(f"{key}/clip.mp4", made, "video/mp4"))
        if request.store_last_frame:
            picture = f"last of {key}".encode()
            last = await self._artifacts.put_bytes(f"{key}/last.png", picture, "image/png")
            clip.last_frame.CopyFrom(last)
        await self._artifacts.put_bytes(
            f"{key}/clip.json", json_format.MessageToJson(clip).encode(), "application/json"
        )
        self.log.filmed[key] += 1
        self.log.note("filmed", key)
        emit(videogen_pb2.GenerateClipResponse(clip=clip))
