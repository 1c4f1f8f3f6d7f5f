"""A running scene writer that asks a scripted model, and requests for it."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from scripted_writer import MODEL, WritingModel, made, writing_model

from soundsight.common.v1 import common_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1.scenewriter_pb2_grpc import SceneWriterServiceStub
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight.videogen.v1 import profile_pb2
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError, error_from_rpc
from soundsight_kit.testing import running_server
from soundsight_kit.timeline import check_storyboard
from soundsight_scenewriter.service import SceneWriterServicer, scenewriter_info
from soundsight_scenewriter.settings import SceneWriterSettings

if TYPE_CHECKING:  # the generator names it in its stubs alone
    from soundsight.scenewriter.v1.scenewriter_pb2_grpc import SceneWriterServiceAsyncStub

CALL_S = 120.0


@pytest.fixture
def model() -> Iterator[WritingModel]:
    with writing_model() as running:
        yield running


@asynccontextmanager
async def writer_of(
    model: WritingModel, **changes: Any
) -> AsyncIterator[SceneWriterServiceAsyncStub]:
    """A client of a running scene writer that asks the model."""
    wanted = {"llm_url": model.url, "llm_model": MODEL, "llm_attempts": 2, **changes}
    settings = SceneWriterSettings(**wanted)
    info = scenewriter_info(settings)
    servicer = SceneWriterServicer(settings, info)
    async with (
        running_server(servicer.binding, info=info, drain=servicer.drain) as target,
        open_channel(target) as channel,
    ):
        yield SceneWriterServiceStub(channel)


@pytest.fixture
def request_of(handmade: Any, frames_of: Any) -> Any:
    """Makes requests for a short song of three sections, for a backend that reads words."""

    def make(**changes: Any) -> pb.WriteStoryboardRequest:
        parts = (("A", "intro", 4, 0.3), ("B", "verse", 6, 0.5), ("C", "chorus", 6, 0.95))
        tags = (("genre", "indie", 0.9), ("mood", "sad", 0.5))
        analysis = handmade(**{"bpm": 110, "parts": parts, "tags": tags, **changes}).analysis()
        request = pb.WriteStoryboardRequest(
            analysis=analysis,
            frames=frames_of(analysis, 24, 1),
            frame_rate=common_pb2.FrameRate(num=24, den=1),
            seed=7,
        )
        request.brief.writer = pb.WRITER_LLM
        request.video.min_frames, request.video.max_frames = 1, 240
        request.video.prompt_dialect.style = profile_pb2.PROMPT_STYLE_SENTENCES
        request.video.prompt_dialect.camera_words = True
        return request

    return make


async def write(
    model: WritingModel, request: pb.WriteStoryboardRequest, **changes: Any
) -> tuple[list[common_pb2.Progress], Storyboard]:
    """The progress seen, and the storyboard, which must be sound."""
    progress: list[common_pb2.Progress] = []
    async with writer_of(model, **changes) as writer:
        async for response in writer.WriteStoryboard(request, timeout=CALL_S):
            if response.WhichOneof("event") == "progress":
                progress.append(response.progress)
            else:
                storyboard = response.storyboard
    check_storyboard(storyboard)
    return progress, storyboard


async def failure(
    model: WritingModel, request: pb.WriteStoryboardRequest, **changes: Any
) -> SoundsightError:
    with pytest.raises(grpc.RpcError) as caught:
        await write(model, request, **changes)
    return error_from_rpc(caught.value)


def good(body: dict[str, Any]) -> Any:
    """A good answer to a request, as plain values, to be spoilt."""
    schema = body["response_format"]["json_schema"]["schema"]
    return made(schema, random.Random(json.dumps(body["messages"])))


def by_rules(storyboard: Storyboard) -> list[str]:
    """The notes on what the rules had to write."""
    return [note for note in storyboard.notes if note.startswith("The rules wrote")]


async def rewrite(
    model: WritingModel, storyboard: Storyboard, scene_id: str, note: str, **changes: Any
) -> tuple[Scene, str]:
    """The scene anew, and the last progress' message."""
    request = pb.RewriteSceneRequest(
        storyboard=storyboard, scene_id=scene_id, note=note, writer=pb.WRITER_LLM, seed=3
    )
    request.video.prompt_dialect.style = profile_pb2.PROMPT_STYLE_SENTENCES
    message = ""
    async with writer_of(model, **changes) as writer:
        async for response in writer.RewriteScene(request, timeout=CALL_S):
            if response.WhichOneof("event") == "progress":
                message = response.progress.message
            else:
                scene = response.scene
    return scene, message
