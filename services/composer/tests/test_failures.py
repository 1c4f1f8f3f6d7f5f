"""What goes wrong: inputs that are not what they should be, cancelling, and a full disk."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psutil
import pytest
import soundfile

from soundsight.common.v1 import common_pb2, implementation_pb2, implementation_pb2_grpc
from soundsight.composer.v1 import composer_pb2, composer_pb2_grpc
from soundsight_composer import compose as composing
from soundsight_composer.order import read_order
from soundsight_composer.service import ComposerServicer, composer_info
from soundsight_composer.settings import ComposerSettings
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import (
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    SoundsightError,
    error_from_rpc,
)
from soundsight_kit.testing import assert_eventually, running_server

if TYPE_CHECKING:
    from services.composer.tests.conftest import ForeignClip, Studio

Spoil = Callable[[composer_pb2.ComposeRequest], None]


Children = Callable[[], list[str]]


@pytest.fixture
def new_children() -> Children:
    """Tells the command lines of processes that were started below this one since the test began.

    Servers that other tests share may live all along.
    """
    before = set(psutil.Process().children(recursive=True))

    def since() -> list[str]:
        lines = []
        for child in set(psutil.Process().children(recursive=True)) - before:
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    lines.append(" ".join(child.cmdline()))
        return lines

    return since


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("frames", lambda r: setattr(r, "frames", r.frames + 1)),
        ("frames", lambda r: setattr(r.soundtrack, "samples", r.soundtrack.samples * 2)),
        ("clips", lambda r: r.ClearField("clips")),
        ("clips[1].shot_frames", lambda r: setattr(r.clips[1], "shot_frames", 0)),
        ("clips[0].handle_in_frames", lambda r: setattr(r.clips[0], "handle_in_frames", -1)),
        ("clips[0].video", lambda r: r.clips[0].ClearField("video")),
        ("frame_rate", lambda r: r.ClearField("frame_rate")),
        ("resolution", lambda r: setattr(r.resolution, "width", 191)),
        ("encoder.preset", lambda r: setattr(r.encoder, "preset", "")),
        ("output_key", lambda r: setattr(r, "output_key", "projects/other/x")),
        ("project", lambda r: setattr(r, "project", "")),
        ("soundtrack.canonical", lambda r: r.soundtrack.ClearField("canonical")),
        ("soundtrack.bit_rate_bps", lambda r: setattr(r.soundtrack, "bit_rate_bps", 5)),
        ("poster_frame", lambda r: setattr(r, "poster_frame", r.frames)),
        ("detach_grace", lambda r: r.detach_grace.FromSeconds(601)),
    ],
)
async def test_a_wrong_request_is_refused_by_field(
    field: str, spoil: Spoil, studio: Studio
) -> None:
    """Each rule of the contract is checked before any work, and the field is named."""
    request = await studio.request([(0, 5, 0), (0, 5, 0)], quality="draft")
    read_order(request)
    spoil(request)
    with pytest.raises(InvalidArgument) as error:
        read_order(request)
    assert error.value.field_violations[0][0] == field


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("captions[0].text", lambda c: setattr(c[0], "text", " \n ")),
        ("captions[0].text", lambda c: setattr(c[0], "text", "a" * 201)),
        ("captions[0].text", lambda c: setattr(c[0], "text", "a\nb\nc\nd")),
        ("captions[1].text", lambda c: setattr(c[1], "text", "a\tb")),
        ("captions[1].text", lambda c: setattr(c[1], "text", "a\u2028b")),
        ("captions[0].style", lambda c: setattr(c[0], "style", 9)),
        ("captions[0].frames", lambda c: setattr(c[0], "frames", 0)),
        ("captions[0].start_frame", lambda c: setattr(c[0], "start_frame", -1)),
        ("captions[1].frames", lambda c: setattr(c[1], "frames", 6)),
        ("captions[1].start_frame", lambda c: setattr(c[0], "frames", 6)),
        ("captions[1].start_frame", lambda c: setattr(c[0], "start_frame", 5)),
    ],
)
async def test_a_wrong_caption_is_refused_by_field(
    field: str, spoil: Callable[[Sequence[composer_pb2.Caption]], None], studio: Studio
) -> None:
    """Text, place and length are checked; two of one style never stand on each other."""
    request = await studio.request([(0, 5, 0), (0, 5, 0)], quality="draft")
    request.captions.add(start_frame=0, frames=5, text="one\nand\nmore")
    request.captions.add(
        start_frame=5, frames=5, text="a" * 200, style=composer_pb2.CAPTION_STYLE_SUBTITLE
    )
    request.captions.add(
        start_frame=3, frames=4, text="title", style=composer_pb2.CAPTION_STYLE_TITLE
    )
    read_order(request)
    spoil(request.captions)
    with pytest.raises(InvalidArgument) as error:
        read_order(request)
    assert error.value.field_violations[0][0] == field


async def test_clips_that_cannot_be_used_are_named(
    studio: Studio, foreign_clip: ForeignClip, tmp_path: Path
) -> None:
    """A broken, short or missing clip ends the work and is named; it is never skipped."""
    request = await studio.request([(0, 20, 0), (0, 20, 0)])
    good = await studio.fetch(request.clips[1].video)
    data = good.read_bytes()
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 2 // 3])
    cases: list[tuple[str, Path, type[SoundsightError]]] = [
        ("text", text, DataLoss),
        ("cut", cut, SoundsightError),
        ("short", foreign_clip("preset", 1, 19), FailedPrecondition),
        ("song", await studio.fetch(request.soundtrack.canonical), DataLoss),
    ]
    for name, path, kind in cases:
        request.clips[1].video.CopyFrom(await studio.keep(f"{name}.mp4", path))
        with pytest.raises(kind) as error:
            await studio.compose(request)
        assert "clip 1" in error.value.message, name
        assert error.value.metadata["clip"] == "1"
    request.clips[1].video.uri = studio.store.uri("projects/p/in/nowhere.mp4")
    with pytest.raises(NotFound, match="clip 1"):
        await studio.compose(request)


async def test_foreign_artifacts_are_not_found(studio: Studio) -> None:
    """A clip of another project looks as if it were not there."""
    request = await studio.request([(0, 5, 0)])
    path = await studio.fetch(request.clips[0].video)
    other = await studio.store.put_file("projects/other/clip.mp4", path)
    request.clips[0].video.CopyFrom(other)
    with pytest.raises(NotFound):
        await studio.compose(request)


async def test_an_artifact_that_changed_is_refused(studio: Studio) -> None:
    """Bytes that do not match their digest are never joined."""
    request = await studio.request([(0, 5, 0)])
    request.clips[0].video.sha256 = "0" * 64
    with pytest.raises(DataLoss, match="clip 0"):
        await studio.compose(request)


async def test_a_song_of_another_length_is_refused(studio: Studio) -> None:
    """The canonical song must have exactly the samples that the request counts on."""
    request = await studio.request([(0, 24, 0)])
    path = studio.folder / "longer.flac"
    soundfile.write(path, studio.music(44_101, 44_100), 44_100)
    request.soundtrack.canonical.CopyFrom(await studio.keep("longer.flac", path))
    with pytest.raises(FailedPrecondition, match="44101 samples"):
        await studio.compose(request)


async def test_no_room_is_told_before_work_begins(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without room for the inputs and the video is an error that says to free space."""
    request = await studio.request([(0, 5, 0)])
    request.clips[0].video.size_bytes = 1 << 60
    with pytest.raises(ResourceExhausted) as error:
        await studio.compose(request)
    assert error.value.reason == "DISK_FULL"
    request.clips[0].video.size_bytes = 1

    async def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(composing, "prepare_picture", no_space)
    with pytest.raises(ResourceExhausted):
        await studio.compose(request)


@pytest.mark.parametrize("stage", ["fetch", "join", "audio", "mux", "verify"])
async def test_cancelling_leaves_nothing_behind(
    stage: str, studio: Studio, new_children: Children
) -> None:
    """At whatever stage it is cancelled, no process runs on, and no file stays."""
    request = await studio.request([(8, 40, 8), (8, 40, 8)])
    if stage == "join":  # frames to make, so that an encoder runs
        request.clips[1].transition_in.kind = common_pb2.TRANSITION_KIND_CROSS_FADE
        request.clips[1].transition_in.frames = 12
    task = asyncio.create_task(studio.compose(request))

    def is_at_it() -> bool:
        told = any(progress.stage == stage for progress in studio.told)
        # All stages but the first work in processes of their own.
        return task.done() or (told and (stage == "fetch" or bool(new_children())))

    await assert_eventually(is_at_it)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_eventually(lambda: new_children() == [])
    assert list(studio.scratch.iterdir()) == []
    assert await studio.store.list(request.output_key) == []


async def test_the_service_streams_answers_again_and_cancels(
    studio: Studio, new_children: Children
) -> None:
    """Over gRPC: progress then the composition, the same again at once, and cancelling."""
    servicer = ComposerServicer(studio.store, studio.scratch, ComposerSettings())
    async with (
        running_server(
            servicer.binding, info=composer_info(ComposerSettings()), drain=servicer.drain
        ) as target,
        open_channel(target) as channel,
    ):
        composer = composer_pb2_grpc.ComposerServiceStub(channel)
        request = await studio.request([(0, 30, 0)])
        events = [event async for event in composer.Compose(request)]
        assert [event.WhichOneof("event") for event in events][-1] == "composition"
        assert all(event.WhichOneof("event") == "progress" for event in events[:-1])
        again = [event async for event in composer.Compose(request)]
        assert again == events[-1:]

        request = await studio.request([(0, 60, 0)], key="two")
        call = composer.Compose(request)
        assert (await anext(aiter(call))).HasField("progress")
        cancel = composer_pb2.CancelCompositionRequest(output_key=request.output_key)
        assert (await composer.CancelComposition(cancel)).cancelled
        with pytest.raises(grpc.aio.AioRpcError) as error:
            async for _ in call:
                pass
        assert error.value.code() == grpc.StatusCode.CANCELLED
        await assert_eventually(lambda: new_children() == [])
        assert not (await composer.CancelComposition(cancel)).cancelled

        request.frames += 1
        with pytest.raises(grpc.aio.AioRpcError) as error:
            async for _ in composer.Compose(request):
                pass
        assert error_from_rpc(error.value).field_violations[0][0] == "frames"

        info = await implementation_pb2_grpc.ImplementationServiceStub(channel).GetInfo(
            implementation_pb2.GetInfoRequest()
        )
        assert (info.implementation, info.api_version_low) == ("soundsight-composer", "v1")
        assert info.fingerprint
