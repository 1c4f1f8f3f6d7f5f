"""The sound: whole, and in time with the picture, however it came in."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from soundsight.composer.v1 import composer_pb2
from soundsight_kit.media.audio import canonicalise
from soundsight_kit.media.ffmpeg import ffmpeg_binary

if TYPE_CHECKING:
    from services.composer.tests.conftest import Studio

ENCODED, COPIED = (
    composer_pb2.AUDIO_TREATMENT_ENCODED,
    composer_pb2.AUDIO_TREATMENT_COPIED,
)
ORIGINALS = {
    "m4a": (["-c:a", "aac", "-b:a", "192k"], COPIED, "aac"),
    "mp3": (["-c:a", "libmp3lame", "-b:a", "192k"], COPIED, "mp3"),
    "alac.m4a": (["-c:a", "alac"], COPIED, "alac"),
    "ogg": (["-c:a", "libvorbis"], ENCODED, "aac"),
    "opus": (["-c:a", "libopus"], ENCODED, "aac"),
    "flac": (["-c:a", "flac"], ENCODED, "aac"),
}


def run_ffmpeg(*arguments: str | Path) -> None:
    """Runs ffmpeg; every complaint is a failure."""
    done = subprocess.run(
        [ffmpeg_binary(), "-loglevel", "error", "-y", *map(str, arguments)],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""


def heard(video: Path, rate_hz: int) -> NDArray[np.float64]:
    """What is heard from the moment of the first picture on, as ffmpeg plays it, in mono."""
    path = video.with_suffix(".wav")
    filters = f"aresample={rate_hz}:async=1:first_pts=0"
    run_ffmpeg("-i", video, "-map", "0:a", "-af", filters, "-ac", "1", path)
    samples: NDArray[np.float64] = soundfile.read(path)[0]
    return samples


def lag_of(late: NDArray[np.float64], reference: NDArray[np.float64]) -> int:
    """By how many samples `late` runs behind, by cross-correlation."""
    size = 1 << int(np.ceil(np.log2(len(late) + len(reference))))
    spectrum = np.fft.rfft(late, size) * np.conj(np.fft.rfft(reference, size))
    best = int(np.argmax(np.fft.irfft(spectrum, size)))
    return best if best < size // 2 else best - size


async def offsets(
    studio: Studio,
    request: composer_pb2.ComposeRequest,
    composition: composer_pb2.Composition | None = None,
) -> tuple[int, int, int]:
    """The lag at the start and at the end, and how many samples are too many."""
    composition = composition or await studio.compose(request)
    song, rate_hz = soundfile.read(await studio.fetch(request.soundtrack.canonical))
    mono = song.reshape(len(song), -1).mean(axis=1)
    sound = heard(await studio.fetch(composition.video), rate_hz)
    part = rate_hz
    with av.open(str(await studio.fetch(composition.video))) as container:
        stream = container.streams.audio[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        length_s = stream.duration * stream.time_base
    excess = round((length_s - Fraction(len(song), rate_hz)) * rate_hz)
    tail = slice(len(mono) - part, len(mono))
    return lag_of(sound[:part], mono[:part]), lag_of(sound[tail], mono[tail]), excess


@pytest.mark.parametrize("rate", [24, 25, Fraction(30000, 1001), 60], ids=str)
async def test_encoded_sound_is_in_time_at_every_frame_rate(
    rate: Fraction | int, studio: Studio
) -> None:
    """Encoded sound is neither late nor early by a sample, at its start and at its end."""
    request = await studio.request([(0, 60, 0), (0, 60, 0)], rate=Fraction(rate))
    assert await offsets(studio, request) == (0, 0, 0)


@pytest.mark.parametrize("extra", [-900, 17, 899])
async def test_songs_need_not_end_on_a_frame(extra: int, studio: Studio) -> None:
    """A song that ends within a frame is kept to its last sample; the picture is rounded."""
    request = await studio.request([(0, 50, 0)], extra_samples=extra)
    assert await offsets(studio, request) == (0, 0, 0)


@pytest.mark.parametrize(
    ("sample_rate_hz", "channels", "heard_hz"),
    [(48_000, 2, 48_000), (32_000, 2, 32_000), (22_050, 2, 48_000), (8_000, 1, 48_000)],
)
async def test_any_sample_rate(
    sample_rate_hz: int, channels: int, heard_hz: int, studio: Studio
) -> None:
    """Rates that players of AAC may not take are resampled; the sound stays in time."""
    request = await studio.request([(0, 50, 0)], sample_rate_hz=sample_rate_hz, channels=channels)
    composition = await studio.compose(request)
    assert await offsets(studio, request, composition) == (0, 0, 0)
    video = await studio.fetch(composition.video)
    with av.open(str(video)) as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.sample_rate) == ("aac", heard_hz)
        assert context.layout.nb_channels == channels


@pytest.mark.parametrize("extension", ORIGINALS)
async def test_the_original_is_copied_where_it_plays_everywhere(
    extension: str, studio: Studio, tmp_path: Path
) -> None:
    """AAC, MP3 and ALAC go in untouched, others encoded; all are in time to the sample."""
    options, treatment, codec = ORIGINALS[extension]
    source = tmp_path / "source.wav"
    soundfile.write(source, studio.music(44_100 * 3 + 555, 44_100), 44_100)
    original = tmp_path / f"original.{extension}"
    run_ffmpeg("-i", source, *options, original)
    song = await canonicalise(original, tmp_path / "canonical.flac")
    request = await studio.request([(0, 60, 0), (0, 12, 0)])
    sound = request.soundtrack
    sound.samples, sound.sample_rate_hz = song.samples, song.sample_rate_hz
    sound.canonical.CopyFrom(await studio.keep("canonical.flac", tmp_path / "canonical.flac"))
    sound.original.CopyFrom(await studio.keep(original.name, original))
    composition = await studio.compose(request)
    assert (composition.audio_treatment, composition.audio_codec) == (treatment, codec)
    assert composition.audio_offset_s == 0
    assert bool(composition.notes) == (treatment == ENCODED)
    assert await offsets(studio, request, composition) == (0, 0, 0)
    if treatment == COPIED:
        assert packets_of(await studio.fetch(composition.video)) <= packets_of(original)


def packets_of(path: Path) -> set[bytes]:
    """The sound's packets, in no order."""
    with av.open(str(path)) as container:
        return {bytes(packet) for packet in container.demux(audio=0) if packet.size}


@pytest.mark.parametrize("fault", ["other_song", "shorter", "shifted", "broken"])
async def test_a_copy_that_is_not_the_song_is_not_used(
    fault: str, studio: Studio, tmp_path: Path
) -> None:
    """An original that plays something else, or the same at another time, is encoded instead."""
    request = await studio.request([(0, 72, 0)])
    canonical = await studio.fetch(request.soundtrack.canonical)
    filters = {
        "other_song": "volume=0.5",
        "shorter": "atrim=end=2.9",
        "shifted": "adelay=10:all=1,atrim=end_sample=132300",
        "broken": "anull",
    }
    original = tmp_path / "original.m4a"
    run_ffmpeg("-i", canonical, "-af", filters[fault], "-c:a", "alac", original)
    if fault == "broken":
        data = bytearray(original.read_bytes())
        data[20_000:24_000] = bytes(4_000)
        original.write_bytes(data)
    request.soundtrack.original.CopyFrom(await studio.keep("original.m4a", original))
    composition = await studio.compose(request)
    assert composition.audio_treatment == ENCODED
    assert len(composition.notes) == 1
    assert await offsets(studio, request, composition) == (0, 0, 0)


async def test_a_silent_song_is_composed(studio: Studio, tmp_path: Path) -> None:
    """Silence, whose offset cannot be heard, is no error."""
    request = await studio.request([(0, 24, 0)])
    quiet = tmp_path / "quiet.flac"
    soundfile.write(quiet, np.zeros((44_100, 2)), 44_100)
    request.soundtrack.canonical.CopyFrom(await studio.keep("quiet.flac", quiet))
    assert (await studio.compose(request)).audio_offset_s == 0


async def test_the_finished_file_decodes_without_complaint(studio: Studio) -> None:
    """ffmpeg, told to stop at any fault, plays the whole video."""
    request = await studio.request([(0, 1, 0), (3, 1, 3), (2, 33, 2), (0, 25, 0)])
    video = await studio.fetch((await studio.compose(request)).video)
    run_ffmpeg("-xerror", "-err_detect", "explode", "-i", video, "-f", "null", "-")
