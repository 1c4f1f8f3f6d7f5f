"""The client gets there over lines that break, does nothing twice, and gives up in time."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from pathlib import Path
from typing import Any

import pytest

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1.resources_pb2 import Render, RenderSpec, RenderState
from soundsight_client import Client, Timeouts
from soundsight_kit import errors

Gateway = Any  # conftest's

MIB = 1 << 20


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Five and a half MiB."""
    path = tmp_path / "song.mp3"
    path.write_bytes(bytes(range(256)) * (22 * 1024))
    return path


def ref_of(gateway: Gateway, data: bytes) -> ArtifactRef:
    """Puts a file behind the gateway."""
    uri = f"file:///store/{hashlib.sha256(data).hexdigest()}"
    gateway.files.files[uri] = data
    made: ArtifactRef = gateway.files.ref(uri)
    return made


async def test_a_file_arrives_whole_and_progress_ends_at_its_size(
    gateway: Gateway, song: Path
) -> None:
    """The reference names exactly the bytes that were sent."""
    seen: list[tuple[int, int]] = []
    ref = await gateway.client.upload(song, lambda done, total: seen.append((done, total)))
    assert gateway.files.files[ref.uri] == song.read_bytes()
    assert seen[-1] == (song.stat().st_size,) * 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


async def test_a_broken_upload_goes_on_where_it_stopped(gateway: Gateway, song: Path) -> None:
    """Over a line that breaks twice, no byte that arrived is sent again."""
    gateway.files.break_uploads_after = [2, 1]
    ref = await gateway.client.upload(song)
    assert gateway.files.files[ref.uri] == song.read_bytes()
    assert gateway.files.received_bytes == song.stat().st_size


async def test_a_file_that_is_there_is_not_sent_again(gateway: Gateway, song: Path) -> None:
    """The second upload of the same bytes costs one question."""
    first = await gateway.client.upload(song)
    again = await gateway.client.upload(song)
    assert again == first
    assert gateway.files.received_bytes == song.stat().st_size


async def test_five_that_send_the_same_file_all_get_it(gateway: Gateway, song: Path) -> None:
    """Uploads of the same song at the same time converge on one file."""
    clients = [Client(gateway.target, project="projects/demo") for _ in range(5)]
    refs = await asyncio.gather(*(client.upload(song) for client in clients))
    for client in clients:
        await client.__aexit__()
    assert len({ref.uri for ref in refs}) == 1
    assert gateway.files.files[refs[0].uri] == song.read_bytes()


async def test_a_file_that_is_not_wanted_is_told_with_its_reason(
    gateway: Gateway, song: Path
) -> None:
    """A refusal is not tried again, and no byte is sent."""
    refused = errors.InvalidArgument("too large", field="header.size_bytes")
    gateway.files.upload_errors = [refused]
    with pytest.raises(errors.InvalidArgument) as caught:
        await gateway.client.upload(song)
    assert caught.value.field_violations == (("header.size_bytes", "too large"),)
    assert gateway.files.received_bytes == 0


async def test_an_upload_that_never_gets_further_ends(gateway: Gateway, song: Path) -> None:
    """A line that breaks before every byte is not tried for ever."""
    gateway.files.break_uploads_after = [0] * 1000
    timeouts = Timeouts(transfer_s=0.5)
    async with Client(gateway.target, project="projects/demo", timeouts=timeouts) as client:
        with pytest.raises(errors.SoundsightError):
            await asyncio.wait_for(client.upload(song), 60)
    assert len(gateway.files.break_uploads_after) > 900


async def test_a_broken_download_goes_on_where_it_stopped(gateway: Gateway, tmp_path: Path) -> None:
    """The file is whole, and has the permissions of any other file."""
    data = bytes(range(251)) * 100
    gateway.files.break_downloads_after = [3, 7, 1]
    target = tmp_path / "video.mp4"
    await gateway.client.download(ref_of(gateway, data), target)
    assert target.read_bytes() == data
    assert not gateway.files.break_downloads_after
    assert stat.S_IMODE(target.stat().st_mode) & 0o600 == 0o600


async def test_a_video_may_have_as_long_a_name_as_any_file(
    gateway: Gateway, tmp_path: Path
) -> None:
    """What a file is called while it arrives is no longer than what it will be called."""
    target = tmp_path / ("x" * 251 + ".mp4")
    await gateway.client.download(ref_of(gateway, b"video"), target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


async def test_a_damaged_download_leaves_nothing(gateway: Gateway, tmp_path: Path) -> None:
    """Neither a file under the final name nor a part of one; an older file stays."""
    target = tmp_path / "video.mp4"
    target.write_bytes(b"older")
    gateway.files.damage = True
    with pytest.raises(errors.DataLoss):
        await gateway.client.download(ref_of(gateway, b"x" * 5000), target)
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]
    assert target.read_bytes() == b"older"


async def test_reading_verifies_too(gateway: Gateway) -> None:
    """Small files come as bytes, whole or not at all."""
    ref = ref_of(gateway, b'{"a": 1}')
    assert await gateway.client.read(ref) == b'{"a": 1}'
    gateway.files.damage = True
    with pytest.raises(errors.DataLoss):
        await gateway.client.read(ref)


async def test_a_call_is_tried_again_while_that_may_help(gateway: Gateway) -> None:
    """UNAVAILABLE and RESOURCE_EXHAUSTED pass; the answer comes in the end, and one render."""
    gateway.renders.errors = [
        errors.Unavailable("away"),
        errors.ResourceExhausted("full", retry_after_s=0.01),
    ]
    render = await gateway.client.create_render(RenderSpec())
    assert gateway.renders.calls == ["CreateRender"] * 3
    assert list(gateway.renders.by_request.values()) == [render]


async def test_an_attempt_that_hangs_is_followed_by_another(gateway: Gateway) -> None:
    """One lost answer does not use up the whole call's time."""
    gateway.renders.delay_s = [3600.0]
    timeouts = Timeouts(attempt_s=1.0, total_s=120.0)
    async with Client(gateway.target, project="projects/demo", timeouts=timeouts) as client:
        render = await client.create_render(RenderSpec())
    assert len(gateway.renders.calls) >= 2
    assert len(gateway.renders.by_request) == 1
    assert render.name


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidArgument("bad", field="render.spec"),
        errors.Internal("broken"),
        errors.FailedPrecondition("not so"),
        errors.Unimplemented("never"),
    ],
)
async def test_what_would_fail_again_is_raised_at_once(
    gateway: Gateway, error: errors.SoundsightError
) -> None:
    """One attempt, and the error as the gateway raised it."""
    gateway.renders.errors = [error]
    with pytest.raises(type(error)) as caught:
        await gateway.client.create_render(RenderSpec())
    assert caught.value.message == error.message
    assert gateway.renders.calls == ["CreateRender"]


async def test_a_gateway_that_is_away_is_given_up_in_time(tmp_path: Path) -> None:
    """The total timeout bounds all attempts together."""
    timeouts = Timeouts(attempt_s=0.2, total_s=0.6)
    target = f"unix:{tmp_path}/nobody.sock"
    async with Client(target, project="projects/demo", timeouts=timeouts) as client:
        with pytest.raises(errors.Unavailable):
            await asyncio.wait_for(client.get_render("projects/demo/renders/some"), 60)


async def test_a_watch_that_breaks_loses_and_repeats_nothing(gateway: Gateway) -> None:
    """Over three breaks every change is seen once, in order, to the end."""
    gateway.renders.changes = 20
    gateway.renders.break_watch_after = [3, 0, 8]
    events = [event async for event in gateway.client.watch_render("projects/demo/renders/some")]
    numbers = [e.state_change.sequence for e in events if e.HasField("state_change")]
    assert numbers == list(range(1, 21))
    assert gateway.renders.after_sequences == [0, 3, 3, 11]
    assert any(event.HasField("progress") for event in events)


async def test_a_watch_of_nothing_is_told_so(gateway: Gateway) -> None:
    """An unknown render is not waited for."""
    gateway.renders.errors = [errors.NotFound("render", "x")]
    with pytest.raises(errors.NotFound):
        async for _ in gateway.client.watch_render("projects/demo/renders/some"):
            pass


async def test_the_same_spec_is_the_same_render(gateway: Gateway) -> None:
    """Asking again, from another process too, gives the render under way; another spec another."""
    first = await gateway.client.ensure_render(RenderSpec(seed=1))
    async with Client(gateway.target, project="projects/demo") as elsewhere:
        again = await elsewhere.ensure_render(RenderSpec(seed=1))
        other = await elsewhere.ensure_render(RenderSpec(seed=2))
    async with Client(gateway.target, project="projects/next") as stranger:
        foreign = await stranger.ensure_render(RenderSpec(seed=1))
    assert again.name == first.name
    assert len({first.name, other.name, foreign.name}) == 3


async def test_a_render_that_gave_up_is_followed_by_a_new_one(gateway: Gateway) -> None:
    """Failed and cancelled ones are passed over, however many there are."""
    ends = [RenderState.RENDER_STATE_FAILED, RenderState.RENDER_STATE_CANCELLED]

    def born(render: Render) -> None:
        if ends:
            render.state = ends.pop(0)

    gateway.renders.born = born
    render = await gateway.client.ensure_render(RenderSpec())
    assert render.state == RenderState.RENDER_STATE_QUEUED
    assert len(gateway.renders.by_request) == 3
    assert (await gateway.client.ensure_render(RenderSpec())).name == render.name


async def test_a_finished_render_counts_while_its_video_is_there(gateway: Gateway) -> None:
    """One whose video was removed from the store is made again."""
    video = ref_of(gateway, b"video")

    def born(render: Render) -> None:
        render.state = RenderState.RENDER_STATE_SUCCEEDED
        render.outputs.video.CopyFrom(video)

    gateway.renders.born = born
    first = await gateway.client.ensure_render(RenderSpec())
    assert (await gateway.client.ensure_render(RenderSpec())).name == first.name
    del gateway.files.files[video.uri]
    gateway.renders.born = lambda render: None
    assert (await gateway.client.ensure_render(RenderSpec())).name != first.name


async def test_a_list_is_walked_to_its_end(gateway: Gateway) -> None:
    """Pages follow each other without the caller's doing."""
    for seed in range(5):
        await gateway.client.create_render(RenderSpec(seed=seed), labels={"team": "blue"})
    listed = [render async for render in gateway.client.list_renders()]
    assert [render.spec.seed for render in listed] == list(range(5))
    assert listed[0].labels == {"team": "blue"}
