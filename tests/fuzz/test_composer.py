"""Whatever is asked of the composer, it answers or says what is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzz.sending import CASES, TIMEOUT_S, Target, fuzz, request_type, rpc, rpcs, short
from fuzz.strategies import requests
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from soundsight.common.v1.common_pb2 import (
    TRANSITION_KIND_CROSS_FADE,
    ArtifactRef,
    FrameRate,
    Resolution,
    Transition,
)
from soundsight.composer.v1.composer_pb2 import (
    CancelCompositionRequest,
    Caption,
    ClipSource,
    ComposeRequest,
    FileMetadata,
    Soundtrack,
)
from soundsight_composer.service import ComposerServicer, composer_info
from soundsight_composer.settings import ComposerSettings
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.media.mezzanine import H264Writer, default_encoder_settings
from soundsight_kit.testing import running_server

WIDTH, HEIGHT = 64, 36
SHOTS = ((0, 8, 4), (4, 8, 0))
RATE, SAMPLE_RATE_HZ = Fraction(24), 8000
COMPOSED = max(1, CASES // 300)
"""Compositions that are made to their end: each costs as much as three hundred that are not."""

pytestmark = pytest.mark.timeout(TIMEOUT_S)


class Composer(Target):
    """A composer with the files of one small composition in its store."""

    def __init__(self, folder: Path) -> None:
        super().__init__(self._served)
        self._folder = folder
        self._store = ArtifactStore.open(f"file://{folder}/store")
        self.good = ComposeRequest()

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[str]:
        self.good = await self._request()
        settings = ComposerSettings()
        servicer = ComposerServicer(self._store, self._folder / "scratch", settings)
        info = composer_info(settings)
        async with running_server(servicer.binding, info=info, drain=servicer.drain) as target:
            yield target

    async def _keep(self, path: Path) -> ArtifactRef:
        return await self._store.put_file(f"projects/p/in/{path.name}", path)

    async def _request(self) -> ComposeRequest:
        encoder = default_encoder_settings("draft", width=WIDTH, height=HEIGHT, rate=RATE)
        frames = sum(shot for _, shot, _ in SHOTS)
        samples = round(frames / RATE * SAMPLE_RATE_HZ)
        song = self._folder / "song.flac"
        noise = np.random.default_rng(1).uniform(-0.5, 0.5, samples)
        soundfile.write(song, noise, SAMPLE_RATE_HZ)
        clips = []
        for index, (handle_in, shot, handle_out) in enumerate(SHOTS):
            path = self._folder / f"clip-{index}.mp4"
            whole = handle_in + shot + handle_out
            with H264Writer(
                path, settings=encoder, width=WIDTH, height=HEIGHT, rate=RATE, frames=whole,
                keyframes=(handle_in, handle_in + shot),
            ) as writer:  # fmt: skip
                for frame in range(whole):
                    writer.write(np.full((HEIGHT * 3 // 2, WIDTH), 64 + frame, np.uint8))
            clips.append(
                ClipSource(
                    video=await self._keep(path),
                    handle_in_frames=handle_in,
                    shot_frames=shot,
                    handle_out_frames=handle_out,
                )
            )
        fade = Transition(kind=TRANSITION_KIND_CROSS_FADE, frames=4)
        clips[1].transition_in.CopyFrom(fade)
        return ComposeRequest(
            project="p",
            output_key="projects/p/compositions/fuzz",
            clips=clips,
            frames=frames,
            frame_rate=FrameRate(num=RATE.numerator, den=RATE.denominator),
            resolution=Resolution(width=WIDTH, height=HEIGHT),
            encoder=encoder,
            soundtrack=Soundtrack(
                canonical=await self._keep(song), samples=samples, sample_rate_hz=SAMPLE_RATE_HZ
            ),
            captions=[Caption(start_frame=2, frames=6, text="Hello\nworld")],
            metadata=FileMetadata(title="Titel", artist="Künstler", comment="none"),
            poster_frame=-1,
        )


@pytest.fixture(scope="module")
def composer() -> Iterator[Composer]:
    """A composer that all tests here call."""
    with tempfile.TemporaryDirectory() as folder, Composer(Path(folder)) as target:
        yield target


@pytest.mark.parametrize("method", rpcs("composer"), ids=short)
def test_nothing_breaks_it(composer: Composer, method: MethodDescriptor) -> None:
    """No request makes it fail or hang; work that begins is broken off."""
    good: dict[str, Message] = {
        "Compose": composer.good,
        "CancelComposition": CancelCompositionRequest(output_key=composer.good.output_key),
    }
    uris = [clip.video.uri for clip in composer.good.clips]
    words = ("p", "projects/p/x", "projects/p", *uris, composer.good.soundtrack.canonical.uri)
    fuzz(composer, method, requests(good.get(method.name) or request_type(method)(), words=words))


def test_what_it_takes_it_composes(composer: Composer) -> None:
    """No request that it takes fails while it is composed."""
    method = rpc("composer", "Compose")
    asked = 0

    def another(request: ComposeRequest) -> ComposeRequest:
        nonlocal asked
        asked += 1
        request.project = "p"
        request.output_key = f"projects/p/compositions/whole-{asked}"
        return request

    whole = requests(composer.good).map(another)
    fuzz(composer, method, whole, cases=COMPOSED, to_the_end=True)
