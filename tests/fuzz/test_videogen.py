"""Whatever is asked of videogen, it answers or says what is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fuzz.sending import CASES, TIMEOUT_S, Target, fuzz, request_type, rpc, rpcs, short
from fuzz.strategies import requests
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from videogen_requests import clip_request

from soundsight.videogen.v1.videogen_pb2 import CancelClipRequest, GenerateClipRequest
from soundsight.videogen.v1.videogen_pb2_grpc import add_VideoGenServiceServicer_to_server
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.jobs import JobTable
from soundsight_kit.server import ServiceBinding
from soundsight_kit.testing import running_server
from soundsight_videogen.__main__ import SERVICE, describe
from soundsight_videogen.builtin.renderer import BuiltInRenderer
from soundsight_videogen.builtin.worlds import WORLDS
from soundsight_videogen.service import VideoGenServicer

QUEUE_LIMIT = 64
SMALL = (32, 32)
FILMED = max(1, CASES // 50)
"""Clips that are filmed to their end: each costs as much as fifty that are broken off."""

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The built-in renderer, served."""
    with tempfile.TemporaryDirectory() as folder:
        backend = BuiltInRenderer(slots=1)
        info = describe(backend, QUEUE_LIMIT)
        servicer = VideoGenServicer(
            backend=backend,
            store=ArtifactStore.open(f"file://{folder}/artifacts"),
            table=JobTable(1, QUEUE_LIMIT, name="clips"),
            queue_limit=QUEUE_LIMIT,
            scratch_dir=Path(folder),
            info=info,
        )
        binding = ServiceBinding(
            SERVICE, lambda server: add_VideoGenServiceServicer_to_server(servicer, server)
        )
        try:
            await backend.start()
            async with running_server(binding, info=info) as target:
                yield target
        finally:
            await backend.close()


@pytest.fixture(scope="module")
def videogen() -> Iterator[Target]:
    """A videogen that all tests here call."""
    with Target(served) as target:
        yield target


def small_clip(key: str) -> GenerateClipRequest:
    """A request for a clip that is quickly filmed."""
    return clip_request(key, shot_frames=3, handles=(1, 1), size=SMALL, internal=SMALL)


GOOD: dict[str, Message] = {
    "GenerateClip": small_clip("fuzz"),
    "CancelClip": CancelClipRequest(output_key=small_clip("fuzz").output_key),
}
WORDS = ("tests", "projects/tests/clips/a", "projects/tests/", *sorted(WORLDS))


@pytest.mark.parametrize("method", rpcs("videogen"), ids=short)
def test_nothing_breaks_it(videogen: Target, method: MethodDescriptor) -> None:
    """No request makes it fail or hang; work that begins is broken off."""
    good = GOOD.get(method.name) or request_type(method)()
    fuzz(videogen, method, requests(good, words=WORDS))


def test_what_it_takes_it_films(videogen: Target) -> None:
    """No request that it takes fails while it is filmed."""
    method = rpc("videogen", "GenerateClip")
    asked = 0

    def another(request: GenerateClipRequest) -> GenerateClipRequest:
        nonlocal asked
        asked += 1
        request.project = "tests"
        request.output_key = f"projects/tests/clips/whole-{asked}"
        return request

    def quick(request: GenerateClipRequest) -> bool:
        size, inner = request.resolution, request.internal_resolution
        return (
            request.shot_frames <= 100
            and max(size.width, size.height) <= 256
            and max(inner.width, inner.height) <= 256
        )

    whole = requests(small_clip("whole"), words=WORDS).map(another).filter(quick)
    fuzz(videogen, method, whole, cases=FILMED, to_the_end=True)
    assert FILMED < 20 or videogen.answers["OK", ""], "no clip was filmed"
