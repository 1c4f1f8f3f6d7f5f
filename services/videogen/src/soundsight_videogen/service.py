"""The VideoGenService: any backend behind the contract."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
import structlog
from google.protobuf import json_format

from soundsight.common.v1.common_pb2 import Progress
from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight.videogen.v1.videogen_pb2 import (
    CancelClipRequest,
    CancelClipResponse,
    Clip,
    ClipProvenance,
    GenerateClipRequest,
    GenerateClipResponse,
    GetLoadRequest,
    GetLoadResponse,
    Preview,
)
from soundsight.videogen.v1.videogen_pb2_grpc import VideoGenServiceServicer
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.context import bound_ids
from soundsight_kit.errors import DataLoss, FailedPrecondition
from soundsight_kit.jobs import Emit, JobTable
from soundsight_videogen import metrics
from soundsight_videogen.backend import Backend, Filmed, Pictures, total_frames
from soundsight_videogen.pictures import fetch_pictures
from soundsight_videogen.scheduling.scheduler import Scheduler
from soundsight_videogen.scheduling.wishes import wish_of
from soundsight_videogen.storing import stored_in_spite
from soundsight_videogen.validation import check_request

log = structlog.get_logger()

CLIP_NAME = "clip.mp4"
RECORD_NAME = "clip.json"
LAST_FRAME_NAME = "last.png"
MAX_RECORD_BYTES = 1 << 20
MAX_PREVIEW_BYTES = 64 << 10

Context = grpc.aio.ServicerContext[Any, Any]


class VideoGenServicer(VideoGenServiceServicer):
    """Films clips with a backend, one job per output key.

    Args:
        backend: makes the pictures.
        store: where clips and their records lie.
        table: slots and queue.
        queue_limit: what the table was made with, for GetLoad.
        scratch_dir: where clips lie until they are stored.
        info: what GetInfo answers; names the maker in each clip's record.
        scheduler: the table's turns, where they are more than its own: says at which seat a clip is
            filmed, and learns how long that took.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        store: ArtifactStore,
        table: JobTable,
        queue_limit: int,
        scratch_dir: Path,
        info: GetInfoResponse,
        scheduler: Scheduler | None = None,
    ) -> None:
        self._backend = backend
        self._store = store
        self._table = table
        self._queue_limit = queue_limit
        self._scratch_dir = scratch_dir
        self._info = info
        self._scheduler = scheduler
        metrics.follow_workers(backend.workers)

    async def GenerateClip(  # noqa: N802 - named by the contract
        self, request: GenerateClipRequest, context: Context
    ) -> AsyncIterator[GenerateClipResponse]:
        """Films a clip, or finds it."""
        check_request(request, self._backend.profile_of(request.model))
        self._check_fingerprint(request.expected_fingerprint)
        found = await self._find(request.output_key)
        if found is not None:
            yield GenerateClipResponse(clip=found)
            return

        async def work(emit: Emit[GenerateClipResponse]) -> None:
            await self._film(request, emit)

        events = self._table.events(
            request.output_key,
            work,
            request.detach_grace.ToNanoseconds() / 1e9,
            request.priority,
            waiting=lambda ahead: _progress("queue", 0, 0, f"{ahead} clips ahead"),
            about=wish_of(request, self._backend.model(request.model).id, bound_ids()),
        )
        async with aclosing(events):
            async for event in events:
                yield event

    async def CancelClip(  # noqa: N802 - named by the contract
        self, request: CancelClipRequest, context: Context
    ) -> CancelClipResponse:
        """Stops the work on a clip."""
        return CancelClipResponse(cancelled=self._table.cancel(request.output_key))

    async def GetLoad(  # noqa: N802 - named by the contract
        self, request: GetLoadRequest, context: Context
    ) -> GetLoadResponse:
        """Says how busy this endpoint is."""
        load = self._table.load()
        return GetLoadResponse(
            slots=load.slots,
            busy=load.busy,
            queued=load.queued,
            queue_limit=self._queue_limit,
            workers=self._backend.workers(),
        )

    async def drain(self) -> None:
        """Finishes running clips and takes no new ones."""
        await self._table.drain()

    def _check_fingerprint(self, expected: str) -> None:
        actual = self._info.fingerprint
        if expected and expected != actual:
            raise FailedPrecondition(
                "this endpoint runs another version of the renderer than the clip's key was made "
                "for: ask GetInfo and derive the key anew",
                reason="FINGERPRINT_MISMATCH",
                metadata={"expected": expected, "actual": actual},
            )

    async def _find(self, output_key: str) -> Clip | None:
        """The clip that lies under a key, marked as reused; None when there is none."""
        record_key = f"{output_key}/{RECORD_NAME}"
        record = await self._store.head(record_key)
        if record is None:
            return None
        text = await self._store.get_bytes(record, MAX_RECORD_BYTES)
        try:
            clip = json_format.Parse(text, Clip(), ignore_unknown_fields=True)
        except json_format.ParseError as error:
            raise DataLoss(
                f"the record of this clip cannot be read; delete {record_key} to film it again"
            ) from error
        clip.reused = True
        return clip

    async def _film(self, request: GenerateClipRequest, emit: Emit[GenerateClipResponse]) -> None:
        # Another endpoint, or the work before this one on the same key, may have been faster.
        found = await self._find(request.output_key)
        if found is not None:
            emit(GenerateClipResponse(clip=found))
            return

        started = time.monotonic()
        emit(_progress("load", 0, 0))
        with tempfile.TemporaryDirectory(prefix="videogen-", dir=self._scratch_dir) as folder:
            destination = Path(folder) / CLIP_NAME
            pictures = await fetch_pictures(self._store, request, Path(folder))
            filmed = await self._at_a_seat(request, destination, pictures, emit)
            emit(_progress("store", 0, 1))
            work_s = time.monotonic() - started
            clip = await stored_in_spite(lambda: self._keep(request, destination, filmed, work_s))
        log.info(
            "clip filmed",
            output_key=request.output_key,
            frames=total_frames(request),
            work_s=round(work_s, 2),
        )
        emit(GenerateClipResponse(clip=clip))

    async def _at_a_seat(
        self,
        request: GenerateClipRequest,
        destination: Path,
        pictures: Pictures,
        emit: Emit[GenerateClipResponse],
    ) -> Filmed:
        """Films at the seat that the scheduler chose, and tells it how that went."""
        scheduler, key = self._scheduler, request.output_key
        seat = None if scheduler is None else scheduler.seat_of(key)
        started = time.monotonic()
        try:
            filmed = await self._backend.film(
                request, destination, watcher=_Teller(emit), pictures=pictures, seat=seat
            )
            if scheduler is not None:
                scheduler.finished(key, time.monotonic() - started)
            return filmed
        finally:
            if scheduler is not None and seat is not None:
                scheduler.resident(seat, self._backend.resident(seat))

    async def _keep(
        self, request: GenerateClipRequest, video: Path, filmed: Filmed, work_s: float
    ) -> Clip:
        """Stores a clip, then its record; whoever comes second returns the first one's record."""
        key = request.output_key
        clip = Clip(
            video=await self._store.put_file(f"{key}/{CLIP_NAME}", video, "video/mp4"),
            handle_in_frames=request.handle_in_frames,
            shot_frames=request.shot_frames,
            handle_out_frames=request.handle_out_frames,
            frame_rate=request.frame_rate,
            resolution=request.resolution,
            provenance=self._provenance(request, filmed, work_s),
        )
        if filmed.last_frame is not None:
            last = await self._store.put_file(
                f"{key}/{LAST_FRAME_NAME}", filmed.last_frame, "image/png"
            )
            clip.last_frame.CopyFrom(last)
        record = json_format.MessageToJson(clip, indent=None).encode()
        stored = await self._store.put_bytes(f"{key}/{RECORD_NAME}", record, "application/json")
        if stored.sha256 != hashlib.sha256(record).hexdigest():
            first = await self._find(key)
            if first is not None:
                return first
        return clip

    def _provenance(
        self, request: GenerateClipRequest, filmed: Filmed, work_s: float
    ) -> ClipProvenance:
        model = self._backend.model(request.model)
        return ClipProvenance(
            implementation=self._info.implementation,
            version=self._info.version,
            fingerprint=self._info.fingerprint,
            model_id=model.id,
            model_revision=model.revision,
            model_licence=model.licence,
            seed=request.seed,
            internal_resolution=request.internal_resolution,
            rendered_frames=filmed.rendered_frames,
            notes=filmed.notes,
            work_s=work_s,
            settings=filmed.settings,
        )


class _Teller:
    """Tells callers how a film comes along."""

    def __init__(self, emit: Emit[GenerateClipResponse]) -> None:
        self._emit = emit
        self._done, self._total = 0, 0

    def phase(self, name: str) -> None:
        # A clip that is tried again loads anew, but its stage does not go back.
        if name == "load" and not self._total:
            self._emit(_progress("load", 0, 0))
        elif self._total:
            self._emit(_progress("film", self._done, self._total, name))

    def progress(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        self._emit(_progress("film", done, total))

    def preview(self, frame: int, jpeg: bytes) -> None:
        if len(jpeg) <= MAX_PREVIEW_BYTES:
            picture = Preview(image=jpeg, media_type="image/jpeg", frame=frame)
            self._emit(GenerateClipResponse(preview=picture))


def _progress(stage: str, done: int, total: int, message: str = "") -> GenerateClipResponse:
    return GenerateClipResponse(
        progress=Progress(stage=stage, done=done, total=total, message=message)
    )
