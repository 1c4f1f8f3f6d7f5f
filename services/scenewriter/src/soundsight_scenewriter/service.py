"""SceneWriterService: checks requests, has them written, streams how far it is.

The rules work in a thread; the language model is asked from the event loop, so that a caller who
breaks off stops the question too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc

from soundsight.common.v1.common_pb2 import Progress
from soundsight.common.v1.implementation_pb2 import GetInfoResponse, Limits, Model
from soundsight.scenewriter.v1 import scenewriter_pb2, scenewriter_pb2_grpc, storyboard_pb2
from soundsight_kit.deadlines import remaining_s
from soundsight_kit.errors import FailedPrecondition
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_kit.info import implementation_info
from soundsight_kit.jobs import Emit, JobTable
from soundsight_kit.server import ServiceBinding
from soundsight_scenewriter.llm.prompting import read_prompts
from soundsight_scenewriter.llm.writer import ModelWriter
from soundsight_scenewriter.moderation import (
    FLAGGED,
    ModerationEndpoint,
    Moderator,
    NoModerator,
    filmed_text,
    moderated,
)
from soundsight_scenewriter.planning.types import Plan
from soundsight_scenewriter.requests import (
    LONGEST_S,
    ModelUse,
    RewriteOrder,
    WriteOrder,
    read_rewrite_request,
    read_write_request,
)
from soundsight_scenewriter.settings import SceneWriterSettings
from soundsight_scenewriter.storyboards import (
    STAGES,
    Report,
    finish_storyboard,
    plan_shots,
    write_by_rules,
)
from soundsight_scenewriter.writing.film import Film
from soundsight_scenewriter.writing.rewriting import rewrite_scene
from soundsight_scenewriter.writing.vocabulary import vocabulary

FULL_NAME = "soundsight.scenewriter.v1.SceneWriterService"
IMPLEMENTATION = "soundsight-scenewriter-rules"
IMPLEMENTATION_WITH_MODEL = "soundsight-scenewriter-llm"
CAPABILITIES = ("rewrite_scene", "rules")
# What is served behind an endpoint has whatever licence it has there.
_LICENCE = "LicenseRef-as-supplied"

WriteResponse = scenewriter_pb2.WriteStoryboardResponse
RewriteResponse = scenewriter_pb2.RewriteSceneResponse


def scenewriter_info(settings: SceneWriterSettings) -> GetInfoResponse:
    """What GetInfo answers."""
    description = (
        "Plans cuts on the song's own bars and writes storyboards by rules and tables; it has no "
        "language model."
    )
    capabilities, models, extra = [*CAPABILITIES], [], ""
    if settings.llm_url:
        version = read_prompts(settings.llm_prompts).version
        description = (
            f"Plans cuts on the song's own bars and has {settings.llm_model} write storyboards; "
            "rules and tables write what it cannot."
        )
        capabilities.append("llm")
        models.append(Model(id=settings.llm_model, revision=f"prompts-{version}", licence=_LICENCE))
        # A storyboard is stored under what made it: another model makes another one.
        extra = f"{settings.llm_model} {version} {settings.llm_temperature:g}"
    if settings.moderation_url:
        capabilities.append("moderation")
    return implementation_info(
        "soundsight-scenewriter",
        implementation=IMPLEMENTATION_WITH_MODEL if settings.llm_url else IMPLEMENTATION,
        description=description,
        fingerprint=source_fingerprint("soundsight_scenewriter", extra=extra),
        capabilities=sorted(capabilities),
        limits=Limits(
            max_duration_s=LONGEST_S,
            max_concurrent=settings.slots,
            max_queued=settings.queue_limit,
        ),
        models=models,
    )


class SceneWriterServicer(scenewriter_pb2_grpc.SceneWriterServiceServicer):
    """Serves WriteStoryboard and RewriteScene.

    Raises ValueError, KeyError or TypeError when the tables do not fit: better at start than in
    the middle of a film.
    """

    def __init__(self, settings: SceneWriterSettings, info: GetInfoResponse) -> None:
        vocabulary()
        self._jobs = JobTable(settings.slots, settings.queue_limit, name="storyboards")
        self._settings = settings
        self._model = ModelWriter(settings) if settings.llm_url else None
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
        left_s = remaining_s(context)

        async def work(emit: Emit[WriteResponse]) -> None:
            def report(stage: str, done: int, total: int, message: str) -> None:
                assert stage in STAGES
                progress = Progress(stage=stage, done=done, total=total, message=message)
                emit(WriteResponse(progress=progress))

            order = await asyncio.to_thread(
                read_write_request, request, has_model=self._model is not None
            )
            planned = await asyncio.to_thread(plan_shots, order, report)
            moderator = self._moderator()
            film, author = await self._film(order, planned, moderator, report, left_s)
            film = await moderated(film, order.backend, moderator)
            storyboard = await asyncio.to_thread(
                finish_storyboard, order, planned, film, author, report
            )
            emit(WriteResponse(storyboard=storyboard))

        async for response in self._jobs.events(_own_key(), work):
            yield response

    async def RewriteScene(  # noqa: N802 - named by the contract
        self,
        request: scenewriter_pb2.RewriteSceneRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[RewriteResponse]:
        """Streams the rewriting of a scene and ends with it.

        What was not understood is said in the message of the last progress.
        """
        left_s = remaining_s(context)

        async def work(emit: Emit[RewriteResponse]) -> None:
            order = await asyncio.to_thread(
                read_rewrite_request, request, has_model=self._model is not None
            )
            emit(RewriteResponse(progress=Progress(stage="scenes", done=0, total=1)))
            moderator = self._moderator()
            scene, notes = await self._rewrite(order, moderator, left_s)
            text = filmed_text(scene.description, scene.shot.prompt)
            (refused,) = await moderator.objections([text])
            if refused:
                raise FailedPrecondition(
                    f"the moderation refuses the scene ({refused}); reword the note",
                    reason=FLAGGED,
                )
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

    async def _film(
        self,
        order: WriteOrder,
        planned: Plan,
        moderator: Moderator,
        report: Report,
        left_s: float | None,
    ) -> tuple[Film, storyboard_pb2.Authorship]:
        """The film by whoever writes it, and who that was."""
        if self._model is None or order.model_use is ModelUse.NO:
            return await asyncio.to_thread(write_by_rules, order, planned, report), self._authorship
        film, by_model = await self._model.write(order, planned, moderator, report, left_s)
        author = storyboard_pb2.Authorship()
        author.CopyFrom(self._authorship)
        if by_model:
            author.writer, author.model_id = "llm", self._model.model
            author.prompt_version = self._model.prompt_version
        return film, author

    async def _rewrite(
        self, order: RewriteOrder, moderator: Moderator, left_s: float | None
    ) -> tuple[storyboard_pb2.Scene, list[str]]:
        if self._model is None or order.model_use is ModelUse.NO:
            return await asyncio.to_thread(
                rewrite_scene, order.storyboard, order.scene, order.note, order.backend, order.seed
            )
        return await self._model.rewrite(order, moderator, left_s)

    def _moderator(self) -> Moderator:
        """The hook for one call; what it was told is not kept beyond it."""
        settings = self._settings
        if not settings.moderation_url:
            return NoModerator()
        key = settings.moderation_api_key
        return ModerationEndpoint(
            settings.moderation_url,
            settings.moderation_model,
            key.get_secret_value() if key else "",
        )


def _own_key() -> str:
    """Each call is a job of its own: nothing is stored."""
    return uuid4().hex
