"""A videogen by script in a process of its own, which can be killed and stopped.

Listens and stores where `SOUNDSIGHT_LISTEN` and `SOUNDSIGHT_ARTIFACTS_URL` say.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from soundsight_gateway.testing.suite import videogen_binding
from soundsight_gateway.testing.videogen import ScriptedVideogen, VideogenLog
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.server import run_server
from soundsight_kit.settings import KitSettings, load_settings


def main() -> None:
    """Serves until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="where it writes what it did")
    parser.add_argument("--takes-s", type=float, default=0.5, help="seconds per clip")
    parser.add_argument("--slots", type=int, default=2)
    options = parser.parse_args()
    kit = load_settings(KitSettings)
    videogen = ScriptedVideogen(
        ArtifactStore.open(kit.artifacts_url),
        VideogenLog(record=options.record),
        slots=options.slots,
    )
    videogen.takes_s = options.takes_s
    serving = run_server(
        name="videogen", kit=kit, info=videogen.info, services=[videogen_binding(videogen)]
    )
    asyncio.run(serving)


if __name__ == "__main__":
    main()
