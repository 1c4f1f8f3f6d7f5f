"""`python -m soundsight_videogen`: serves the built-in renderer."""

from __future__ import annotations

from soundsight.common.v1.implementation_pb2 import GetInfoResponse, Limits
from soundsight.videogen.v1.videogen_pb2_grpc import add_VideoGenServiceServicer_to_server
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.info import implementation_info
from soundsight_kit.jobs import JobTable
from soundsight_kit.main import service_main
from soundsight_kit.server import ServiceBinding, run_server
from soundsight_kit.settings import KitSettings
from soundsight_videogen.backend import Backend
from soundsight_videogen.builtin.renderer import BuiltInRenderer
from soundsight_videogen.service import VideoGenServicer
from soundsight_videogen.settings import VideoGenSettings, default_slots

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
        models=[about.model],
        profile=backend.profile,
    )


async def serve(kit: KitSettings, settings: VideoGenSettings) -> None:
    """Serves until told to end."""
    backend = BuiltInRenderer(settings.slots or default_slots())
    info = describe(backend, settings.queue_limit)
    kit.scratch_dir.mkdir(parents=True, exist_ok=True)
    table = JobTable(
        backend.slots, settings.queue_limit, name="clips", retry_after_s=settings.retry_after_s
    )
    servicer = VideoGenServicer(
        backend=backend,
        store=ArtifactStore.open(kit.artifacts_url),
        table=table,
        queue_limit=settings.queue_limit,
        scratch_dir=kit.scratch_dir,
        info=info,
    )
    try:
        await backend.start()
        await run_server(
            name="videogen",
            kit=kit,
            info=info,
            services=[
                ServiceBinding(
                    SERVICE, lambda server: add_VideoGenServiceServicer_to_server(servicer, server)
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
