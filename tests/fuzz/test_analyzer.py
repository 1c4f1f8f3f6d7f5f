"""Whatever is asked of the analyzer, it answers or says what is wrong."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzz.sending import CASES, TIMEOUT_S, Target, fuzz, request_type, rpc, rpcs, short
from fuzz.strategies import requests
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from soundsight.analyzer.v1.analyzer_pb2 import (
    FEATURE_DYNAMICS,
    FEATURE_RHYTHM,
    AnalyzeOptions,
    AnalyzeRequest,
)
from soundsight.analyzer.v1.analyzer_pb2_grpc import add_AnalyzerServiceServicer_to_server
from soundsight_analyzer.__main__ import SERVICE
from soundsight_analyzer.info import describe
from soundsight_analyzer.service import AnalyzerServicer
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.server import ServiceBinding
from soundsight_kit.testing import running_server

SONG_S, RATE_HZ = 4, 8000
HEARD = max(1, CASES // 300)
"""Songs that are listened to: each costs as much as three hundred requests that are broken off."""

pytestmark = pytest.mark.timeout(TIMEOUT_S)


class Analyzer(Target):
    """An analyzer with a short song, and a file that is none, in its store."""

    def __init__(self, folder: Path) -> None:
        super().__init__(self._served)
        self._folder = folder
        self.good = AnalyzeRequest()
        self.no_song = ""

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[str]:
        store = ArtifactStore.open(f"file://{self._folder}/store")
        path = self._folder / "song.flac"
        noise = np.random.default_rng(1).uniform(-0.5, 0.5, SONG_S * RATE_HZ)
        await asyncio.to_thread(soundfile.write, path, noise, RATE_HZ)
        song = await store.put_file("projects/p/song.flac", path)
        self.no_song = (await store.put_bytes("projects/p/no-song", b"no song at all")).uri
        self.good = AnalyzeRequest(
            project="p",
            song=song,
            features=[FEATURE_RHYTHM, FEATURE_DYNAMICS],
            options=AnalyzeOptions(min_tempo_bpm=60.0, max_tempo_bpm=180.0, max_tags=5),
        )
        settings = AnalyzerSettings(queue_limit=64)
        info = describe(settings)
        servicer = AnalyzerServicer(
            settings=settings, store=store, scratch_dir=self._folder, info=info
        )
        binding = ServiceBinding(
            SERVICE, lambda server: add_AnalyzerServiceServicer_to_server(servicer, server)
        )
        async with running_server(binding, info=info, drain=servicer.drain) as target:
            yield target


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    """An analyzer that all tests here call."""
    with tempfile.TemporaryDirectory() as folder, Analyzer(Path(folder)) as target:
        yield target


def words(analyzer: Analyzer) -> tuple[str, ...]:
    """Texts that mean something to the analyzer."""
    uri = analyzer.good.song.uri
    return ("p", uri, uri + "/x", uri.replace("/p/", "/q/"), analyzer.no_song, "en")


@pytest.mark.parametrize("method", rpcs("analyzer"), ids=short)
def test_nothing_breaks_it(analyzer: Analyzer, method: MethodDescriptor) -> None:
    """No request makes it fail or hang; work that begins is broken off."""
    good: dict[str, Message] = {"Analyze": analyzer.good}
    request = good.get(method.name) or request_type(method)()
    fuzz(analyzer, method, requests(request, words=words(analyzer)))


def test_what_it_takes_it_hears(analyzer: Analyzer) -> None:
    """No request that it takes fails while the song is listened to."""
    method = rpc("analyzer", "Analyze")
    sent = requests(analyzer.good, words=words(analyzer))
    fuzz(analyzer, method, sent, cases=HEARD, to_the_end=True)
