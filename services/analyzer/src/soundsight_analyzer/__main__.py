"""`python -m soundsight_analyzer`: serves the analyzer."""

from __future__ import annotations

from soundsight.analyzer.v1.analyzer_pb2_grpc import add_AnalyzerServiceServicer_to_server
from soundsight_analyzer.info import describe
from soundsight_analyzer.service import AnalyzerServicer
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.main import service_main
from soundsight_kit.server import ServiceBinding, run_server
from soundsight_kit.settings import KitSettings

SERVICE = "soundsight.analyzer.v1.AnalyzerService"


async def serve(kit: KitSettings, settings: AnalyzerSettings) -> None:
    """Serves until told to end."""
    info = describe(settings)
    kit.scratch_dir.mkdir(parents=True, exist_ok=True)
    servicer = AnalyzerServicer(
        settings=settings,
        store=ArtifactStore.open(kit.artifacts_url),
        scratch_dir=kit.scratch_dir,
        info=info,
    )
    await run_server(
        name="analyzer",
        kit=kit,
        info=info,
        services=[
            ServiceBinding(
                SERVICE, lambda server: add_AnalyzerServiceServicer_to_server(servicer, server)
            )
        ],
        drain=servicer.drain,
    )


def main() -> None:
    """The console script."""
    service_main(
        name="analyzer",
        purpose="Listens to songs and says what is in them.",
        settings=AnalyzerSettings,
        serve=serve,
    )


if __name__ == "__main__":
    main()
