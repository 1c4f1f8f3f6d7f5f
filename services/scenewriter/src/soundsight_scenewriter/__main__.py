"""`python -m soundsight_scenewriter`: serves the scene writer until told to end."""

from __future__ import annotations

from soundsight_kit.main import service_main
from soundsight_kit.server import run_server
from soundsight_kit.settings import KitSettings
from soundsight_scenewriter.service import SceneWriterServicer, scenewriter_info
from soundsight_scenewriter.settings import SceneWriterSettings


async def serve(kit: KitSettings, settings: SceneWriterSettings) -> None:
    """Runs the service with these settings."""
    info = scenewriter_info(settings)
    servicer = SceneWriterServicer(settings, info)
    await run_server(
        name="scenewriter",
        kit=kit,
        info=info,
        services=[servicer.binding],
        drain=servicer.drain,
    )


def main() -> None:
    """Entry point of the console script."""
    service_main(
        name="scenewriter",
        purpose="Turns what is heard in a song into a storyboard.",
        settings=SceneWriterSettings,
        serve=serve,
    )


if __name__ == "__main__":
    main()
