"""The analyzer's gRPC face: fetches a song, has it decoded and listened to, streams what is
heard."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc

from soundsight.analyzer.v1.analysis_pb2 import Metadata, Origin, SongAnalysis
from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeRequest, AnalyzeResponse
from soundsight.analyzer.v1.analyzer_pb2_grpc import AnalyzerServiceServicer
from soundsight.common.v1.common_pb2 import Progress
from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight_analyzer.frames import Request
from soundsight_analyzer.listening import Options
from soundsight_analyzer.requests import check_request, job_key
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_analyzer.song import SongFile
from soundsight_analyzer.workers import Workers
from soundsight_kit.artifacts import ArtifactStore, ensure_project
from soundsight_kit.errors import InvalidArgument
from soundsight_kit.jobs import Emit, JobTable
from soundsight_kit.media.audio import CanonicalSong, DecodeLimits, canonicalise

_METADATA_FIELDS = ("title", "artist", "album", "date", "genre", "lyrics")


class AnalyzerServicer(AnalyzerServiceServicer):
    """Serves AnalyzerService."""

    def __init__(
        self,
        *,
        settings: AnalyzerSettings,
        store: ArtifactStore,
        scratch_dir: Path,
        info: GetInfoResponse,
    ) -> None:
        self._settings = settings
        self._store = store
        self._scratch_dir = scratch_dir
        self._origin = Origin(
            implementation=info.implementation,
            version=info.version,
            fingerprint=info.fingerprint,
        )
        self._jobs = JobTable(settings.slots, settings.queue_limit, name="analyzer")
        self._workers = Workers(
            memory_bytes=settings.worker_memory_bytes, timeout_s=settings.song_timeout_s
        )

    async def Analyze(  # noqa: N802 - named by the contract
        self, request: AnalyzeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[AnalyzeResponse]:
        """Streams progress and, last, the analysis."""
        options = check_request(request)
        ensure_project(self._store, request.song, request.project)

        async def work(emit: Emit[AnalyzeResponse]) -> None:
            await self._analyse(request, options, emit)

        def waiting(ahead: int) -> AnalyzeResponse:
            message = f"waiting for a free slot, {ahead} before this song"
            return AnalyzeResponse(progress=Progress(stage="queued", message=message))

        key = job_key(request, options)
        async for event in self._jobs.events(key, work, waiting=waiting):
            yield event

    async def drain(self) -> None:
        """Lets running songs end, refuses new ones, then ends the listening processes."""
        try:
            await self._jobs.drain()
        finally:
            await self._workers.close()

    async def _analyse(
        self, request: AnalyzeRequest, options: Options, emit: Emit[AnalyzeResponse]
    ) -> None:
        with tempfile.TemporaryDirectory(
            prefix="soundsight-analyzer-", dir=self._scratch_dir
        ) as folder:
            await self._workers.warm()
            song, found = await self._decode(request, Path(folder), emit)
            metadata = Metadata(**{name: getattr(found.tags, name) for name in _METADATA_FIELDS})

            def pass_on(event: AnalyzeResponse) -> None:
                if event.HasField("analysis"):
                    self._complete(event.analysis, metadata, found)
                emit(event)

            await self._workers.listen(Request(song, options), pass_on)

    async def _decode(
        self, request: AnalyzeRequest, folder: Path, emit: Emit[AnalyzeResponse]
    ) -> tuple[SongFile, CanonicalSong]:
        """Fetches the song and makes it canonical, whatever it was."""
        limits = DecodeLimits(
            max_duration_s=self._settings.max_duration_s,
            max_input_bytes=self._settings.max_input_bytes,
        )
        if request.song.size_bytes > limits.max_input_bytes:
            raise InvalidArgument(
                f"the song is larger than {limits.max_input_bytes} bytes; send a smaller one",
                field="song",
                reason="SONG_TOO_LARGE",
            )
        original, canonical = folder / "original", folder / "canonical.flac"
        emit(AnalyzeResponse(progress=Progress(stage="fetch", total=request.song.size_bytes)))
        await self._store.get_file(request.song, original)
        emit(AnalyzeResponse(progress=Progress(stage="decode")))
        found = await canonicalise(original, canonical, limits=limits)
        original.unlink()
        song = SongFile(canonical, found.samples, found.sample_rate_hz, found.channels)
        return song, found

    def _complete(self, analysis: SongAnalysis, metadata: Metadata, found: CanonicalSong) -> None:
        """Adds what only the server knows."""
        analysis.origin.CopyFrom(self._origin)
        if any(asdict(found.tags)[name] for name in _METADATA_FIELDS):
            analysis.metadata.CopyFrom(metadata)
        if found.bad_packets:
            analysis.warnings.append(f"{found.bad_packets} damaged parts of the file were left out")
