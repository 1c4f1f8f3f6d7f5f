"""SceneWriterService: checks requests, writes in a thread, streams how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc

from soundsight.common.v1.common_pb2 import Progress
from soundsight.common.v1.implementation_pb2 import GetInfoResponse, Limits
from soundsight.scenewriter.v1 import scenewriter_pb2, scenewriter_pb2_grpc, storyboard_pb2
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_kit.info import implementation_info
from soundsight_kit.jobs import Emit, JobTable
from soundsight_kit.server import ServiceBinding
from soundsight_scenewriter.requests import (
    LONGEST_S,
    RewriteOrder,
    WriteOrder,
    read_rewrite_request,
    read_write_request,
)
from soundsight_scenewriter.settings import SceneWriterSettings
from soundsight_scenewriter.storyboards import STAGES, write_storyboard
from soundsight_scenewriter.writing.rewriting import rewrite_scene
from soundsight_scenewriter.writing.vocabulary import vocabulary

FULL_NAME = "soundsight.scenewriter.v1.SceneWriterService"
IMPLEMENTATION = "soundsight-scenewriter-rules"
CAPABILITIES = ("rewrite_scene", "rules")

WriteResponse = scenewriter_pb2.WriteStoryboardResponse
RewriteResponse = scenewriter_pb2.RewriteSceneResponse


def scenewriter_info(settings: SceneWriterSettings) -> GetInfoResponse:
    """What GetInfo answers."""
    return implementation_info(
        "soundsight-scenewriter",
        implementation=IMPLEMENTATION,
        description=(
            "Plans cuts on the song's own bars and writes storyboards by rules and tables; it has "
            "no language model."
        ),
        fingerprint=source_fingerprint("soundsight_scenewriter"),
        capabilities=CAPABILITIES,
        limits=Limits(
            max_duration_s=LONGEST_S,
            max_concurrent=settings.slots,
            max_queued=settings.queue_limit,
        ),
    )


class SceneWriterServicer(scenewriter_pb2_grpc.SceneWriterServiceServicer):
    """Serves WriteStoryboard and RewriteScene.

    Raises ValueError, KeyError or TypeError when the tables do not fit: better at start than in
    the middle of a film.
    """

    def __init__(self, settings: SceneWriterSettings, info: GetInfoResponse) -> None:
        vocabulary()
        self._jobs = JobTable(settings.slots, settings.queue_limit, name="storyboards")
        self._authorship = storyboard_pb2.Authorship(
            implementation=info.implementation,
            version=info.version,
            fingerprint=info.fingerprint,
            writer="rules",
        )

    async def WriteStoryboard(  # noqa: N802 - named by the contract
        self,
        request: scenewriter_pb2.WriteStoryboardRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[WriteResponse]:
        """Streams the writing of a storyboard and ends with it."""

        async def work(emit: Emit[WriteResponse]) -> None:
            order = await asyncio.to_thread(read_write_request, request)
            storyboard = await asyncio.to_thread(self._write, order, emit)
            emit(WriteResponse(storyboard=storyboard))

        async for response in self._jobs.events(_own_key(), work):
            yield response

    async def RewriteScene(  # noqa: N802 - named by the contract
        self,
        request: scenewriter_pb2.RewriteSceneRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[RewriteResponse]:
        """Streams the rewriting of a scene and ends with it.

        What the rules did not understand is said in the message of the last progress.
        """

        async def work(emit: Emit[RewriteResponse]) -> None:
            order = await asyncio.to_thread(read_rewrite_request, request)
            emit(RewriteResponse(progress=Progress(stage="scenes", done=0, total=1)))
            scene, notes = await asyncio.to_thread(_rewrite, order)
            emit(
                RewriteResponse(
                    progress=Progress(stage="check", done=1, total=1, message=" ".join(notes))
                )
            )
            emit(RewriteResponse(scene=scene))

        async for response in self._jobs.events(_own_key(), work):
            yield response

    async def drain(self) -> None:
        """Lets running work finish and takes no more."""
        await self._jobs.drain()

    @property
    def binding(self) -> ServiceBinding:
        """How a server serves this."""
        return ServiceBinding(
            FULL_NAME,
            lambda server: scenewriter_pb2_grpc.add_SceneWriterServiceServicer_to_server(
                self, server
            ),
        )

    def _write(self, order: WriteOrder, emit: Emit[WriteResponse]) -> storyboard_pb2.Storyboard:
        def report(stage: str, done: int, total: int, message: str) -> None:
            assert stage in STAGES
            progress = Progress(stage=stage, done=done, total=total, message=message)
            emit(WriteResponse(progress=progress))

        return write_storyboard(order, self._authorship, report)


def _rewrite(order: RewriteOrder) -> tuple[storyboard_pb2.Scene, list[str]]:
    return rewrite_scene(order.storyboard, order.scene, order.note, order.backend, order.seed)


def _own_key() -> str:
    """Each call is a job of its own: writing is quick, and nothing is stored."""
    return uuid4().hex
