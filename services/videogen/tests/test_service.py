"""The service films real clips with real workers, and stays whole whatever happens to them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import grpc
import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor
from prometheus_client import REGISTRY
from videogen_requests import clip_request

from soundsight.common.v1.implementation_pb2 import GetInfoRequest
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight.videogen.v1 import profile_pb2
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
from soundsight_kit.errors import error_from_rpc
from soundsight_kit.jobs import JobTable
from soundsight_kit.server import ServiceBinding
from soundsight_kit.testing import assert_eventually, running_server, socket_folder
from soundsight_videogen.__main__ import SERVICE, describe
from soundsight_videogen.builtin.renderer import BuiltInRenderer
from soundsight_videogen.builtin.worlds import WORLDS
from soundsight_videogen.service import VideoGenServicer

if TYPE_CHECKING:  # these names exist in the stubs only
    from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceAsyncStub
    from soundsight.videogen.v1.videogen_pb2_grpc import VideoGenServiceAsyncStub

LONG = 3000  # frames of a clip that nobody waits for


@dataclass
class Studio:
    """A running videogen and what a test wants to look at."""

    stub: VideoGenServiceAsyncStub
    info: ImplementationServiceAsyncStub
    store: ArtifactStore
    scratch: Path
    backend: BuiltInRenderer

    async def film(self, request: GenerateClipRequest) -> list[GenerateClipResponse]:
        """All events of a call."""
        return [event async for event in self.stub.GenerateClip(request)]

    async def clip(self, request: GenerateClipRequest) -> Clip:
        """The clip that a call ends with."""
        return (await self.film(request))[-1].clip

    async def load(self) -> GetLoadResponse:
        """How busy it is."""
        return await self.stub.GetLoad(GetLoadRequest())

    async def video(self, clip: Clip, folder: Path) -> Path:
        """A local copy of a clip's video."""
        path = folder / f"{clip.video.sha256[:8]}.mp4"
        await self.store.get_file(clip.video, path)
        return path

    def members(self) -> list[int]:
        """Processes in the workers' groups: the workers and their encoders."""
        groups = self.backend.worker_pids
        return [pid for pid in all_processes() if group_of(pid) in groups]


def group_of(pid: int) -> int:
    """The process group of a process; 0 when it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


@asynccontextmanager
async def studio(folder: Path, *, slots: int = 1, queue_limit: int = 1) -> AsyncIterator[Studio]:
    """Serves the built-in renderer in this loop, its workers in processes of their own."""
    scratch = folder / "scratch"
    scratch.mkdir()
    backend = BuiltInRenderer(slots)
    info = describe(backend, queue_limit)
    store = ArtifactStore.open(f"file://{folder}/artifacts")
    servicer = VideoGenServicer(
        backend=backend,
        store=store,
        table=JobTable(slots, queue_limit, name="clips"),
        queue_limit=queue_limit,
        scratch_dir=scratch,
        info=info,
    )
    binding = ServiceBinding(
        SERVICE, lambda server: add_VideoGenServiceServicer_to_server(servicer, server)
    )
    try:
        await backend.start()
        async with (
            running_server(binding, info=info) as target,
            open_channel(target) as channel,
        ):
            yield Studio(
                VideoGenServiceStub(channel), ImplementationServiceStub(channel),
                store, scratch, backend,
            )  # fmt: skip
    finally:
        await backend.close()


async def until_filming(events: AsyncIterable[GenerateClipResponse]) -> None:
    """Reads until the first frames are made."""
    async for event in events:
        if event.progress.stage == "film":
            return
    raise AssertionError("the clip ended before it was filmed")


async def test_a_clip_has_exactly_the_frames_asked_for(tmp_path: Path) -> None:
    """Handles and shot add up in the decoded file, and its key frames stand at their edges."""
    async with studio(tmp_path) as here:
        request = clip_request("exact", shot_frames=31, handles=(5, 4), rate=Fraction(30000, 1001))
        request.store_last_frame = True
        request.preview_interval.FromMilliseconds(0)
        events = await here.film(request)
        clip = events[-1].clip
        path = await here.video(clip, tmp_path)
        last = await here.store.get_bytes(clip.last_frame, 1 << 22)

    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        assert stream.average_rate == Fraction(30000, 1001)
        frames = list(video.decode(stream))
    assert len(frames) == 5 + 31 + 4
    assert [(f.width, f.height) for f in frames] == [(320, 180)] * 40
    assert {0, 5, 36} <= {i for i, f in enumerate(frames) if f.key_frame}
    assert (clip.handle_in_frames, clip.shot_frames, clip.handle_out_frames) == (5, 31, 4)

    stages = [e.progress.stage for e in events if e.HasField("progress")]
    assert stages == sorted(stages, key=["queue", "load", "film", "store"].index)
    done = [e.progress.done for e in events if e.progress.stage == "film"]
    assert done == sorted(done)
    assert done[-1] == 40

    previews = [e.preview for e in events if e.HasField("preview")]
    assert previews
    small = cv2.imdecode(np.frombuffer(previews[0].image, np.uint8), cv2.IMREAD_COLOR)
    assert small is not None
    assert small.std() > 5
    assert len(previews[0].image) <= 64 << 10

    picture = cv2.imdecode(np.frombuffer(last, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    decoded = frames[-1].to_ndarray(format="bgr24").astype(np.int16)
    assert np.abs(picture.astype(np.int16) - decoded).mean() < 8

    assert clip.provenance.model_id == "built-in renderer"
    assert clip.provenance.rendered_frames == 40
    assert clip.provenance.work_s > 0.0


async def test_the_same_request_gives_the_same_file(tmp_path: Path) -> None:
    """Two keys with equal inputs hold equal bytes; another seed gives others."""
    async with studio(tmp_path) as here:
        one = await here.clip(clip_request("one"))
        two = await here.clip(clip_request("two"))
        other = await here.clip(clip_request("other", seed=8))
    assert one.video.sha256 == two.video.sha256
    assert other.video.sha256 != one.video.sha256


async def test_a_finished_clip_is_not_filmed_again(tmp_path: Path) -> None:
    """Its record is the whole answer, marked as reused; the stored record is not."""
    async with studio(tmp_path) as here:
        request = clip_request("twice")
        first = await here.clip(request)
        again = await here.film(request)
        record = await here.store.head(f"{request.output_key}/clip.json")
        assert record is not None
        text = await here.store.get_bytes(record, 1 << 20)
    assert [event.WhichOneof("event") for event in again] == ["clip"]
    assert again[0].clip.reused
    assert not first.reused
    assert again[0].clip.video == first.video
    assert b"reused" not in text


async def test_calls_with_one_key_share_one_film(tmp_path: Path) -> None:
    """Who comes second is attached to the work under way and gets the same clip."""
    async with studio(tmp_path, queue_limit=0) as here:
        request = clip_request("shared", shot_frames=60)
        one, two = await asyncio.gather(here.clip(request), here.clip(request))
    assert one == two
    assert not one.reused


async def test_who_finds_no_room_is_sent_away(tmp_path: Path) -> None:
    """Beyond the slots and the queue callers are told when to come back."""
    async with studio(tmp_path, queue_limit=1) as here:
        running = here.stub.GenerateClip(clip_request("running", shot_frames=LONG))
        await until_filming(running)
        waiting = here.stub.GenerateClip(clip_request("waiting", shot_frames=LONG))
        queued = await anext(aiter(waiting))
        assert queued.progress.stage == "queue"
        load = await here.load()
        assert (load.slots, load.busy, load.queued, load.queue_limit) == (1, 1, 1, 1)
        films = ("soundsight_videogen_worker_busy", {"worker": "0", "device": "opengl"})
        assert REGISTRY.get_sample_value(*films) == 1
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await here.film(clip_request("too-many"))
        running.cancel()
        waiting.cancel()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    error = error_from_rpc(refused.value)
    assert error.reason == "NO_FREE_SLOT"
    assert error.retry_after_s


async def test_cancelling_leaves_nothing_behind(tmp_path: Path) -> None:
    """Slot, encoder and files are gone soon after, and the worker takes the next clip."""
    async with studio(tmp_path) as here:
        request = clip_request("cancelled", shot_frames=LONG)
        call = here.stub.GenerateClip(request)
        await until_filming(call)
        assert len(here.members()) == 2
        answer = await here.stub.CancelClip(CancelClipRequest(output_key=request.output_key))
        assert answer.cancelled
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for _ in call:
                pass
        assert ended.value.code() is grpc.StatusCode.CANCELLED
        assert error_from_rpc(ended.value).reason == "WORK_CANCELLED"

        async def idle() -> bool:
            return (await here.load()).busy == 0

        await assert_eventually(idle)
        assert list(here.scratch.iterdir()) == []
        await assert_eventually(lambda: len(here.members()) == 1)
        assert await here.store.head(f"{request.output_key}/clip.json") is None
        again = await here.stub.CancelClip(CancelClipRequest(output_key=request.output_key))
        assert not again.cancelled
        assert (await here.clip(clip_request("next"))).video.size_bytes > 0


async def test_a_dead_worker_is_reported_and_replaced(tmp_path: Path) -> None:
    """Killing the worker ends its clip with UNAVAILABLE; the next clip gets a new worker."""
    async with studio(tmp_path) as here:
        call = here.stub.GenerateClip(clip_request("killed", shot_frames=LONG))
        await until_filming(call)
        (worker,) = here.backend.worker_pids
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for _ in call:
                pass
        error = error_from_rpc(ended.value)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert error.reason == "WORKER_DIED"
        assert error.retry_after_s
        await assert_eventually(lambda: not any(group_of(p) == worker for p in all_processes()))
        assert list(here.scratch.iterdir()) == []
        assert (await here.clip(clip_request("next"))).video.size_bytes > 0
        assert worker not in here.backend.worker_pids


def all_processes() -> list[int]:
    """Ids of all processes."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


async def test_a_broken_call_ends_its_work_after_the_grace(tmp_path: Path) -> None:
    """Without grace the work stops with its only caller; with grace it is finished."""
    async with studio(tmp_path) as here:
        call = here.stub.GenerateClip(clip_request("left", shot_frames=LONG))
        await until_filming(call)
        call.cancel()

        async def idle() -> bool:
            return (await here.load()).busy == 0

        await assert_eventually(idle)
        request = clip_request("kept", shot_frames=90)
        request.detach_grace.FromSeconds(60)
        call = here.stub.GenerateClip(request)
        await until_filming(call)
        call.cancel()

        async def stored() -> bool:
            return await here.store.head(f"{request.output_key}/clip.json") is not None

        await assert_eventually(stored)


async def test_another_fingerprint_is_refused(tmp_path: Path) -> None:
    """A key made for other code is not filled by this one; the right one is accepted."""
    async with studio(tmp_path) as here:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await here.film(clip_request("k", fingerprint="0" * 32))
        right = (await here.info.GetInfo(GetInfoRequest())).fingerprint
        await here.film(clip_request("k", fingerprint=right))
    error = error_from_rpc(refused.value)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.reason == "FINGERPRINT_MISMATCH"
    assert error.metadata["actual"] == right


async def test_wrong_requests_never_reach_a_worker(tmp_path: Path) -> None:
    """Bad fields come back with their paths through the wire."""
    async with studio(tmp_path) as here:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await here.film(clip_request("k", setting="moon"))
    error = error_from_rpc(refused.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert [path for path, _ in error.field_violations] == ["shot.setting"]


async def test_it_says_what_it_is(tmp_path: Path) -> None:
    """GetInfo carries the profile and does not pretend to be a diffusion model."""
    async with studio(tmp_path) as here:
        info = await here.info.GetInfo(GetInfoRequest())
    profile = profile_pb2.VideoGenProfile()
    assert info.profile.Unpack(profile)
    assert "not a diffusion model" in info.description
    assert profile.kind == profile_pb2.BACKEND_KIND_BUILT_IN_RENDERER
    assert (profile.frame_step, profile.frame_offset) == (1, 0)
    assert set(profile.settings) == set(WORLDS)
    int(info.fingerprint, 16)
    for path in profile.consumed_inputs:
        message: Descriptor | None = GenerateClipRequest.DESCRIPTOR
        for name in path.split("."):
            assert message is not None, path
            assert name in message.fields_by_name, path
            message = message.fields_by_name[name].message_type


async def test_the_process_serves_and_ends_when_told(tmp_path: Path) -> None:
    """`python -m soundsight_videogen` films over its socket and leaves on SIGTERM."""
    with socket_folder() as sockets:
        target = f"unix:{sockets}/v.sock"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "soundsight_videogen",
            env={**os.environ, "SOUNDSIGHT_LISTEN": target, "SOUNDSIGHT_VIDEOGEN_SLOTS": "1",
                 "SOUNDSIGHT_ARTIFACTS_URL": f"file://{tmp_path}/artifacts",
                 "SOUNDSIGHT_SCRATCH_DIR": str(tmp_path / "scratch")},
        )  # fmt: skip
        try:
            async with open_channel(target) as channel:
                stub = VideoGenServiceStub(channel)
                load = await stub.GetLoad(GetLoadRequest(), wait_for_ready=True, timeout=120)
                assert load.slots == 1
                async for event in stub.GenerateClip(clip_request("k", shot_frames=2)):
                    last = event
                assert last.clip.video.size_bytes > 0
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 120) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
