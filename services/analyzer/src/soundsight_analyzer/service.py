"""The analyzer's gRPC face: fetches a song, has it decoded and listened to, streams what is
heard."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import grpc

from soundsight.analyzer.v1.analysis_pb2 import Metadata, Origin, SongAnalysis
from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeRequest, AnalyzeResponse
from soundsight.analyzer.v1.analyzer_pb2_grpc import AnalyzerServiceServicer
from soundsight.common.v1.common_pb2 import Progress
from soundsight.common.v1.implementation_pb2 import GetInfoResponse
from soundsight_analyzer.concept.pipeline import ConceptPipeline
from soundsight_analyzer.frames import Request
from soundsight_analyzer.listening import Feature, Options
from soundsight_analyzer.messages.concept import concept_message, parts_of_analysis
from soundsight_analyzer.offered import configured_clap
from soundsight_analyzer.requests import Offer, check_request, job_key
from soundsight_analyzer.rhythm.beatthis import find_beat_model
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_analyzer.song import SongFile
from soundsight_analyzer.words.asking import check_times, with_embedded
from soundsight_analyzer.words.given import UnreadableLyrics, read_lyrics
from soundsight_analyzer.words.lyrics import Model
from soundsight_analyzer.workers import Workers
from soundsight_kit.artifacts import ArtifactStore, ensure_project, project_key
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
        folder = settings.whisper_folder
        self._concepts = ConceptPipeline(settings) if settings.concept_url else None
        self._offer = Offer(
            concept=self._concepts is not None,
            words_model=Model(folder, settings.device) if folder else None,
        )
        self._clap = configured_clap(settings)
        self._beat_model = find_beat_model(settings.models_dir, settings.device)
        self._jobs = JobTable(settings.slots, settings.queue_limit, name="analyzer")
        self._workers = Workers(
            memory_bytes=settings.worker_memory_bytes, timeout_s=settings.song_timeout_s
        )

    async def Analyze(  # noqa: N802 - named by the contract
        self, request: AnalyzeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[AnalyzeResponse]:
        """Streams progress and, last, the analysis."""
        options = replace(
            check_request(request, self._offer), clap=self._clap, beat_model=self._beat_model
        )
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
            if self._concepts is not None and Feature.CONCEPT in options.features:
                await self._concepts.check()
            await self._workers.warm()
            song, found = await self._decode(request, Path(folder), emit)
            metadata = await self._metadata(request.project, found)
            options, notes = _with_words_of_the_file(options, found)
            heard: list[SongAnalysis] = []

            def pass_on(event: AnalyzeResponse) -> None:
                if event.HasField("analysis"):
                    heard.append(event.analysis)
                else:
                    emit(event)

            await self._workers.listen(Request(song, options), pass_on)
            (analysis,) = heard
            analysis.warnings.extend(notes)
            await self._add_concept(analysis, song, options, Path(folder), emit)
            self._complete(analysis, metadata, found)
            emit(AnalyzeResponse(analysis=analysis))

    async def _add_concept(
        self,
        analysis: SongAnalysis,
        song: SongFile,
        options: Options,
        folder: Path,
        emit: Emit[AnalyzeResponse],
    ) -> None:
        """Has the concept written, when it is asked for, by the sections that were heard."""
        if self._concepts is None or Feature.CONCEPT not in options.features:
            return

        def report(done: int, total: int) -> None:
            emit(AnalyzeResponse(progress=Progress(stage="concept", done=done, total=total)))

        sections = parts_of_analysis(analysis)
        if Feature.STRUCTURE not in options.features:
            del analysis.sections[:]
        concept, parts = await self._concepts.write(
            song.path, sections, options.words.language, folder, report
        )
        source = self._concepts.source(concept.windows)
        analysis.concept.CopyFrom(concept_message(concept, parts, source))
        analysis.warnings.extend(concept.warnings)

    async def _metadata(self, project: str, found: CanonicalSong) -> Metadata:
        """What the file says about itself; its cover is stored."""
        metadata = Metadata(**{name: getattr(found.tags, name) for name in _METADATA_FIELDS})
        if found.artwork is not None:
            name = hashlib.sha256(found.artwork.data).hexdigest() + found.artwork.suffix
            stored = await self._store.put_bytes(
                project_key(project, "artwork", name), found.artwork.data, found.artwork.media_type
            )
            metadata.artwork.CopyFrom(stored)
        return metadata

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
        if any(asdict(found.tags)[name] for name in _METADATA_FIELDS) or found.artwork:
            analysis.metadata.CopyFrom(metadata)
        if found.bad_packets:
            analysis.warnings.append(f"{found.bad_packets} damaged parts of the file were left out")


def _with_words_of_the_file(
    options: Options, found: CanonicalSong
) -> tuple[Options, tuple[str, ...]]:
    """The options with the lyrics to align, now that the file and its length are known.

    Raises InvalidArgument for given lyrics with times that lie behind the song's end.
    """
    if Feature.LYRICS not in options.features:
        return options, ()
    if options.words.lyrics:
        try:
            check_times(read_lyrics(options.words.lyrics), found.duration_s)
        except UnreadableLyrics as error:
            raise InvalidArgument(
                str(error), field="options.lyrics", reason="LYRICS_OUT_OF_SONG"
            ) from None
    words, notes = with_embedded(options.words, found.tags.lyrics, found.duration_s)
    return replace(options, words=words), notes
