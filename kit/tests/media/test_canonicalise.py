"""Any supported song becomes canonical FLAC."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from soundsight_kit.media.audio import CanonicalSong, canonicalise, read_mono
from soundsight_kit.media.songfile import picture_type

Samples = NDArray[np.float64]
FORMATS = ["mp3", "ogg", "opus", "flac", "wav", "m4a"]


def lag_of(late: Samples, reference: Samples) -> int:
    """By how many samples `late` runs behind `reference`, by cross-correlation."""
    size = 1 << int(np.ceil(np.log2(len(late) + len(reference))))
    spectrum = np.fft.rfft(late, size) * np.conj(np.fft.rfft(reference, size))
    best = int(np.argmax(np.fft.irfft(spectrum, size)))
    return best if best < size // 2 else best - size


@pytest.mark.parametrize("extension", FORMATS)
async def test_every_format_keeps_time_and_length(
    extension: str, song: Callable[..., Path], tmp_path: Path
) -> None:
    """What is decoded starts where the sound started and is as long, encoder padding removed."""
    source = song(f"song.{extension}")
    result = await canonicalise(source, tmp_path / "out.flac")
    decoded, rate_hz = soundfile.read(tmp_path / "out.flac")
    original, original_hz = soundfile.read(tmp_path / f"source-song.{extension}.wav")
    assert result.bad_packets == 0
    assert (result.samples, result.sample_rate_hz) == (len(decoded), rate_hz)
    expected = len(original) * rate_hz / original_hz
    assert abs(result.samples - expected) <= 1
    if rate_hz == original_hz:
        assert lag_of(decoded[:, 0], original[:, 0]) == 0


@pytest.mark.parametrize("extension", ["wav", "flac"])
async def test_lossless_16_bit_comes_out_bit_for_bit(
    extension: str, song: Callable[..., Path], tmp_path: Path
) -> None:
    """A 16-bit song that needs no change is not changed in a single sample."""
    source = song(f"song.{extension}")
    result = await canonicalise(source, tmp_path / "out.flac")
    decoded, _ = soundfile.read(tmp_path / "out.flac", dtype="int16")
    original, _ = soundfile.read(tmp_path / f"source-song.{extension}.wav", dtype="int16")
    assert result.bits == 16
    assert np.array_equal(decoded, original)


async def test_24_bit_lossless_stays_24_bit(tmp_path: Path, music: Callable[..., Samples]) -> None:
    """A lossless source with more than 16 bits keeps 24, sample for sample."""
    source = tmp_path / "deep.wav"
    soundfile.write(source, music(30_000, 48_000), 48_000, subtype="PCM_24")
    result = await canonicalise(source, tmp_path / "out.flac")
    decoded, _ = soundfile.read(tmp_path / "out.flac", dtype="int32")
    original, _ = soundfile.read(source, dtype="int32")
    assert (result.bits, soundfile.info(tmp_path / "out.flac").subtype) == (24, "PCM_24")
    assert np.array_equal(decoded, original)


async def test_192_khz_is_resampled_to_48_khz(
    tmp_path: Path, music: Callable[..., Samples]
) -> None:
    """A rate above 48 kHz becomes 48 kHz with the same duration, in time."""
    source = tmp_path / "high.wav"
    original = music(192_000 + 1_234, 192_000)
    soundfile.write(source, original, 192_000, subtype="PCM_24")
    result = await canonicalise(source, tmp_path / "out.flac")
    decoded, rate_hz = soundfile.read(tmp_path / "out.flac")
    assert (rate_hz, result.bits) == (48_000, 24)
    assert abs(len(decoded) - len(original) / 4) <= 1
    reference = original[::4, 0]
    assert lag_of(decoded[:, 0], reference) == 0


async def test_8_khz_mono_stays_as_it_is(tmp_path: Path, song: Callable[..., Path]) -> None:
    """A low rate and a single channel are kept."""
    result = await canonicalise(
        song("phone.wav", samples=9_001, rate_hz=8_000, channels=1), tmp_path / "out.flac"
    )
    assert (result.samples, result.sample_rate_hz, result.channels) == (9_001, 8_000, 1)


async def test_eight_channels_are_mixed_to_stereo_without_clipping(
    tmp_path: Path, ffmpeg: Callable[..., None]
) -> None:
    """Of 7.1 sound at full level, left stays left, the bass channel is left out, nothing clips."""
    names = ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"]
    loud = np.full((4_000, 8), 0.999)
    loud[:, names.index("FR")] = loud[:, names.index("BR")] = loud[:, names.index("SR")] = 0.0
    loud[:, names.index("FC")] = 0.0
    plain = tmp_path / "plain.wav"
    soundfile.write(plain, loud, 48_000, subtype="FLOAT")
    source = tmp_path / "surround.wav"
    ffmpeg("-i", plain, "-af", "aformat=channel_layouts=7.1", "-c:a", "pcm_s16le", source)
    result = await canonicalise(source, tmp_path / "out.flac")
    decoded, _ = soundfile.read(tmp_path / "out.flac")
    assert (result.channels, result.source_channels) == (2, 8)
    gain = (1 + 2 * 0.5**0.5) / (1 + 3 * 0.5**0.5)
    assert decoded[:, 0] == pytest.approx(gain * 0.999, abs=2e-4)
    assert decoded[:, 1] == pytest.approx(0.0, abs=1e-6)


async def test_loud_float_and_nan_become_finite_clipped_samples(tmp_path: Path) -> None:
    """Samples beyond full scale clip, and what is not a number becomes silence."""
    source = tmp_path / "wild.wav"
    wild = np.array([[0.0], [38_897.0], [-5.0], [np.nan], [np.inf], [0.5]], dtype=np.float32)
    soundfile.write(source, wild, 44_100, subtype="FLOAT")
    await canonicalise(source, tmp_path / "out.flac")
    decoded, _ = soundfile.read(tmp_path / "out.flac")
    assert decoded == pytest.approx([0.0, 1.0, -1.0, 0.0, 1.0, 0.5], abs=1e-6)
    assert list(await read_mono(source, 44_100)) == pytest.approx([0, 1, -1, 0, 1, 0.5])


@pytest.mark.parametrize("extension", ["wav", "mp3", "opus"])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.5, 1.25), (None, 0.75), (1.1, None), (1.0, 99)])
async def test_an_excerpt_is_exact_to_the_sample(
    extension: str,
    start_s: float | None,
    end_s: float | None,
    song: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """An excerpt equals the same samples of the whole song."""
    source = song(f"song.{extension}")
    await canonicalise(source, tmp_path / "whole.flac")
    result = await canonicalise(source, tmp_path / "part.flac", start_s=start_s, end_s=end_s)
    whole, rate_hz = soundfile.read(tmp_path / "whole.flac", dtype="int16")
    part, _ = soundfile.read(tmp_path / "part.flac", dtype="int16")
    first = round((start_s or 0) * rate_hz)
    last = len(whole) if end_s is None else round(end_s * rate_hz)
    assert np.array_equal(part, whole[first:last])
    assert not result.encoded_copy_ok


async def test_one_sample_is_a_song(tmp_path: Path) -> None:
    """The shortest song has one sample."""
    source = tmp_path / "tick.wav"
    soundfile.write(source, np.array([[0.25, -0.25]]), 44_100, subtype="PCM_16")
    result = await canonicalise(source, tmp_path / "out.flac")
    decoded, _ = soundfile.read(tmp_path / "out.flac")
    assert result.samples == 1
    assert decoded.tolist() == [[0.25, -0.25]]


async def test_tags_and_cover_art_are_found(
    song: Callable[..., Path], tmp_path: Path, ffmpeg: Callable[..., None]
) -> None:
    """Title, artist and album are read, and a cover picture is a cover, not a video; the canonical
    song has it too."""
    plain = song("plain.mp3")
    cover = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", cover)
    tagged = tmp_path / "tagged.mp3"
    ffmpeg(
        *("-i", plain, "-i", cover, "-map", "0:a", "-map", "1:v", "-c", "copy"),
        *("-disposition:v", "attached_pic", "-metadata", "title=Été: №1"),
        *("-metadata", "artist=A\x07B", "-metadata", "album=C", tagged),
    )
    result = await canonicalise(tagged, tmp_path / "out.flac")
    assert (result.tags.title, result.tags.artist, result.tags.album) == ("Été: №1", "AB", "C")
    assert result.artwork is not None
    assert (result.artwork.data, result.artwork.media_type) == (cover.read_bytes(), "image/png")
    assert result.artwork.suffix == ".png"
    again = await canonicalise(tmp_path / "out.flac", tmp_path / "again.flac")
    assert again.artwork == result.artwork
    assert (again.samples, again.tags.title) == (result.samples, "Été: №1")


async def test_tags_go_with_the_song(
    song: Callable[..., Path], tmp_path: Path, ffmpeg: Callable[..., None]
) -> None:
    """The canonical song says what the file said, lyrics only when it is the whole song."""
    tagged = tmp_path / "tagged.mp3"
    ffmpeg(
        *("-i", song("plain.mp3"), "-c", "copy", "-metadata", "title=Été: №1"),
        *("-metadata", "date=1999", "-metadata", "lyrics=la la\nla", tagged),
    )
    whole, part = tmp_path / "whole.flac", tmp_path / "part.flac"
    await canonicalise(tagged, whole)
    await canonicalise(tagged, part, start_s=0.5)
    tags = (await canonicalise(whole, tmp_path / "again.flac")).tags
    assert (tags.title, tags.date, tags.lyrics) == ("Été: №1", "1999", "la la\nla")
    tags = (await canonicalise(part, tmp_path / "again.flac")).tags
    assert (tags.title, tags.lyrics) == ("Été: №1", "")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"<svg/>", None),
        (b"", None),
    ],
)
def test_a_picture_is_what_its_bytes_say(data: bytes, media_type: str | None) -> None:
    """Only JPEG, PNG and WebP are covers, told by their first bytes."""
    assert picture_type(data) == media_type


async def test_what_may_be_copied_is_told(song: Callable[..., Path], tmp_path: Path) -> None:
    """Only codecs that MP4 players know are offered for copying."""
    offered: dict[str, bool] = {}
    for extension in FORMATS:
        found: CanonicalSong = await canonicalise(song(f"s.{extension}"), tmp_path / "out.flac")
        offered[extension] = found.encoded_copy_ok
    assert offered == {
        "mp3": True,
        "m4a": True,
        "ogg": False,
        "opus": False,
        "flac": False,
        "wav": False,
    }


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
async def test_mono_at_any_rate_keeps_time(
    rate_hz: int, song: Callable[..., Path], tmp_path: Path
) -> None:
    """Samples for analysis are mono float32 of the rate asked for, in time, and contiguous."""
    mono = await read_mono(song("song.wav"), rate_hz)
    original, original_hz = soundfile.read(tmp_path / "source-song.wav.wav")
    assert (str(mono.dtype), mono.ndim) == ("float32", 1)
    assert mono.flags.c_contiguous
    assert abs(len(mono) - len(original) * rate_hz / original_hz) <= 1
    expected = original.mean(axis=1)
    times = np.arange(1_000, len(mono) - 1_000) / rate_hz
    # Bursts of noise reach beyond a lower rate's band: compare what both can hold.
    reference = np.interp(times, np.arange(len(expected)) / original_hz, expected)
    assert np.corrcoef(reference, mono[1_000:-1_000])[0, 1] > 0.8
    assert lag_of(mono[1_000:-1_000].astype(np.float64), reference) == 0
