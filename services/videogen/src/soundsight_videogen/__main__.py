"""`python -m soundsight_videogen`: serves the built-in renderer, diffusion models, or a remote."""

from __future__ import annotations

import asyncio
import time

from soundsight.common.v1.implementation_pb2 import GetInfoResponse, Limits
from soundsight.videogen.v1.videogen_pb2_grpc import add_VideoGenServiceServicer_to_server
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.info import implementation_info
from soundsight_kit.jobs import JobTable
from soundsight_kit.main import service_main
from soundsight_kit.server import ServiceBinding, run_server
from soundsight_kit.settings import KitSettings, load_settings
from soundsight_videogen.backend import Backend
from soundsight_videogen.builtin.renderer import BuiltInRenderer
from soundsight_videogen.devices import worker_devices
from soundsight_videogen.diffusion.renderer import DiffusionRenderer, Hands, film_models
from soundsight_videogen.remote.backend import RemoteBackend
from soundsight_videogen.scheduling.scheduler import Policy, Scheduler
from soundsight_videogen.service import VideoGenServicer
from soundsight_videogen.settings import DiffusionSettings, VideoGenSettings, default_slots
from soundsight_videogen.supervising.process import Patience

SERVICE = "soundsight.videogen.v1.VideoGenService"


def describe(backend: Backend, queue_limit: int) -> GetInfoResponse:
    """The answer to GetInfo."""
    about = backend.about
    return implementation_info(
        "soundsight-videogen",
        implementation=about.implementation,
        description=about.description,
        fingerprint=about.fingerprint,
        capabilities=about.capabilities,
        limits=Limits(max_concurrent=backend.slots, max_queued=queue_limit),
        models=backend.models,
        profile=backend.profile,
    )


async def make_backend(settings: VideoGenSettings) -> Backend:
    """The backend that the settings name.

    Raises FailedPrecondition and DataLoss for a model that is no whole pipeline.
    """
    if settings.remote_url:
        return RemoteBackend(settings)
    if not settings.models:
        return BuiltInRenderer(settings.slots or default_slots())
    diffusion = load_settings(DiffusionSettings)
    patience = Patience(
        stop_s=settings.stop_timeout_s,
        silence_s=settings.step_timeout_s,
        phase_s={"load": settings.load_timeout_s},
    )
    hands = Hands(
        patience=patience,
        memory_bytes=round(settings.memory_gib * (1 << 30)),
        workers_a_clip=settings.workers_a_clip,
    )
    # Reads the head of every weight file.
    models = await asyncio.to_thread(film_models, settings.models, diffusion)
    return DiffusionRenderer(models, worker_devices(settings.devices), diffusion, hands)


async def serve(kit: KitSettings, settings: VideoGenSettings) -> None:
    """Serves until told to end."""
    backend = await make_backend(settings)
    info = describe(backend, settings.queue_limit)
    kit.scratch_dir.mkdir(parents=True, exist_ok=True)
    scheduler = Scheduler(
        backend.slots,
        settings.queue_limit,
        clock=time.monotonic,
        policy=Policy(stint_s=settings.stint_s, retry_after_s=settings.retry_after_s),
    )
    table = JobTable(
        backend.slots,
        settings.queue_limit,
        name="clips",
        retry_after_s=settings.retry_after_s,
        turns=scheduler,
    )
    servicer = VideoGenServicer(
        backend=backend,
        store=ArtifactStore.open(kit.artifacts_url),
        table=table,
        queue_limit=settings.queue_limit,
        scratch_dir=kit.scratch_dir,
        info=info,
        scheduler=scheduler,
    )
    try:
        await backend.start()
        await run_server(
            name="videogen",
            kit=kit,
            info=info,
            services=[
                ServiceBinding(
                    SERVICE,
                    lambda server: add_VideoGenServiceServicer_to_server(servicer, server),
                    polled=("GetLoad",),
                )
            ],
            drain=servicer.drain,
        )
    finally:
        await backend.close()


def main() -> None:
    """The console script."""
    service_main(
        name="videogen",
        purpose="Films scenes: one scene goes in, one clip comes out.",
        settings=VideoGenSettings,
        serve=serve,
    )


if __name__ == "__main__":
    main()
