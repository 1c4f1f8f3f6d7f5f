"""A running videogen with any backend, and an audit of what it leaves behind."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from soundsight.videogen.v1.videogen_pb2 import (
    CancelClipRequest,
    Clip,
    GenerateClipRequest,
    GenerateClipResponse,
    GetLoadRequest,
    GetLoadResponse,
)
from soundsight.videogen.v1.videogen_pb2_grpc import (
    VideoGenServiceStub,
    add_VideoGenServiceServicer_to_server,
)
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError, error_from_rpc
from soundsight_kit.jobs import JobTable
from soundsight_kit.server import ServiceBinding
from soundsight_kit.testing import assert_eventually, running_server
from soundsight_videogen.__main__ import SERVICE, describe
from soundsight_videogen.backend import Backend
from soundsight_videogen.scheduling.scheduler import Scheduler
from soundsight_videogen.service import VideoGenServicer

if TYPE_CHECKING:  # this name exists in the stubs only
    from soundsight.videogen.v1.videogen_pb2_grpc import VideoGenServiceAsyncStub


@dataclass
class Serving:
    """A running videogen and what a test wants to look at."""

    stub: VideoGenServiceAsyncStub
    store: ArtifactStore
    folder: Path
    backend: Backend

    async def events(self, request: GenerateClipRequest) -> list[GenerateClipResponse]:
        """All events of a call."""
        return [event async for event in self.stub.GenerateClip(request)]

    async def clip(self, request: GenerateClipRequest) -> Clip:
        """The clip that a call ends with."""
        return (await self.events(request))[-1].clip

    async def refused(self, request: GenerateClipRequest) -> SoundsightError:
        """What a call fails with."""
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await self.events(request)
        return error_from_rpc(failed.value)

    async def cancel(self, request: GenerateClipRequest) -> bool:
        """Cancels a clip."""
        asked = CancelClipRequest(output_key=request.output_key)
        return (await self.stub.CancelClip(asked)).cancelled

    async def load(self) -> GetLoadResponse:
        """How busy it is."""
        return await self.stub.GetLoad(GetLoadRequest())

    async def audit(self, pids: Sequence[int] = ()) -> None:
        """Nothing is left of finished work: no slot, no place, no file, no half object, and no
        process but the workers of `pids`."""

        async def idle() -> bool:
            load = await self.load()
            return load.busy == 0 and load.queued == 0

        await assert_eventually(idle, message="a slot leaked")
        assert list((self.folder / "scratch").iterdir()) == []
        groups = {group_of(pid) for pid in processes()}
        assert groups & set(children()) <= set(pids), "a worker was left behind"
        assert sorted(zombies()) == []
        objects = [p for p in (self.folder / "artifacts").rglob("*") if p.is_file()]
        assert not [p for p in objects if ".staging" in p.parts], "an upload was left half done"
        for video in (p for p in objects if p.name == "clip.mp4" and ".records" not in p.parts):
            assert video.with_name("clip.json").exists(), "a clip without its record"


def processes() -> list[int]:
    """Ids of all processes."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def group_of(pid: int) -> int:
    """The process group of a process; 0 when it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _children(state: str | None) -> list[int]:
    found = []
    for pid in processes():
        try:
            fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == os.getpid() and (state is None or fields[0] == state):
            found.append(pid)
    return found


def children() -> list[int]:
    """Child processes of the tests."""
    return _children(None)


def zombies() -> list[int]:
    """Child processes that ended and that nobody asked after."""
    return _children("Z")


@asynccontextmanager
async def serving(
    folder: Path, backend: Backend, *, queue_limit: int = 4
) -> AsyncIterator[Serving]:
    """Serves a backend in this loop, with the scheduler that the service uses."""
    scratch = folder / "scratch"
    scratch.mkdir()
    info = describe(backend, queue_limit)
    store = ArtifactStore.open(f"file://{folder}/artifacts")
    scheduler = Scheduler(backend.slots, queue_limit, clock=time.monotonic)
    servicer = VideoGenServicer(
        backend=backend,
        store=store,
        table=JobTable(backend.slots, queue_limit, name="clips", turns=scheduler),
        queue_limit=queue_limit,
        scratch_dir=scratch,
        info=info,
        scheduler=scheduler,
    )
    binding = ServiceBinding(
        SERVICE, lambda server: add_VideoGenServiceServicer_to_server(servicer, server)
    )
    try:
        await backend.start()
        async with running_server(binding, info=info) as target, open_channel(target) as channel:
            yield Serving(VideoGenServiceStub(channel), store, folder, backend)
    finally:
        await backend.close()
