"""The analyzer where essentia is not installed: it serves, says so, and still hears songs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import soundfile

from songsmith import compose, render
from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeRequest
from soundsight.analyzer.v1.analyzer_pb2_grpc import AnalyzerServiceStub
from soundsight.common.v1.implementation_pb2 import GetInfoRequest
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight_analyzer.info import ESSENTIA_CAPABILITY, describe
from soundsight_analyzer.quiet import has_essentia
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.artifacts import ArtifactStore, project_key
from soundsight_kit.channels import open_channel
from soundsight_kit.testing import assert_eventually

# Python runs this at its start, in the server and in its listening processes alike.
REFUSE_ESSENTIA = """
import sys


class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "essentia":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, NotInstalled())
"""


@asynccontextmanager
async def server_without_essentia(folder: Path) -> AsyncIterator[str]:
    """The target of `python -m soundsight_analyzer`, started where essentia cannot be imported."""
    (folder / "sitecustomize.py").write_text(REFUSE_ESSENTIA)
    socket = folder / "analyzer.sock"
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "SOUNDSIGHT_LISTEN": f"unix:{socket}",
        "SOUNDSIGHT_ARTIFACTS_URL": f"file://{folder}/store",
        "SOUNDSIGHT_SCRATCH_DIR": str(folder / "scratch"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "soundsight_analyzer", env=environment
    )
    try:
        await assert_eventually(socket.exists, message="the server does not start")
        yield f"unix:{socket}"
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_without_essentia_songs_are_still_heard(tmp_path: Path) -> None:
    """Info says what is missing; an analysis has beats, key, curves, sections, tags and voice."""
    song = compose(
        11, tempo_bpm=120.0, form=(("intro", 2), ("verse", 4), ("chorus", 4), ("outro", 2))
    )
    samples = render(song)
    path = tmp_path / "song.wav"
    soundfile.write(path, samples, 44_100)
    store = ArtifactStore.open(f"file://{tmp_path}/store")
    stored = await store.put_file(project_key("p", "songs", "song"), path)
    async with server_without_essentia(tmp_path) as target, open_channel(target) as channel:
        info = await ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=120)
        call = AnalyzerServiceStub(channel).Analyze(
            AnalyzeRequest(project="p", song=stored), timeout=600
        )
        events = [event async for event in call]
    assert info.implementation.endswith("-reduced")
    assert "essentia" in info.description and "not installed" in info.description
    assert "essentia" not in {model.id for model in info.models}
    assert {"musicnn-msd", "musicnn-mtt"} <= {model.id for model in info.models}
    assert ESSENTIA_CAPABILITY not in info.capabilities
    assert "feature:rhythm" in info.capabilities
    analysis = events[-1].analysis
    assert analysis.rhythm.tempo_bpm == pytest.approx(120.0, rel=0.01)
    assert len(analysis.rhythm.beats) > 20
    assert analysis.harmony.keys
    assert analysis.dynamics.curves
    assert analysis.sections
    assert analysis.tags
    assert analysis.HasField("voice")
    assert "essentia" not in str(analysis)
    assert analysis.origin.fingerprint == info.fingerprint


def test_with_essentia_info_says_so() -> None:
    """Where it is installed, info names essentia, its licence and what it adds."""
    if not has_essentia():
        pytest.skip("essentia is not installed here")
    info = describe(AnalyzerSettings())
    models = {model.id: model for model in info.models}
    assert models["essentia"].licence == "AGPL-3.0-only"
    assert ESSENTIA_CAPABILITY in info.capabilities
    assert "Reduced" not in info.description
