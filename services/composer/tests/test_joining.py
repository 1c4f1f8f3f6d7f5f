"""Hard cuts: the picture is joined without decoding, and every frame is the right one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest

from soundsight.composer.v1 import composer_pb2
from soundsight_composer.compose import find_finished
from soundsight_kit.media.bitstream import nal_types
from soundsight_kit.media.mezzanine import stream_signature

if TYPE_CHECKING:
    from services.composer.tests.conftest import ForeignClip, Studio

RATES = [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60)]
SHOTS = [(6, 30, 6), (0, 1, 0), (1, 17, 3), (6, 48, 0), (0, 24, 6), (3, 2, 3)]


@pytest.mark.parametrize("rate", RATES, ids=str)
async def test_every_frame_is_the_right_one_at_every_rate(rate: Fraction, studio: Studio) -> None:
    """Handles are dropped, shots kept whole, in order, at exactly the rate."""
    request = await studio.request(SHOTS, rate=rate)
    composition = await studio.compose(request)
    path = await studio.fetch(composition.video)
    assert await studio.shown(composition) == studio.shot_frames(request)
    assert composition.frames == request.frames
    assert composition.duration_s == pytest.approx(float(request.frames / rate))
    assert list(composition.reencoded_clips) == []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.start_time) == (
            sum(shot for _, shot, _ in SHOTS),
            rate,
            0,
        )
        assert stream.duration == request.frames * request.encoder.timescale / rate


async def test_no_frame_is_encoded_again(studio: Studio) -> None:
    """The video has the clips' own packets, bit for bit: nothing was lost to a second encoding."""
    request = await studio.request([(4, 20, 4), (4, 20, 4)])
    composition = await studio.compose(request)

    def payloads(path: Path, first: int, end: int) -> list[bytes]:
        with av.open(str(path)) as container:
            packets = [bytes(p) for p in container.demux(video=0) if p.size]
        return packets[first:end]

    expected = []
    for clip in request.clips:
        expected += payloads(await studio.fetch(clip.video), 4, 24)
    assert payloads(await studio.fetch(composition.video), 0, 40) == expected


async def test_a_shot_may_begin_and_end_without_handles(studio: Studio) -> None:
    """Clips that are all shot are joined whole."""
    request = await studio.request([(0, 13, 0), (0, 7, 0), (0, 50, 0)])
    assert await studio.shown(await studio.compose(request)) == studio.shot_frames(request)


async def test_shots_of_one_frame_stay_apart(studio: Studio) -> None:
    """Neighbouring IDR pictures of different clips are kept apart, and all are shown."""
    request = await studio.request([(0, 1, 0), (2, 1, 2), (0, 1, 0), (0, 21, 0)])
    composition = await studio.compose(request)
    assert await studio.shown(composition) == studio.shot_frames(request)
    with av.open(str(await studio.fetch(composition.video))) as container:
        packets = [bytes(p) for p in container.demux(video=0) if p.size]
    assert [9 in nal_types(packet, 4) for packet in packets[:4]] == [False, True, True, True]
    assert not any(9 in nal_types(packet, 4) for packet in packets[4:])


async def test_one_file_may_serve_two_shots(studio: Studio) -> None:
    """The same clip may be shown twice."""
    request = await studio.request([(3, 12, 3), (3, 12, 3)])
    request.clips[1].video.CopyFrom(request.clips[0].video)
    composition = await studio.compose(request)
    once = [(0, 3 + frame) for frame in range(12)]
    assert await studio.shown(composition) == once + once


async def test_a_video_of_one_frame(studio: Studio) -> None:
    """The shortest video has one frame and its sound."""
    request = await studio.request([(0, 1, 0)])
    composition = await studio.compose(request)
    assert (composition.frames, await studio.shown(composition)) == (1, [(0, 0)])


@pytest.mark.parametrize("kind", ["preset", "crf", "open_gop", "no_keyframes", "mpeg4"])
async def test_clips_of_another_encoder_are_encoded_again(
    kind: str, studio: Studio, foreign_clip: ForeignClip
) -> None:
    """A clip that cannot be copied is encoded anew, frame for frame, and reported."""
    request = await studio.request([(4, 20, 4), (4, 30, 4), (4, 20, 4)])
    path = foreign_clip(kind, 1, 38)
    request.clips[1].video.CopyFrom(await studio.keep(f"foreign-{kind}.mp4", path))
    composition = await studio.compose(request)
    assert await studio.shown(composition) == studio.shot_frames(request)
    # Another quality alone does not change the format: such a clip is copied.
    again = [] if kind == "crf" else [1]
    assert list(composition.reencoded_clips) == again
    assert bool(composition.notes) == bool(again)
    first = await studio.fetch(request.clips[0].video)
    finished = await studio.fetch(composition.video)
    assert stream_signature(finished) == stream_signature(first)


async def test_clips_that_share_another_format_are_joined_as_they_are(studio: Studio) -> None:
    """When all clips come from one other encoder, there is nothing to encode."""
    request = await studio.request([(4, 20, 4), (4, 30, 4)])
    request.encoder.preset = "ultrafast"
    composition = await studio.compose(request)
    assert list(composition.reencoded_clips) == []
    assert await studio.shown(composition) == studio.shot_frames(request)


async def test_same_request_gives_same_bytes(studio: Studio) -> None:
    """A composition made twice is the same file."""
    request = await studio.request([(2, 20, 2), (0, 9, 0)])
    first = await studio.compose(request)
    request.output_key += "-again"
    second = await studio.compose(request)
    assert first.video.uri != second.video.uri
    assert first.video.sha256 == second.video.sha256
    assert first.poster.sha256 == second.poster.sha256


async def test_what_players_show(studio: Studio) -> None:
    """Title, artist and comment are in the file; without a comment it names Soundsight."""
    request = await studio.request([(0, 24, 0)])
    composition = await studio.compose(request)
    with av.open(str(await studio.fetch(composition.video))) as container:
        tags = container.metadata
    assert (tags["title"], tags["artist"]) == ("Titel", "Künstler")
    assert "Soundsight" in tags["comment"]
    request.metadata.comment = "Made with Soundsight 1.0, built-in renderer"
    request.output_key += "-2"
    composition = await studio.compose(request)
    with av.open(str(await studio.fetch(composition.video))) as container:
        assert container.metadata["comment"] == request.metadata.comment


async def test_the_poster_is_the_frame_asked_for(studio: Studio) -> None:
    """A poster frame that was chosen is shown; otherwise it is some frame of the video."""
    request = await studio.request([(3, 20, 3), (3, 20, 3)])
    request.poster_frame = 27
    composition = await studio.compose(request)
    poster = studio.picture_of(await studio.fetch(composition.poster))
    assert studio.identity(poster) == (1, 10)
    request.poster_frame = -1
    request.output_key += "-2"
    composition = await studio.compose(request)
    poster = studio.picture_of(await studio.fetch(composition.poster))
    assert studio.identity(poster) in studio.shot_frames(request)


async def test_progress_tells_every_stage_in_order(studio: Studio) -> None:
    """The stages come in the contract's order and each gets as far as it says."""
    await studio.compose(await studio.request([(0, 30, 0), (0, 30, 0)]))
    stages = list(dict.fromkeys(progress.stage for progress in studio.told))
    assert stages == ["fetch", "join", "audio", "mux", "verify", "store"]
    last = {progress.stage: progress for progress in studio.told}
    for stage in ("fetch", "audio", "mux", "verify"):
        assert last[stage].done == last[stage].total > 0


async def test_finished_work_is_found_again(studio: Studio) -> None:
    """The record beside the video tells the same composition to whoever asks later."""
    request = await studio.request([(0, 24, 0)])
    assert await find_finished(studio.store, request) is None
    composition = await studio.compose(request)
    assert await find_finished(studio.store, request) == composition
    assert isinstance(composition, composer_pb2.Composition)
