"""One clip by several processes: together they film what one films, and none outlives another."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import grpc
import numpy as np
import pytest
from model_workers import model_renderer, model_request
from studio_filming import film
from videogen_serving import Serving, group_of, processes, serving

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest, GenerateClipResponse
from soundsight_videogen.diffusion.group import Group
from soundsight_videogen.diffusion.renderer import DiffusionRenderer
from soundsight_videogen.diffusion.studio import Studio

pytestmark = [
    pytest.mark.torch,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("cpu_workers"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

Make = Callable[[str], Path]
PAIR = "cpu,cpu"


def leader(here: Serving) -> int:
    """The process that leads the group; nothing else is told to the server."""
    assert isinstance(here.backend, DiffusionRenderer)
    (pid,) = here.backend.worker_pids
    return pid


def followers(here: Serving) -> set[int]:
    """The other processes of the group that lives."""
    assert isinstance(here.backend, DiffusionRenderer)
    leaders = set(here.backend.worker_pids)
    return {pid for pid in processes() if group_of(pid) in leaders and pid not in leaders}


def runs(pid: int) -> bool:
    """Whether a process is more than a corpse that nobody has buried yet."""
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def stored_frames(
    here: Serving, request: GenerateClipRequest
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pictures of a stored clip (n, h, w, 3)."""
    path = here.folder / "artifacts" / request.output_key / "clip.mp4"
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def denoising(event: GenerateClipResponse) -> bool:
    """Whether an event tells of a step."""
    return event.progress.stage == "film" and event.progress.done > 0


async def test_two_processes_film_what_one_films(
    tmp_path: Path, tiny: Make, studio: Studio
) -> None:
    """Each computes half of the tokens and the clip is that of one process; a clip that is
    stopped leaves the group together, which films the next one."""
    whole = model_request("whole", steps=3)
    alone = film(studio, tiny("wan21"), whole, tmp_path / "alone").frames
    async with serving(tmp_path, model_renderer(tiny("wan21"), PAIR)) as here:
        notes = list((await here.clip(whole)).provenance.notes)
        assert "context parallel: 2 processes, each with 4 of 8 tokens of a trial" in notes
        together = stored_frames(here, whole)
        members = {leader(here), *followers(here)}
        assert len(members) == 2
        stopped = model_request("stopped", steps=500)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for event in here.stub.GenerateClip(stopped):
                if denoising(event):
                    await here.cancel(stopped)
        assert ended.value.code() is grpc.StatusCode.CANCELLED
        again = model_request("again", steps=3)
        await here.clip(again)
        assert np.array_equal(stored_frames(here, again), together)
        assert {leader(here), *followers(here)} == members
        await here.audit([leader(here)])
    assert np.abs(together.astype(int) - alone).max() <= 2


async def test_a_group_ends_with_any_of_its_processes(tmp_path: Path, tiny: Make) -> None:
    """When one hangs or dies all of it goes, and the clip to another group while it may."""
    asked = model_request("broken", steps=500)
    backend = model_renderer(tiny("wan21"), PAIR, most_denoising_s=10.0)
    harms: Iterator[signal.Signals] = iter((signal.SIGSTOP, signal.SIGKILL))
    harmed: set[int] = set()
    async with serving(tmp_path, backend) as here:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for event in here.stub.GenerateClip(asked):
                if denoising(event) and not followers(here) & harmed:
                    (pid,) = followers(here)
                    harmed.add(pid)
                    os.kill(pid, next(harms))
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert len(harmed) == 2
        await here.audit()
        (worker,) = (await here.load()).workers
        assert worker.restarts == 2
    assert not [pid for pid in harmed if runs(pid)]


async def test_a_group_that_failed_is_not_used_again(tmp_path: Path, tiny: Make) -> None:
    """A model whose transformer cannot be cut is an error that says so, as any that all of them
    meet; the group, whose processes may have come apart by it, is ended."""
    async with serving(tmp_path, model_renderer(tiny("cogvideox"), PAIR)) as here:
        error = await here.refused(model_request("whole"))
        assert (error.code, error.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "FEATURE_WITHOUT_EFFECT",
        )
        assert "CogVideoXTransformer3DModel" in error.message
        await here.audit()


def test_a_process_alone_is_a_group() -> None:
    """It leads, asks nobody, and needs no torch; a rank beyond the size is nobody's."""
    group = Group()
    assert group.leads
    assert group.agreed(lambda: True)()
    assert not group.agreed(lambda: False)()
    with pytest.raises(ValueError, match="rank 2"):
        Group(2, 2)
