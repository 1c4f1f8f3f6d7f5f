"""Clips of the mezzanine format."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from soundsight.common.v1 import common_pb2
from soundsight_kit.errors import (
    Cancelled,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    SoundsightError,
)
from soundsight_kit.media.bitstream import NAL_SLICE_IDR, NAL_SPS, nal_length_size, nal_types
from soundsight_kit.media.encoder import Quality, fine_timescale
from soundsight_kit.media.mezzanine import (
    H264Writer,
    check_encoder_settings,
    default_encoder_settings,
    h264_level,
    stream_signature,
)
from soundsight_kit.media.pictures import rgb_to_i420

WIDTH, HEIGHT = 192, 96
RATES = [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60)]
PATCH = 16
BITS = 10


def numbered(number: int) -> np.ndarray:
    """A picture that shows its number: moving noise with one bright or dark patch per bit."""
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    noise = np.random.default_rng(5).integers(40, 210, (HEIGHT, WIDTH), dtype=np.uint8)
    picture[:HEIGHT] = np.roll(noise, 3 * number, axis=1)
    for bit in range(BITS):
        picture[:PATCH, bit * PATCH : (bit + 1) * PATCH] = 220 if number >> bit & 1 else 30
    return picture


def number_of(frame: av.VideoFrame) -> int:
    """The number that a decoded picture shows."""
    luma = frame.to_ndarray()[4 : PATCH - 4]
    patches = [luma[:, bit * PATCH + 4 : (bit + 1) * PATCH - 4].mean() for bit in range(BITS)]
    return sum(1 << bit for bit, brightness in enumerate(patches) if brightness > 125)


def write(
    path: Path,
    frames: int = 60,
    keyframes: tuple[int, ...] = (),
    rate: Fraction = Fraction(24),
    first: int = 0,
    settings: common_pb2.EncoderSettings | None = None,
) -> Path:
    """A clip of numbered pictures."""
    settings = settings or default_encoder_settings(width=WIDTH, height=HEIGHT, rate=rate)
    with H264Writer(
        path,
        settings=settings,
        width=WIDTH,
        height=HEIGHT,
        rate=rate,
        frames=frames,
        keyframes=keyframes,
    ) as writer:
        for number in range(first, first + frames):
            writer.write(numbered(number))
    return path


def packets_of(path: Path) -> list[av.Packet[VideoStream]]:
    """Packets of a clip in the order of the file, which is decoding order."""
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_frames_are_exact_at_every_rate(rate: Fraction, tmp_path: Path) -> None:
    """Every picture comes out once, in order, at exactly its time."""
    path = write(tmp_path / "clip.mp4", 50, (7, 43), rate)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        assert [number_of(frame) for frame in decoded] == list(range(50))
        assert stream.average_rate == rate
        assert stream.frames == 50
        assert stream.time_base == Fraction(1, fine_timescale(rate))
        ticks = [frame.pts for frame in decoded]
        assert ticks == [n * stream.time_base.denominator / rate for n in range(50)]


@pytest.mark.parametrize("preset", ["superfast", "veryfast", "medium"])
@pytest.mark.parametrize(
    ("frames", "handle_in", "shot"),
    [(60, 12, 36), (60, 0, 60), (40, 1, 1), (100, 1, 98), (13, 0, 1), (1, 0, 1)],
)
def test_cutting_at_the_handles_needs_no_decoding(
    preset: str, frames: int, handle_in: int, shot: int, tmp_path: Path
) -> None:
    """The packets from one forced keyframe to the next decode, alone, to exactly the shot."""
    settings = default_encoder_settings(width=WIDTH, height=HEIGHT)
    settings.preset = preset
    path = write(tmp_path / "c.mp4", frames, (handle_in, handle_in + shot), settings=settings)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        size = nal_length_size(bytes(stream.codec_context.extradata or b""))
        packets = [packet for packet in container.demux(stream) if packet.size]
        starts = [index for index, packet in enumerate(packets) if packet.is_keyframe]
        assert starts[0] == 0
        assert {handle_in, handle_in + shot} - {frames} <= set(starts)
        for index in starts:
            assert NAL_SLICE_IDR in nal_types(bytes(packets[index]), size)
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = stream.codec_context.extradata
        pictures = [
            picture
            for packet in packets[handle_in : handle_in + shot]
            for picture in decoder.decode(packet)
        ]
        pictures += decoder.decode(None)
    assert [number_of(picture) for picture in pictures] == [*range(handle_in, handle_in + shot)]


def test_same_pictures_and_settings_give_same_bytes(tmp_path: Path) -> None:
    """Two runs write the same file; another thread count is another setting."""
    first = write(tmp_path / "a.mp4", 40, (8,)).read_bytes()
    assert write(tmp_path / "b.mp4", 40, (8,)).read_bytes() == first


def test_signature_depends_on_settings_alone(tmp_path: Path) -> None:
    """Clips of one render have one signature, whatever they show and however long they are."""
    settings = default_encoder_settings(width=WIDTH, height=HEIGHT)
    signature = stream_signature(write(tmp_path / "a.mp4", 60, (12, 48), settings=settings))
    assert (signature.codec, signature.width, signature.height) == ("h264", WIDTH, HEIGHT)
    assert stream_signature(write(tmp_path / "b.mp4", 1, first=9, settings=settings)) == signature
    settings.crf = 30
    assert stream_signature(write(tmp_path / "c.mp4", 5, settings=settings)) == signature
    settings.preset = "ultrafast"
    assert stream_signature(write(tmp_path / "d.mp4", 5, settings=settings)) != signature


def test_no_parameter_sets_hide_in_the_samples(tmp_path: Path) -> None:
    """Parameter sets stand in the header alone, where the signature sees them."""
    path = write(tmp_path / "clip.mp4", 30, (10, 20))
    assert all(NAL_SPS not in nal_types(bytes(packet), 4) for packet in packets_of(path))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "rgb24"])
def test_colours_arrive_as_bt709(pixel_format: str, tmp_path: Path) -> None:
    """Both kinds of pictures give the same colours, tagged BT.709 and limited range."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, :64], rgb[:, 64:128], rgb[:, 128:] = (230, 20, 40), (30, 200, 60), (20, 60, 220)
    settings = default_encoder_settings("high", width=WIDTH, height=HEIGHT)
    settings.crf = 4
    path = tmp_path / "colour.mp4"
    with H264Writer(
        path,
        settings=settings,
        width=WIDTH,
        height=HEIGHT,
        rate=Fraction(24),
        frames=3,
        pixel_format="rgb24" if pixel_format == "rgb24" else "yuv420p",
    ) as writer:
        for _ in range(3):
            writer.write(rgb if pixel_format == "rgb24" else rgb_to_i420(rgb))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    wanted = rgb_to_i420(rgb).astype(int)
    got = frame.to_ndarray().astype(int)
    assert np.abs(got - wanted)[:, 8:56].max() <= 3
    tags = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
    assert tags == (1, 1, 1, 1)


def test_a_picture_may_be_any_buffer(tmp_path: Path) -> None:
    """Arrays that are not contiguous, bytes and memory views all are pictures."""
    flipped = np.ascontiguousarray(numbered(2)[:, ::-1])[:, ::-1]
    with H264Writer(
        tmp_path / "clip.mp4",
        settings=default_encoder_settings(width=WIDTH, height=HEIGHT),
        width=WIDTH,
        height=HEIGHT,
        rate=Fraction(24),
        frames=3,
    ) as writer:
        for picture in (numbered(0).tobytes(), numbered(1).data, flipped):
            writer.write(picture)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert [number_of(frame) for frame in container.decode(video=0)] == [0, 1, 2]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[H264Writer]:
    """A writer that expects three pictures."""
    writer = H264Writer(
        tmp_path / "clip.mp4",
        settings=default_encoder_settings(width=WIDTH, height=HEIGHT),
        width=WIDTH,
        height=HEIGHT,
        rate=Fraction(24),
        frames=3,
    )
    yield writer
    writer.abort()


def test_too_few_pictures_leave_no_file(writer: H264Writer, tmp_path: Path) -> None:
    """A clip that is shorter than announced does not come into being."""
    writer.write(numbered(0))
    with pytest.raises(Internal, match="1 pictures came, 3 were announced"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_one_picture_too_many_is_refused(writer: H264Writer) -> None:
    """The announced count is exact."""
    for number in range(3):
        writer.write(numbered(number))
    with pytest.raises(InvalidArgument):
        writer.write(numbered(3))
    assert writer.close().frames == 3


def test_a_picture_of_another_size_is_refused(writer: H264Writer) -> None:
    """Bytes that are no picture of this size never reach the encoder."""
    with pytest.raises(InvalidArgument, match="27648 bytes"):
        writer.write(np.zeros((10, 10), np.uint8))


def test_abort_removes_what_was_written(writer: H264Writer, tmp_path: Path) -> None:
    """An aborted clip leaves nothing, and the writer says so when it is used again."""
    writer.write(numbered(0))
    writer.abort()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Cancelled):
        writer.write(numbered(1))
    with pytest.raises(Cancelled):
        writer.close()


def test_an_exception_in_the_block_aborts(tmp_path: Path) -> None:
    """The with block passes the error on and keeps no file."""
    with (
        pytest.raises(KeyError),
        H264Writer(
            tmp_path / "clip.mp4",
            settings=default_encoder_settings(width=WIDTH, height=HEIGHT),
            width=WIDTH,
            height=HEIGHT,
            rate=Fraction(24),
            frames=3,
        ) as writer,
    ):
        writer.write(numbered(0))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_abort_frees_a_write_that_waits(tmp_path: Path) -> None:
    """A thread that waits for a stuck encoder is freed when another thread aborts."""
    size = 1920, 1080
    writer = H264Writer(
        tmp_path / "clip.mp4",
        settings=default_encoder_settings(width=size[0], height=size[1]),
        width=size[0],
        height=size[1],
        rate=Fraction(24),
        frames=10_000,
    )
    os.kill(writer.pid, signal.SIGSTOP)
    raised: list[Exception] = []

    def fill() -> None:
        try:
            for _ in range(1_000):
                writer.write(bytes(size[0] * size[1] * 3 // 2))
        except SoundsightError as error:
            raised.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    writer.abort()
    thread.join()
    assert [type(error) for error in raised] == [Cancelled]
    assert list(tmp_path.iterdir()) == []


def test_a_killed_encoder_is_an_error(writer: H264Writer, tmp_path: Path) -> None:
    """A dead encoder is noticed while writing or at the end, and leaves nothing."""
    os.kill(writer.pid, signal.SIGKILL)
    with pytest.raises(Internal, match="encoding"):
        for number in range(3):
            writer.write(numbered(number))
        writer.close()
    assert list(tmp_path.glob("*.mp4")) == []


def test_time_is_bounded(tmp_path: Path) -> None:
    """An encoder that takes too long is killed, and the error says so."""
    writer = H264Writer(
        tmp_path / "clip.mp4",
        settings=default_encoder_settings(width=WIDTH, height=HEIGHT),
        width=WIDTH,
        height=HEIGHT,
        rate=Fraction(24),
        frames=2,
        timeout_s=0.2,
    )
    os.kill(writer.pid, signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        for number in range(2):
            writer.write(numbered(number))
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_as_that(tmp_path: Path) -> None:
    """No room for the clip is an error of its own."""
    # A link, so that cleaning up removes the link and never the device.
    (tmp_path / "clip.mp4.part").symlink_to("/dev/full")
    writer = H264Writer(
        tmp_path / "clip.mp4",
        settings=default_encoder_settings(width=WIDTH, height=HEIGHT),
        width=WIDTH,
        height=HEIGHT,
        rate=Fraction(24),
        frames=1,
    )
    with pytest.raises(ResourceExhausted):
        writer.write(numbered(0))
        writer.close()
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("codec", "hevc"),
        ("profile", "high444"),
        ("level", "9.9"),
        ("preset", "fastest"),
        ("crf", 0),
        ("crf", 52),
        ("gop_frames", 0),
        ("pixel_format", "yuv444p"),
        ("colour_space", "bt601"),
        ("colour_range", "pc"),
        ("timescale", 1_000),
        ("threads", 0),
    ],
)
def test_settings_that_cannot_be_kept_are_named(field: str, value: str | int) -> None:
    """A wrong setting is refused under the name of its field."""
    settings = default_encoder_settings()
    setattr(settings, field, value)
    with pytest.raises(InvalidArgument) as error:
        check_encoder_settings(settings, 1280, 720, Fraction(24))
    assert error.value.field_violations[0][0] == f"encoder.{field}"


@pytest.mark.parametrize("quality", ["draft", "standard", "high"])
@pytest.mark.parametrize("rate", [*RATES, Fraction(24000, 1001), Fraction(25, 2)], ids=str)
@pytest.mark.parametrize("size", [(320, 180), (720, 1280), (1920, 1080), (3840, 2160)])
def test_defaults_pass_their_own_checks(
    quality: Quality, rate: Fraction, size: tuple[int, int]
) -> None:
    """Default settings are valid for common sizes and rates."""
    settings = default_encoder_settings(quality, width=size[0], height=size[1], rate=rate)
    check_encoder_settings(settings, *size, rate)


def test_levels_follow_the_standard() -> None:
    """Levels match ITU-T H.264 table A-1 for sizes everybody knows."""
    assert h264_level(1280, 720, Fraction(30)) == "3.1"
    assert h264_level(1280, 720, Fraction(60)) == "3.2"
    assert h264_level(1920, 1080, Fraction(30)) == "4.0"
    assert h264_level(1920, 1080, Fraction(60)) == "4.2"
    assert h264_level(3840, 2160, Fraction(30)) == "5.1"
    with pytest.raises(InvalidArgument):
        h264_level(16_384, 16_384, Fraction(60))
