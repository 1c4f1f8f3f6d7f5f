"""The calls of the render API, and how each of them fails."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from soundsight.common.v1 import common_pb2
from soundsight.keda import externalscaler_pb2 as keda
from soundsight.keda.externalscaler_pb2_grpc import ExternalScalerStub
from soundsight.render.v1 import artifacts_pb2 as a
from soundsight.render.v1 import render_pb2 as p
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states
from soundsight_gateway.error_table import TABLE
from soundsight_kit.errors import SoundsightError, error_from_rpc
from soundsight_kit.testing import assert_eventually

Bench = Any  # conftest's
Caller = Any

TIMEOUT_S = 120
MIB = 1 << 20


@pytest.fixture
async def caller(bench: Bench) -> AsyncIterator[Caller]:
    """Somebody who calls a gateway of the default settings."""
    async with bench.gateway(max_song_bytes=64 * MIB) as someone:
        yield someone


async def refusal(call: Awaitable[Any]) -> SoundsightError:
    """What a call that must fail failed with."""
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return error_from_rpc(caught.value)


def header(data: bytes, **changed: Any) -> a.UploadHeader:
    values = {
        "parent": "projects/demo",
        "upload_id": "upload-0001",
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": "audio/wav",
        **changed,
    }
    return a.UploadHeader(**values)


async def send(caller: Caller, *parts: a.UploadHeader | bytes) -> common_pb2.ArtifactRef:
    async def requests() -> AsyncIterator[a.UploadRequest]:
        for part in parts:
            if isinstance(part, bytes):
                yield a.UploadRequest(chunk=part)
            else:
                if part.parent == "projects/demo":
                    part.parent = caller.parent
                yield a.UploadRequest(header=part)

    response = await caller.files.Upload(requests(), timeout=TIMEOUT_S)
    artifact: common_pb2.ArtifactRef = response.artifact
    return artifact


async def receive(caller: Caller, uri: str, **more: Any) -> tuple[common_pb2.ArtifactRef, bytes]:
    request = a.DownloadRequest(parent=caller.parent, uri=uri, **more)
    answers = [answer async for answer in caller.files.Download(request, timeout=TIMEOUT_S)]
    assert all(len(answer.chunk) <= MIB for answer in answers)
    assert not any(answer.HasField("artifact") for answer in answers[1:])
    return answers[0].artifact, b"".join(answer.chunk for answer in answers)


async def committed(caller: Caller, upload_id: str = "upload-0001") -> a.GetUploadResponse:
    request = a.GetUploadRequest(parent=caller.parent, upload_id=upload_id)
    response: a.GetUploadResponse = await caller.files.GetUpload(request, timeout=TIMEOUT_S)
    return response


async def test_what_is_sent_comes_back(caller: Caller) -> None:
    """A file of several parts arrives whole, and any range of it can be had."""
    data = bytes(range(256)) * 80_000  # 19.5 MiB
    chunks = [data[i : i + MIB] for i in range(0, len(data), MIB)]
    ref = await send(caller, header(data), *chunks)
    assert (ref.sha256, ref.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert ref.media_type == "audio/wav"
    whole, got = await receive(caller, ref.uri)
    assert got == data
    assert whole.size_bytes == len(data)
    for offset, limit in ((0, 10), (5 * MIB - 3, 7), (len(data) - 4, 100), (len(data), 0)):
        _, part = await receive(caller, ref.uri, offset_bytes=offset, limit_bytes=limit)
        assert part == data[offset : offset + limit if limit else None]


async def test_an_upload_goes_on_where_it_broke_off(caller: Caller) -> None:
    """What a broken call had sent is kept; what is committed is told; the rest completes it."""
    data = bytes(range(250)) * 100_000
    stopped = asyncio.Event()

    async def broken() -> AsyncIterator[a.UploadRequest]:
        yield a.UploadRequest(header=header(data))
        for i in range(0, 10 * MIB, MIB):
            yield a.UploadRequest(chunk=data[i : i + MIB])
        stopped.set()
        await asyncio.sleep(3600)

    call = caller.files.Upload(broken(), timeout=TIMEOUT_S)
    await stopped.wait()

    async def nearly_all_came() -> bool:
        return await _known(caller) >= 8 * MIB

    await assert_eventually(nearly_all_came)
    # What is still on its way when the call breaks may or may not arrive; what came is kept.
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    position, ref = 0, common_pb2.ArtifactRef()

    async def the_rest_is_taken() -> bool:
        nonlocal position, ref
        position = await _known(caller)
        rest = (data[i : i + MIB] for i in range(position, len(data), MIB))
        try:
            ref = await send(caller, header(data, offset_bytes=position), *rest)
        except grpc.RpcError as error:
            # The gateway may be busy yet with what came last before the call broke. Its answer is
            # lost now and then: https://github.com/grpc/grpc/issues/36066
            told = error_from_rpc(error)
            busy = told.reason in ("UPLOAD_IN_PROGRESS", "WRONG_OFFSET")
            assert busy or told.message == "Internal error from Core"
            return False
        return True

    await assert_eventually(the_rest_is_taken)
    assert 8 * MIB <= position <= 10 * MIB
    assert position % MIB == 0
    assert (await receive(caller, ref.uri))[1] == data
    assert (await committed(caller)).artifact == ref


async def _known(caller: Caller) -> int:
    try:
        return (await committed(caller)).committed_bytes
    except grpc.RpcError:
        return 0


async def test_the_same_bytes_are_one_artifact(caller: Caller) -> None:
    """Under whatever name they are sent; and sending under a finished name sends nothing."""
    data = b"the same song"
    first = await send(caller, header(data), data)
    second = await send(caller, header(data, upload_id="upload-0002"), data)
    again = await send(caller, header(data))
    assert first.uri == second.uri == again.uri


async def test_a_file_that_is_gone_from_the_store_is_taken_again(
    caller: Caller, bench: Bench
) -> None:
    """A finished upload whose file was removed does not answer with a dangling reference."""
    data = b"removed by a clean-up"
    ref = await send(caller, header(data), data)
    await bench.services.artifacts.delete(bench.services.artifacts.key_of(ref.uri))
    assert (await refusal(committed(caller))).code == grpc.StatusCode.NOT_FOUND
    assert await send(caller, header(data), data) == ref
    assert (await receive(caller, ref.uri))[1] == data


async def overtaken(caller: Caller, data: bytes, half: int) -> None:
    """Begins an upload, lets another call send the first half of the same, then sends all."""
    overtakes = asyncio.Event()

    async def slow() -> AsyncIterator[a.UploadRequest]:
        yield a.UploadRequest(header=header(data, parent=caller.parent))
        await overtakes.wait()
        yield a.UploadRequest(chunk=data)

    call = caller.files.Upload(slow(), timeout=TIMEOUT_S)

    async def has_begun() -> bool:
        try:
            await committed(caller)
        except grpc.RpcError:
            return False
        return True

    await assert_eventually(has_begun)
    error = await refusal(send(caller, header(data), data[:half]))
    assert error.reason == "UPLOAD_INCOMPLETE"
    overtakes.set()
    await call


async def test_two_calls_at_once_cannot_mix_their_bytes(caller: Caller) -> None:
    """Of two that send the same upload, the later part is refused; the file comes out right."""
    data = bytes(range(256)) * 2000
    error = await refusal(overtaken(caller, data, 1000))
    assert error.reason == "UPLOAD_IN_PROGRESS"
    ref = await send(caller, header(data, offset_bytes=1000), data[1000:])
    assert (await receive(caller, ref.uri))[1] == data


async def test_a_foreign_artifact_does_not_exist(caller: Caller) -> None:
    """Neither for download nor for a render, with the same words as for one that is not there."""
    data = b"a secret song"
    ref = await send(caller, header(data, parent="projects/other"), data)
    absent = ref.uri.replace("projects/other", "projects/demo")
    for uri in (ref.uri, absent):
        error = await refusal(receive(caller, uri))
        assert (error.code, error.resource) == (grpc.StatusCode.NOT_FOUND, ("artifact", uri))
        spec = r.RenderSpec(song=common_pb2.ArtifactRef(uri=uri))
        assert (await refusal(caller.create(spec))).code == grpc.StatusCode.NOT_FOUND


async def test_a_foreign_render_does_not_exist(caller: Caller, song: bytes) -> None:
    """A render's name in another project names nothing there."""
    made = await caller.create(r.RenderSpec(song=await caller.upload(song)))
    foreign = made.name.replace("projects/demo", "projects/other")
    assert (await refusal(caller.get(foreign))).code == grpc.StatusCode.NOT_FOUND


async def test_pages_are_walked_with_their_tokens(caller: Caller, song: bytes) -> None:
    """Each render once, newest first, and a token belongs to its list."""
    ref = await caller.upload(song)
    goal = r.RENDER_GOAL_ANALYSIS
    made = [(await caller.create(r.RenderSpec(song=ref, seed=i, goal=goal))).name for i in range(5)]
    seen, token = [], ""
    while True:
        request = p.ListRendersRequest(parent=caller.parent, page_size=2, page_token=token)
        page = await caller.renders.ListRenders(request, timeout=TIMEOUT_S)
        seen += [one.name for one in page.renders]
        token = page.next_page_token or ""
        if not token:
            break
        other = p.ListRendersRequest(parent="projects/other", page_token=token)
        error = await refusal(caller.renders.ListRenders(other, timeout=TIMEOUT_S))
        assert error.field_violations[0][0] == "page_token"
    assert seen == made[::-1]


async def test_the_storyboard_is_there_once_it_is_written(
    caller: Caller, bench: Bench, song: bytes
) -> None:
    """Before that it is NOT_FOUND with a reason of its own."""
    bench.services.analyzer.may_finish.clear()
    made = await caller.create(r.RenderSpec(song=await caller.upload(song)))
    request = p.GetStoryboardRequest(name=f"{made.name}/storyboard")
    error = await refusal(caller.renders.GetStoryboard(request, timeout=TIMEOUT_S))
    assert error.reason == "NOT_WRITTEN_YET"
    bench.services.analyzer.may_finish.set()
    await caller.ended(made.name)
    storyboard = await caller.renders.GetStoryboard(request, timeout=TIMEOUT_S)
    assert sum(scene.frames for scene in storyboard.scenes) == storyboard.frames == 48


Provoke = Callable[[Caller, bytes], Awaitable[Any]]


def render(rpc: str, request: Any) -> Provoke:
    async def call(caller: Caller, song: bytes) -> Any:
        if rpc == "WatchRender":
            return [e async for e in caller.renders.WatchRender(request, timeout=TIMEOUT_S)]
        return await getattr(caller.renders, rpc)(request, timeout=TIMEOUT_S)

    return call


def creating(change: Callable[[Any], Any], rpc: str = "CreateRender") -> Provoke:
    async def call(caller: Caller, song: bytes) -> Any:
        request = getattr(p, f"{rpc}Request")(parent=caller.parent)
        request.render.spec.song.CopyFrom(await caller.upload(song))
        change(request)
        return await getattr(caller.renders, rpc)(request, timeout=TIMEOUT_S)

    return call


def on_render(rpc: str, **fields: Any) -> Provoke:
    """A call on a render that waits at the analyzer."""

    async def call(caller: Caller, song: bytes) -> Any:
        made = await caller.create(r.RenderSpec(song=await caller.upload(song)))
        name = f"{made.name}/storyboard" if rpc.endswith("Storyboard") else made.name
        request_type = getattr(p, f"{rpc}Request")
        return await render(rpc, request_type(name=name, **fields))(caller, song)

    return call


async def _twice(caller: Caller, song: bytes, **fields: Any) -> None:
    ref = await caller.upload(song)
    for seed in (1, 2):
        await caller.create(r.RenderSpec(song=ref, seed=seed), **fields)


async def _taken_id(caller: Caller, song: bytes) -> None:
    await _twice(caller, song, render_id="taken")


async def _reused_request(caller: Caller, song: bytes) -> None:
    await _twice(caller, song, request_id=str(uuid.uuid4()))


async def _stale_etag(caller: Caller, song: bytes) -> None:
    made = await caller.create(r.RenderSpec(song=await caller.upload(song)))
    await caller.cancel(made.name)
    request = p.DeleteRenderRequest(name=made.name, etag=made.etag)
    await caller.renders.DeleteRender(request, timeout=TIMEOUT_S)


async def _draining(caller: Caller, song: bytes) -> None:
    made = await caller.create(r.RenderSpec(song=await caller.upload(song)))
    request = p.WatchRenderRequest(name=made.name)
    async for _ in caller.renders.WatchRender(request, timeout=TIMEOUT_S):
        await caller.gateway_leaves()


async def _changed_header(caller: Caller, song: bytes) -> None:
    with pytest.raises(grpc.RpcError):
        await send(caller, header(song), song[:100])
    await send(caller, header(song, size_bytes=5, sha256="", offset_bytes=100), song[100:])


async def _raced_upload(caller: Caller, song: bytes) -> None:
    await overtaken(caller, song, 100)


def estimating(data: bytes | None) -> Provoke:
    async def call(caller: Caller, song: bytes) -> Any:
        request = p.EstimateRenderRequest(parent=caller.parent)
        request.render.spec.song.CopyFrom(await caller.upload(data or song))
        return await caller.renders.EstimateRender(request, timeout=TIMEOUT_S)

    return call


def files(*parts: Any) -> Provoke:
    async def call(caller: Caller, song: bytes) -> Any:
        return await send(caller, *parts)

    return call


def uploaded(rpc: str, **fields: Any) -> Provoke:
    async def call(caller: Caller, song: bytes) -> Any:
        ref = await caller.upload(song)
        return await receive(caller, ref.uri, **fields)

    return call


async def _foreign_uri(caller: Caller, song: bytes) -> Any:
    return await receive(caller, "file:///etc/passwd")


def triggered(rpc: str, **metadata: str) -> Callable[[Caller, bytes], Awaitable[Any]]:
    """Asks as KEDA does, on behalf of a trigger with such metadata."""

    async def call(caller: Caller, song: bytes) -> Any:
        scaled = keda.ScaledObjectRef(name="videogen", namespace="films", scalerMetadata=metadata)
        method = getattr(ExternalScalerStub(caller.channel), rpc)
        if rpc == "StreamIsActive":
            return await anext(aiter(method(scaled, timeout=TIMEOUT_S)))
        metric = keda.GetMetricsRequest(scaledObjectRef=scaled)
        return await method(metric if rpc == "GetMetrics" else scaled, timeout=TIMEOUT_S)

    return call


async def _no_upload(caller: Caller, song: bytes) -> Any:
    return await committed(caller, "never-begun")


async def _bad_upload_id(caller: Caller, song: bytes) -> Any:
    return await committed(caller, "../x")


async def _absent_file(caller: Caller, song: bytes) -> Any:
    ref = await caller.upload(song)
    return await receive(caller, ref.uri[:-4] + "0000")


ABSENT = "projects/demo/renders/nobody"

OF_A_SPEC: dict[str, Callable[[Any], Any]] = {
    "FOREIGN_URI": lambda q: setattr(q.render.spec.song, "uri", "file:///etc/passwd"),
    "DIGEST_MISMATCH": lambda q: setattr(q.render.spec.song, "sha256", "ab" * 32),
    "NOT_FOUND": lambda q: setattr(q.render.spec.song, "uri", q.render.spec.song.uri[:-4] + "0000"),
    "FIELD_NOT_OFFERED": lambda q: setattr(q.render.spec, "require_approval", True),
}

PROVOKED: dict[tuple[str, str], Provoke] = {
    **{
        (rpc, reason): creating(change, rpc)
        for rpc in ("CreateRender", "EstimateRender")
        for reason, change in OF_A_SPEC.items()
    },
    ("CreateRender", "INVALID_ARGUMENT"): creating(lambda q: q.render.spec.song.Clear()),
    ("CreateRender", "ALREADY_EXISTS"): _taken_id,
    ("CreateRender", "REQUEST_ID_REUSED"): _reused_request,
    ("GetRender", "INVALID_ARGUMENT"): render("GetRender", p.GetRenderRequest(name="x")),
    ("GetRender", "NOT_FOUND"): render("GetRender", p.GetRenderRequest(name=ABSENT)),
    ("ListRenders", "INVALID_ARGUMENT"): render(
        "ListRenders", p.ListRendersRequest(parent="projects/demo", filter="?")
    ),
    ("CancelRender", "INVALID_ARGUMENT"): render("CancelRender", p.CancelRenderRequest(name="x")),
    ("CancelRender", "NOT_FOUND"): render("CancelRender", p.CancelRenderRequest(name=ABSENT)),
    ("DeleteRender", "INVALID_ARGUMENT"): render("DeleteRender", p.DeleteRenderRequest(name="x")),
    ("DeleteRender", "NOT_FOUND"): render("DeleteRender", p.DeleteRenderRequest(name=ABSENT)),
    ("DeleteRender", "RENDER_NOT_ENDED"): on_render("DeleteRender"),
    ("DeleteRender", "ETAG_MISMATCH"): _stale_etag,
    ("WatchRender", "INVALID_ARGUMENT"): on_render("WatchRender", after_sequence=-1),
    ("WatchRender", "NOT_FOUND"): render("WatchRender", p.WatchRenderRequest(name=ABSENT)),
    ("WatchRender", "SEQUENCE_AHEAD"): on_render("WatchRender", after_sequence=99),
    ("WatchRender", "DRAINING"): _draining,
    ("GetStoryboard", "INVALID_ARGUMENT"): render(
        "GetStoryboard", p.GetStoryboardRequest(name=ABSENT)
    ),
    ("GetStoryboard", "NOT_FOUND"): render(
        "GetStoryboard", p.GetStoryboardRequest(name=f"{ABSENT}/storyboard")
    ),
    ("GetStoryboard", "NOT_WRITTEN_YET"): on_render("GetStoryboard"),
    ("EstimateRender", "INVALID_ARGUMENT"): render(
        "EstimateRender", p.EstimateRenderRequest(parent="demo")
    ),
    ("EstimateRender", "SONG_... or TOO_MANY_FRAMES"): estimating(b"no song"),
    ("UpdateStoryboard", "RPC_NOT_OFFERED"): render(
        "UpdateStoryboard", p.UpdateStoryboardRequest()
    ),
    ("ApproveStoryboard", "RPC_NOT_OFFERED"): render(
        "ApproveStoryboard", p.ApproveStoryboardRequest()
    ),
    ("RegenerateScene", "RPC_NOT_OFFERED"): render("RegenerateScene", p.RegenerateSceneRequest()),
    ("Upload", "INVALID_ARGUMENT"): files(header(b"x", upload_id="../../etc")),
    ("Upload", "UPLOAD_HEADER_CHANGED"): _changed_header,
    ("Upload", "WRONG_OFFSET"): files(header(b"song", offset_bytes=2), b"ng"),
    ("Upload", "UPLOAD_INCOMPLETE"): files(header(b"song"), b"so"),
    ("Upload", "UPLOAD_IN_PROGRESS"): _raced_upload,
    ("Upload", "CHECKSUM_MISMATCH"): files(header(b"song"), b"gnos"),
    ("GetUpload", "INVALID_ARGUMENT"): _bad_upload_id,
    ("GetUpload", "NOT_FOUND"): _no_upload,
    ("Download", "INVALID_ARGUMENT"): uploaded("Download", offset_bytes=-1),
    ("Download", "FOREIGN_URI"): _foreign_uri,
    ("Download", "NOT_FOUND"): _absent_file,
    ("Download", "OFFSET_BEYOND_END"): uploaded("Download", offset_bytes=1 << 40),
    ("IsActive", "INVALID_ARGUMENT"): triggered("IsActive", clipsPerReplica="many"),
    ("IsActive", "NOT_FOUND"): triggered("IsActive", pool="another"),
    ("StreamIsActive", "INVALID_ARGUMENT"): triggered("StreamIsActive", clipsPerReplica="nan"),
    ("StreamIsActive", "NOT_FOUND"): triggered("StreamIsActive", pool="another"),
    ("GetMetricSpec", "INVALID_ARGUMENT"): triggered("GetMetricSpec", clipsPerReplica="0"),
    ("GetMetricSpec", "NOT_FOUND"): triggered("GetMetricSpec", pool=""),
    ("GetMetrics", "INVALID_ARGUMENT"): triggered("GetMetrics", clipsPerReplica="1e9"),
    ("GetMetrics", "NOT_FOUND"): triggered("GetMetrics", pool="another"),
}

NOT_PROVOKED_HERE = {
    ("EstimateRender", "NO_ENDPOINT"),  # test_an_estimate_needs_to_know_its_pool
}


def test_every_row_of_the_table_of_errors_is_provoked() -> None:
    """The table promises nothing that no test has seen."""
    rows = {(row.rpc, row.reason) for service in TABLE.values() for row in service}
    assert rows == set(PROVOKED) | NOT_PROVOKED_HERE


async def test_errors_are_those_of_the_table(bench: Bench, song: bytes) -> None:
    """Each condition gives its code and reason, and details that help."""
    bench.services.analyzer.may_finish.clear()
    codes = {(row.rpc, row.reason): row.code for service in TABLE.values() for row in service}
    wrong = []
    async with bench.gateway() as caller:
        # The one after which the gateway is gone comes last; each has a project of its own.
        for number, row in enumerate(sorted(PROVOKED, key=lambda row: row[1] == "DRAINING")):
            caller.parent = f"projects/p{number}"
            error = await refusal(PROVOKED[row](caller, song))
            told = (error.code.name, error.reason)
            if told[0] != codes[row] or (told[1] != row[1] and "..." not in row[1]):
                wrong.append((row, told, error.message))
            if error.code == grpc.StatusCode.INVALID_ARGUMENT and "SONG_" not in error.reason:
                assert error.field_violations, row
            assert "Traceback" not in error.message
    assert not wrong


async def test_an_estimate_needs_to_know_its_pool(bench: Bench, song: bytes) -> None:
    """With no endpoint, no memory and no declared profile there is nothing to estimate with; a
    declared one is enough."""
    nowhere = f"unix:{bench.folder}/nowhere.sock"
    async with bench.gateway(video_endpoints=(nowhere,)) as caller:
        error = await refusal(estimating(None)(caller, song))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_ENDPOINT")
    declared = {
        "name": "default",
        "endpoints": [nowhere],
        "profile": {"maxFrames": 120, "secondsPerFrame": 0.5},
    }
    async with bench.gateway(video_pools=(declared,)) as caller:
        estimate = await estimating(None)(caller, song)
    assert estimate.work_s > 48 * 0.5


async def test_a_pool_that_answered_once_is_known_while_it_is_away(
    bench: Bench, song: bytes
) -> None:
    """Planning needs no running endpoint: what it said last is remembered across restarts."""
    async with bench.gateway() as caller:
        made = await caller.create(
            r.RenderSpec(song=await caller.upload(song), goal=r.RENDER_GOAL_STORYBOARD)
        )
        await caller.ended(made.name)
    async with bench.gateway(video_endpoints=(f"unix:{bench.folder}/nowhere.sock",)) as caller:
        spec = r.RenderSpec(song=made.spec.song, goal=r.RENDER_GOAL_STORYBOARD, seed=4)
        again = await caller.ended((await caller.create(spec)).name)
    assert again.state == states.SUCCEEDED


def test_the_page_of_errors_is_current() -> None:
    """docs/errors.md is what the tables give."""
    script = Path(__file__).parents[2] / "scripts" / "generate_errors_page.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
