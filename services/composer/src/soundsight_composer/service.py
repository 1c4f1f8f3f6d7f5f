"""ComposerService: compositions as jobs that belong to their output key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from soundsight.common.v1.common_pb2 import Progress
from soundsight.common.v1.implementation_pb2 import GetInfoResponse, Limits
from soundsight.composer.v1 import composer_pb2, composer_pb2_grpc
from soundsight_composer.compose import compose, find_finished
from soundsight_composer.order import read_order
from soundsight_composer.settings import ComposerSettings
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_kit.info import implementation_info
from soundsight_kit.jobs import Emit, JobTable
from soundsight_kit.server import ServiceBinding

FULL_NAME = "soundsight.composer.v1.ComposerService"
CAPABILITIES = ("audio_copy", "captions", "poster", "transitions")

Response = composer_pb2.ComposeResponse


class ComposerServicer(composer_pb2_grpc.ComposerServiceServicer):
    """Serves Compose and CancelComposition."""

    def __init__(self, store: ArtifactStore, scratch_dir: Path, settings: ComposerSettings) -> None:
        self._store = store
        self._scratch_dir = scratch_dir
        self._settings = settings
        self._jobs = JobTable(settings.slots, settings.queue_limit, name="compositions")

    async def Compose(  # noqa: N802 - named by the contract
        self,
        request: composer_pb2.ComposeRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[Response]:
        """Streams the making of a composition, or answers with the finished one."""
        read_order(request)
        finished = await find_finished(self._store, request)
        if finished is not None:
            yield Response(composition=finished)
            return

        async def work(emit: Emit[Response]) -> None:
            composition = await compose(
                request,
                self._store,
                self._scratch_dir,
                self._settings,
                lambda progress: emit(Response(progress=progress)),
            )
            emit(Response(composition=composition))

        grace_s = request.detach_grace.ToNanoseconds() / 1e9
        async for response in self._jobs.events(
            request.output_key, work, grace_s, waiting=_waiting
        ):
            yield response

    async def CancelComposition(  # noqa: N802 - named by the contract
        self,
        request: composer_pb2.CancelCompositionRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> composer_pb2.CancelCompositionResponse:
        """Stops the work on a composition, if there is any."""
        return composer_pb2.CancelCompositionResponse(
            cancelled=self._jobs.cancel(request.output_key)
        )

    async def drain(self) -> None:
        """Lets running compositions finish and takes no more."""
        await self._jobs.drain()

    @property
    def binding(self) -> ServiceBinding:
        """How a server takes this servicer in."""
        return ServiceBinding(
            FULL_NAME,
            lambda server: composer_pb2_grpc.add_ComposerServiceServicer_to_server(self, server),
        )


def composer_info(settings: ComposerSettings) -> GetInfoResponse:
    """What this composer says about itself."""
    return implementation_info(
        "soundsight-composer",
        implementation="soundsight-composer",
        description=(
            "Joins clips by stream copy, renders transitions from their handles, draws captions, "
            "and muxes the song with ffmpeg."
        ),
        fingerprint=source_fingerprint("soundsight_composer", "soundsight_kit.media"),
        capabilities=CAPABILITIES,
        limits=Limits(max_concurrent=settings.slots, max_queued=settings.queue_limit),
    )


def _waiting(ahead: int) -> Response:
    return Response(
        progress=Progress(stage="queue", total=ahead, message=f"{ahead} compositions wait before")
    )
