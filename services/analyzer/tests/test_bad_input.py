"""What is no song, or a strange one, sent through the call itself: a clear answer, and the service
goes on."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from google.protobuf.json_format import MessageToDict
from PIL import Image
from serving import Serving, serving_analyzer

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight.analyzer.v1.analyzer_pb2 import FEATURE_DYNAMICS
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.errors import SoundsightError, error_from_rpc

pytestmark = pytest.mark.asyncio(loop_scope="module")
RATE_HZ = 22_050
MOST_S = 60.0
_PCM, _FLOAT = 1, 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """An analyzer that takes a minute of song."""
    settings = AnalyzerSettings(max_duration_s=MOST_S)
    async with serving_analyzer(tmp_path_factory.mktemp("bad"), settings) as running:
        yield running


def wav(samples: bytes, *, kind: int, bits: int, claimed_bytes: int | None = None) -> bytes:
    """A WAV file of one channel; its header may claim more than is there."""
    claimed = len(samples) if claimed_bytes is None else claimed_bytes
    frame = bits // 8
    form = struct.pack("<HHIIHH", kind, 1, RATE_HZ, RATE_HZ * frame, frame, bits)
    body = b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", claimed & 0xFFFFFFFF) + samples
    return b"RIFF" + struct.pack("<I", (len(body) + 4) & 0xFFFFFFFF) + b"WAVE" + body


def hum(seconds: float, amplitude: float = 0.3) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * 220 * times)).astype("<f4")


def encoded(folder: Path, suffix: str) -> bytes:
    """Four seconds of noise in a compressed format."""
    noise = 0.2 * np.random.default_rng(0).standard_normal(4 * RATE_HZ)
    path = folder / f"whole.{suffix}"
    soundfile.write(path, noise, RATE_HZ)
    return path.read_bytes()


def empty(folder: Path) -> bytes:
    return b""


def text(folder: Path) -> bytes:
    return b"do re mi fa sol la ti do\n" * 200


def bare_header(folder: Path) -> bytes:
    return encoded(folder, "flac")[:42]


def no_samples(folder: Path) -> bytes:
    return wav(b"", kind=_PCM, bits=16)


def picture(folder: Path) -> bytes:
    path = folder / "picture.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path.read_bytes()


def random_bytes(folder: Path) -> bytes:
    return np.random.default_rng(1).bytes(50_000)


def zip_bomb_like(folder: Path) -> bytes:
    return b"PK\x03\x04" + bytes(10_000)


async def refusal(serving: Serving, path: Path) -> SoundsightError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await serving.analyse(await serving.stored(path))
    return error_from_rpc(caught.value)


@pytest.mark.parametrize(
    "make",
    [empty, text, bare_header, no_samples, picture, random_bytes, zip_bomb_like],
    ids=lambda make: make.__name__,
)
async def test_what_holds_no_sound_is_refused(
    serving: Serving, tmp_path: Path, make: Callable[[Path], bytes]
) -> None:
    """The caller is told that the song is at fault, in a line without paths of the server."""
    path = tmp_path / "song"
    path.write_bytes(make(tmp_path))
    error = await refusal(serving, path)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason.startswith("SONG_")
    assert error.message and "/" not in error.message and "\n" not in error.message


async def test_too_much_sound_is_refused(serving: Serving, tmp_path: Path) -> None:
    """A song that is longer than the limit is refused, however small its file."""
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(round((MOST_S + 5) * 8000)), 8000)
    error = await refusal(serving, path)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason.startswith("SONG_")


def ten_hours_claimed(folder: Path) -> bytes:
    return wav(
        (hum(4) * 32767).astype("<i2").tobytes(),
        kind=_PCM,
        bits=16,
        claimed_bytes=10 * 3600 * RATE_HZ * 2,
    )


def not_numbers(folder: Path) -> bytes:
    samples = hum(4)
    samples[::3] = np.nan
    samples[1000:1100] = np.inf
    samples[2000:2100] = -np.inf
    return wav(samples.tobytes(), kind=_FLOAT, bits=32)


def nothing_but_nan(folder: Path) -> bytes:
    return wav(np.full(4 * RATE_HZ, np.nan, "<f4").tobytes(), kind=_FLOAT, bits=32)


def forty_decibels_too_loud(folder: Path) -> bytes:
    return wav(hum(4, amplitude=100.0).tobytes(), kind=_FLOAT, bits=32)


def enormous_doubles(folder: Path) -> bytes:
    samples = hum(4).astype("<f8") * 1e300
    return wav(samples.tobytes(), kind=_FLOAT, bits=64)


def truncated(suffix: str) -> Callable[[Path], bytes]:
    def half(folder: Path) -> bytes:
        data = encoded(folder, suffix)
        return data[: len(data) // 2]

    half.__name__ = f"half_of_{suffix}"
    return half


def corrupt(suffix: str) -> Callable[[Path], bytes]:
    def damaged(folder: Path) -> bytes:
        data = bytearray(encoded(folder, suffix))
        rng = np.random.default_rng(5)
        for at in rng.integers(len(data) // 4, len(data), 200):
            data[at] ^= int(rng.integers(1, 256))
        return bytes(data)

    damaged.__name__ = f"damaged_{suffix}"
    return damaged


ODD_NUMBERS = (not_numbers, nothing_but_nan, forty_decibels_too_loud, enormous_doubles)


@pytest.mark.parametrize(
    "make",
    [
        ten_hours_claimed,
        *ODD_NUMBERS,
        *(truncated(suffix) for suffix in ("flac", "ogg", "mp3")),
        *(corrupt(suffix) for suffix in ("flac", "ogg", "mp3")),
    ],
    ids=lambda make: make.__name__,
)
async def test_strange_sound_is_heard_or_refused(
    serving: Serving, tmp_path: Path, make: Callable[[Path], bytes]
) -> None:
    """What can be decoded is analysed in finite numbers, the rest refused as the song's fault."""
    path = tmp_path / "song"
    path.write_bytes(make(tmp_path))
    stored = await serving.stored(path)
    # Odd numbers go through everything; of damaged files it is the decoding that matters.
    features = [] if make in ODD_NUMBERS else [FEATURE_DYNAMICS]
    try:
        analysis, _ = await serving.analyse(stored, *features)
    except grpc.aio.AioRpcError as error:
        refused = error_from_rpc(error)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.reason.startswith("SONG_")
        return
    assert 0 < analysis.audio.duration_s < MOST_S
    assert analysis.dynamics.true_peak_dbtp < 6.0
    check_numbers(analysis)


async def test_the_service_goes_on(serving: Serving, tmp_path: Path) -> None:
    """After all that, an ordinary song is analysed."""
    path = tmp_path / "hum.flac"
    soundfile.write(path, hum(4), RATE_HZ)
    analysis, _ = await serving.analyse(await serving.stored(path), FEATURE_DYNAMICS)
    assert analysis.audio.duration_s == pytest.approx(4.0, abs=0.01)
    check_numbers(analysis)


def check_numbers(analysis: pb.SongAnalysis) -> None:
    """All numbers, however deep, are finite: JSON has names instead for the others."""
    odd = {"NaN", "Infinity", "-Infinity"}

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        else:
            assert not (isinstance(value, str) and value in odd)

    walk(MessageToDict(analysis))
