"""A videogen whose workers do what a script says: `scripted_studio.py` in real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from videogen_requests import clip_request
from videogen_serving import Serving, serving

from soundsight.common.v1.implementation_pb2 import Model
from soundsight.videogen.v1 import profile_pb2
from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.diffusion.renderer import DiffusionRenderer, FilmModel, Hands
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.supervising.process import Patience

SUPPORT = Path(__file__).parent
CALM = Patience(start_s=150.0, stop_s=60.0, silence_s=150.0)

PROFILE = profile_pb2.VideoGenProfile(
    kind=profile_pb2.BACKEND_KIND_DIFFUSION,
    frame_step=4,
    frame_offset=1,
    min_frames=1,
    max_frames=81,
    size_multiple=2,
    max_pixels=1 << 20,
)


def film_model(name: str) -> FilmModel:
    """A model of the scripted studio."""
    return FilmModel(
        f"/models/{name}", Model(id=name, revision="r1", licence="MIT"), PROFILE, (), 1000
    )


class Script:
    """What the workers are told to do wrong, and what they say they did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "script"
        self.folder.mkdir()

    def plan(self, what: str, phase: str, times: int = 1) -> None:
        """Has something happen in a phase, so often; for `memory`, under plans below that."""
        (self.folder / f"{what}@{phase}").write_text(str(times))

    def log(self, what: str) -> list[str]:
        """What the workers logged of a kind."""
        file = self.folder / "log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{what} ")]


@asynccontextmanager
async def scripted(
    folder: Path,
    script: Script,
    *,
    models: tuple[str, ...] = ("one",),
    devices: int = 1,
    patience: Patience = CALM,
    memory_bytes: int = 0,
    queue_limit: int = 4,
) -> AsyncIterator[Serving]:
    """Serves the scripted studio."""
    hands = Hands(
        studio="scripted_studio:ScriptedStudio",
        environment={"PYTHONPATH": str(SUPPORT), "SCRIPT": str(script.folder)},
        patience=patience,
        memory_bytes=memory_bytes,
    )
    backend = DiffusionRenderer(
        [film_model(name) for name in models], ["cpu"] * devices, StudioSettings(), hands
    )
    async with serving(folder, backend, queue_limit=queue_limit) as here:
        yield here


def pids(here: Serving) -> list[int]:
    """Process ids of the workers."""
    assert isinstance(here.backend, DiffusionRenderer)
    return sorted(here.backend.worker_pids)


def request(key: str, model: str = "") -> GenerateClipRequest:
    """A small clip."""
    asked = clip_request(key, shot_frames=6, handles=(1, 1))
    asked.model = model
    return asked
