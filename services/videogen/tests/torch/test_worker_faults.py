"""Worker processes with a real pipeline: killed, short of memory, given broken models."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from model_workers import SETTINGS, model_renderer, model_request
from videogen_serving import Serving, serving

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import DataLoss, FailedPrecondition, InvalidArgument, error_from_rpc
from soundsight_videogen.diffusion.renderer import DiffusionRenderer, film_models

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("cpu_workers")]

Make = Callable[[str], Path]


async def kill_in(here: Serving, asked: GenerateClipRequest, stage: str) -> list[str]:
    """Kills the worker when the call tells of a stage; returns the notes of the clip."""
    backend = here.backend
    assert isinstance(backend, DiffusionRenderer)
    killed = False
    async for event in here.stub.GenerateClip(asked):
        progress = event.progress
        if not killed and stage in (progress.stage, progress.message):
            killed = True
            for pid in backend.worker_pids:
                os.kill(pid, signal.SIGKILL)
    assert killed
    return list(event.clip.provenance.notes)


async def test_a_killed_worker_costs_a_try_and_nothing_else(tmp_path: Path, tiny: Make) -> None:
    """Killed while it loads, denoises, decodes or writes, its clip is filmed by the next one."""
    async with serving(tmp_path, model_renderer(tiny("wan21"))) as here:
        for number, stage in enumerate(("load", "film", "decode", "write")):
            notes = await kill_in(here, model_request(f"killed-{number}"), stage)
            assert notes[-1].startswith("1 workers were lost")
            assert isinstance(here.backend, DiffusionRenderer)
            await here.audit(sorted(here.backend.worker_pids))


async def test_a_clip_says_what_made_it(tmp_path: Path, tiny: Make) -> None:
    """Model, revision, licence, seed and settings are on record, and its load tells the model."""
    async with serving(tmp_path, model_renderer(tiny("wan21"))) as here:
        clip = await here.clip(model_request("recorded"))
        (worker,) = (await here.load()).workers
    made = clip.provenance
    assert made.model_id == "wan21"
    assert made.model_revision
    assert made.model_licence == "Apache-2.0"
    assert made.seed == 7
    assert made.settings["steps"] == "2"
    assert made.settings["memory_plan"] == "fastest"
    assert worker.resident_models[0].id == "wan21"
    assert worker.resident_models[0].size_bytes > 0
    assert worker.seconds_per_step > 0


async def test_models_that_break_are_named(tmp_path: Path, tiny: Make) -> None:
    """Damaged weights and folders that are no pipeline stop the start; weights that are damaged
    later, and too many frames, end the clip with a status of their own."""
    broken = tmp_path / "broken"
    shutil.copytree(tiny("wan21"), broken)
    async with serving(tmp_path, model_renderer(broken)) as here:
        too_long = model_request("too-long")
        too_long.shot_frames = 500
        assert isinstance(await here.refused(too_long), InvalidArgument)
        weights = next((broken / "transformer").glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await here.events(model_request("damaged"))
        error = error_from_rpc(failed.value)
        assert (error.code, error.reason) == (grpc.StatusCode.DATA_LOSS, "MODEL_CORRUPT")
        assert isinstance(here.backend, DiffusionRenderer)
        await here.audit(sorted(here.backend.worker_pids))
    with pytest.raises(DataLoss):
        film_models([str(broken)], SETTINGS)
    with pytest.raises(FailedPrecondition):
        film_models([str(tmp_path)], SETTINGS)
