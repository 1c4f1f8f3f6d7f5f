"""Tiny models, made once for all tests, and a studio that keeps them loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Studio

Make = Callable[[str], Path]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Gives the folder of a tiny model by its name."""
    import torch
    from tiny_pipelines import make_tiny

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")

    def made(name: str) -> Path:
        path = folder / name
        return path if path.exists() else make_tiny(name, path)

    return made


@pytest.fixture
def cpu_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes run on the CPU, with one thread each."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SOUNDSIGHT_VIDEOGEN_DIFFUSION_DEVICE", "cpu")


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    """A studio on the CPU in which every model stays."""
    studio = Studio(StudioSettings(device="cpu", resident_models=16))
    yield studio
    for model in studio.resident_models():
        studio.release(model.id)
