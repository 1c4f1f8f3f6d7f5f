"""An analyzer that serves, as its callers meet it, and the two calls that tests make of it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeOptions, AnalyzeRequest
from soundsight.analyzer.v1.analyzer_pb2_grpc import (
    AnalyzerServiceStub,
    add_AnalyzerServiceServicer_to_server,
)
from soundsight.common.v1.common_pb2 import ArtifactRef, Progress
from soundsight_analyzer.info import describe
from soundsight_analyzer.service import AnalyzerServicer
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.artifacts import ArtifactStore, project_key
from soundsight_kit.channels import open_channel
from soundsight_kit.server import ServiceBinding
from soundsight_kit.testing import running_server

SERVICE = "soundsight.analyzer.v1.AnalyzerService"


@dataclass(frozen=True)
class Serving:
    """An analyzer that serves, with its store."""

    stub: AnalyzerServiceStub
    store: ArtifactStore
    target: str

    async def stored(self, path: Path, project: str = "p") -> ArtifactRef:
        """A file in the store, under a key of its own."""
        name = hashlib.sha256(path.read_bytes()).hexdigest()
        return await self.store.put_file(project_key(project, "songs", name), path)

    async def analyse(
        self,
        song: ArtifactRef,
        *features: int,
        project: str = "p",
        options: AnalyzeOptions | None = None,
        timeout_s: float = 600.0,
    ) -> tuple[SongAnalysis, list[Progress]]:
        """The analysis, and the progress that was reported before it."""
        request = AnalyzeRequest(
            project=project,
            song=song,
            features=features,  # type: ignore[arg-type]
            options=options,
        )
        call: Any = self.stub.Analyze(request, timeout=timeout_s)
        events = [event async for event in call]
        assert sum(event.HasField("analysis") for event in events) == 1
        return events[-1].analysis, [event.progress for event in events[:-1]]


@asynccontextmanager
async def serving_analyzer(folder: Path, settings: AnalyzerSettings) -> AsyncIterator[Serving]:
    """A real analyzer behind a real server on a Unix socket; leaves no temporary files."""
    info = describe(settings)
    store = ArtifactStore.open(f"file://{folder}/store")
    scratch = folder / "scratch"
    scratch.mkdir()
    servicer = AnalyzerServicer(settings=settings, store=store, scratch_dir=scratch, info=info)
    binding = ServiceBinding(
        SERVICE, lambda server: add_AnalyzerServiceServicer_to_server(servicer, server)
    )
    serving = running_server(binding, info=info, drain=servicer.drain)
    async with serving as target, open_channel(target) as channel:
        yield Serving(AnalyzerServiceStub(channel), store, target)
    assert not list(scratch.iterdir()), "temporary files are left behind"
