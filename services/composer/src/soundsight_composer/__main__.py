"""`python -m soundsight_composer`: serves the composer until told to end."""

from __future__ import annotations

from soundsight_composer.service import ComposerServicer, composer_info
from soundsight_composer.settings import ComposerSettings
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.main import service_main
from soundsight_kit.server import run_server
from soundsight_kit.settings import KitSettings


async def serve(kit: KitSettings, settings: ComposerSettings) -> None:
    """Runs the service with these settings."""
    store = ArtifactStore.open(kit.artifacts_url)
    servicer = ComposerServicer(store, kit.scratch_dir, settings)
    await run_server(
        name="composer",
        kit=kit,
        info=composer_info(settings),
        services=[servicer.binding],
        drain=servicer.drain,
    )


def main() -> None:
    """Entry point of the console script."""
    service_main(
        name="composer",
        purpose="Joins clips and song into the finished video.",
        settings=ComposerSettings,
        serve=serve,
    )


if __name__ == "__main__":
    main()
