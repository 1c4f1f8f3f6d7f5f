"""Lyrics and embedded metadata as callers meet them: a real server, real files, the call itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import av
import grpc
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from PIL import Image
from serving import Serving, serving_analyzer

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight.analyzer.v1.analyzer_pb2 import FEATURE_CONCEPT, FEATURE_LYRICS, AnalyzeOptions
from soundsight.common.v1.implementation_pb2 import GetInfoRequest
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError, error_from_rpc

pytestmark = pytest.mark.asyncio(loop_scope="module")
DURATION_S = 12.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """An analyzer with nothing configured."""
    folder = tmp_path_factory.mktemp("lyrics")
    async with serving_analyzer(folder, AnalyzerSettings()) as running:
        yield running


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of a hum."""
    path = tmp_path_factory.mktemp("song") / "song.flac"
    times = np.arange(round(DURATION_S * 44_100)) / 44_100
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 220 * times), 44_100)
    return path


async def refusal(serving: Serving, song: Path, options: AnalyzeOptions) -> SoundsightError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await serving.analyse(await serving.stored(song), FEATURE_LYRICS, options=options)
    return error_from_rpc(caught.value)


def check_karaoke(lyrics: pb.Lyrics) -> None:
    """What holds for all lyrics: lines and words in order, inside the song and each other."""
    starts = [line.start_s for line in lyrics.lines]
    assert starts == sorted(starts)
    for line in lyrics.lines:
        assert 0 <= line.start_s <= line.end_s <= DURATION_S
        words = [word.start_s for word in line.words]
        assert words == sorted(words)
        assert all(line.start_s <= w.start_s <= w.end_s <= line.end_s for w in line.words)
        assert all(0 <= word.confidence <= 1 for word in line.words)
    assert lyrics.evidence.source


async def test_given_lyrics_come_back_with_times(serving: Serving, song: Path) -> None:
    """Plain lyrics keep every word, get times in order, and say that these are estimates."""
    text = "[Verse]\r\nEvry word, as givn!\r\n\r\n[Chorus]\r\nla la x2\r\n"
    analysis, progress = await serving.analyse(
        await serving.stored(song),
        FEATURE_LYRICS,
        options=AnalyzeOptions(lyrics=text, language="en-GB"),
    )
    lyrics = analysis.lyrics
    check_karaoke(lyrics)
    assert [line.text for line in lyrics.lines] == ["Evry word, as givn!", "la la", "la la"]
    assert [line.heading for line in lyrics.lines] == ["Verse", "Chorus", "Chorus"]
    assert lyrics.language == "en-GB"
    assert lyrics.evidence.confidence < 0.2
    assert any("syllables" in warning for warning in analysis.warnings)
    assert "lyrics" in {event.stage for event in progress}
    assert not {"rhythm", "structure"} & {event.stage for event in progress}


async def test_lrc_times_are_kept(serving: Serving, song: Path) -> None:
    """The lines of LRC start when they say."""
    options = AnalyzeOptions(lyrics="[00:02.50]one two\n[00:06.25]three\n")
    analysis, progress = await serving.analyse(
        await serving.stored(song), FEATURE_LYRICS, options=options
    )
    assert not {"tags", "voice"} & {event.stage for event in progress}
    check_karaoke(analysis.lyrics)
    assert [line.start_s for line in analysis.lyrics.lines] == [2.5, 6.25]


@pytest.mark.parametrize(
    ("options", "field", "reason"),
    [
        (AnalyzeOptions(lyrics="[Intro]\n"), "options.lyrics", "LYRICS_UNREADABLE"),
        (AnalyzeOptions(lyrics="la " * 70_000), "options.lyrics", "LYRICS_UNREADABLE"),
        (AnalyzeOptions(lyrics="[00:14.00]late"), "options.lyrics", "LYRICS_OUT_OF_SONG"),
        (AnalyzeOptions(language="English!"), "options.language", "INVALID_ARGUMENT"),
    ],
)
async def test_wrong_lyrics_are_refused(
    serving: Serving, song: Path, options: AnalyzeOptions, field: str, reason: str
) -> None:
    """Lyrics without words, far too long or of a longer song are refused by their field."""
    error = await refusal(serving, song, options)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.field_violations[0][0] == field
    assert error.reason == reason


async def test_what_needs_a_model_is_refused_without_one(serving: Serving, song: Path) -> None:
    """Transcription and concept are not offered, and said not to be, when nothing can do them."""
    error = await refusal(serving, song, AnalyzeOptions(transcribe=True))
    assert (error.code, error.reason) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "TRANSCRIPTION_NOT_OFFERED",
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await serving.analyse(await serving.stored(song), FEATURE_CONCEPT)
    assert error_from_rpc(caught.value).reason == "FEATURE_NOT_OFFERED"
    async with open_channel(serving.target) as channel:
        info = await ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=60)
    assert {"feature:lyrics", "lyrics"} <= set(info.capabilities)
    assert not {"feature:concept", "transcription", "lyrics-by-voice"} & set(info.capabilities)


def with_cover(song: Path, path: Path, tags: dict[str, str], picture: bytes) -> Path:
    """The song as mp3 with ID3v2.4 tags and something that claims to be a PNG cover."""
    with av.open(str(song)) as source, av.open(str(path), "w") as target:
        target.metadata.update(tags)
        stream = target.add_stream("mp3", rate=44_100)
        stream.codec_context.layout = "mono"
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    data = path.read_bytes()
    assert data[:4] == b"ID3\x04"
    end = 10 + _number(data[6:10])
    at = 10
    while at < end and data[at]:
        at += 10 + _number(data[at + 4 : at + 8])
    cover = b"\x00image/png\x00\x03\x00" + picture
    frames = data[10:at] + b"APIC" + _synchsafe(len(cover)) + b"\x00\x00" + cover
    path.write_bytes(data[:6] + _synchsafe(len(frames)) + frames + data[end:])
    return path


def _synchsafe(number: int) -> bytes:
    return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))


def _number(data: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


async def test_embedded_metadata_and_artwork(serving: Serving, song: Path, tmp_path: Path) -> None:
    """Title, artist and cover are what the file says; the cover lies in the project's store as it
    was; the file's lyrics are aligned when none are given."""
    cover = tmp_path / "cover.png"
    Image.new("RGB", (64, 64), (200, 30, 60)).save(cover)
    tags = {"title": "Hum", "artist": "Nobody", "lyrics": "hum hum\nhum"}
    tagged = with_cover(song, tmp_path / "tagged.mp3", tags, cover.read_bytes())
    analysis, _ = await serving.analyse(await serving.stored(tagged), FEATURE_LYRICS)
    metadata = analysis.metadata
    assert (metadata.title, metadata.artist) == ("Hum", "Nobody")
    assert metadata.artwork.media_type == "image/png"
    assert "/projects/p/artwork/" in metadata.artwork.uri
    assert await serving.store.get_bytes(metadata.artwork, 1 << 20) == cover.read_bytes()
    assert metadata.lyrics.split() == ["hum", "hum", "hum"]
    assert [line.text for line in analysis.lyrics.lines] == ["hum hum", "hum"]
    assert any("in the file" in warning for warning in analysis.warnings)


async def test_what_is_no_picture_is_no_artwork(
    serving: Serving, song: Path, tmp_path: Path
) -> None:
    """A cover that is something else, whatever the file calls it, is left out."""
    fake = with_cover(song, tmp_path / "fake.mp3", {"title": "Hum"}, b"<svg onload='x()'/>" * 9)
    analysis, _ = await serving.analyse(await serving.stored(fake), FEATURE_LYRICS)
    assert analysis.metadata.title == "Hum"
    assert not analysis.metadata.HasField("artwork")
    assert not analysis.HasField("lyrics")
    assert any("no lyrics" in warning for warning in analysis.warnings)
