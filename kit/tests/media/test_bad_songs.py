"""Files that are broken, hostile or no songs at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from soundsight_kit.errors import InvalidArgument, ResourceExhausted
from soundsight_kit.media.audio import DecodeLimits, canonicalise, read_mono

LOSSY_AND_LOSSLESS = ["mp3", "ogg", "opus", "flac", "m4a"]


async def refusal(source: Path, limits: DecodeLimits | None = None) -> InvalidArgument:
    """The refusal that both ways of decoding give; neither may leave anything behind."""
    before = sorted(source.parent.iterdir())
    with pytest.raises(InvalidArgument) as first:
        await canonicalise(source, source.with_suffix(".out"), limits=limits)
    with pytest.raises(InvalidArgument) as second:
        await read_mono(source, 22_050, limits)
    assert first.value.reason == second.value.reason
    assert sorted(source.parent.iterdir()) == before
    return first.value


async def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """A file of zero bytes is named as empty."""
    source = tmp_path / "empty.mp3"
    source.write_bytes(b"")
    assert (await refusal(source)).reason == "SONG_EMPTY"


@pytest.mark.parametrize("name", ["text.wav", "text.mp3", "text.m4a", "text.ogg"])
async def test_text_is_no_song(name: str, tmp_path: Path) -> None:
    """Text is refused whatever it is called, with the formats that are taken."""
    source = tmp_path / name
    source.write_text("hello\n" * 1_000)
    error = await refusal(source)
    assert error.reason == "SONG_NOT_AUDIO"
    assert "flac" in error.message


async def test_a_playlist_opens_no_other_file(tmp_path: Path, song: Callable[..., Path]) -> None:
    """Playlists and manifests, which name other files, are not followed."""
    inside = song("inside.mp3")
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{inside.name}\n#EXT-X-ENDLIST"
    )
    concat = tmp_path / "list.ffconcat"
    concat.write_text(f"ffconcat version 1.0\nfile {inside.name}\n")
    assert (await refusal(playlist)).reason == "SONG_NOT_AUDIO"
    assert (await refusal(concat)).reason == "SONG_NOT_AUDIO"


async def test_random_bytes_are_no_song(tmp_path: Path) -> None:
    """Noise that happens to hold a few frame headers is not taken for a song."""
    source = tmp_path / "garbage.mp3"
    source.write_bytes(random.Random(3).randbytes(300_000))
    assert (await refusal(source)).reason in {"SONG_NOT_AUDIO", "SONG_DAMAGED", "SONG_NO_SAMPLES"}


async def test_pictures_without_sound_are_refused(
    tmp_path: Path, ffmpeg: Callable[..., None]
) -> None:
    """A video without an audio track is told apart from a broken file."""
    source = tmp_path / "silent.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-an", source)
    assert (await refusal(source)).reason == "SONG_NO_AUDIO"


async def test_a_song_without_samples_is_refused(tmp_path: Path) -> None:
    """A well-formed file with no samples in it is refused as such."""
    source = tmp_path / "nothing.wav"
    soundfile.write(source, np.zeros((0, 2)), 44_100, subtype="PCM_16")
    assert (await refusal(source)).reason == "SONG_NO_SAMPLES"


async def test_an_encrypted_song_is_refused(
    tmp_path: Path, song: Callable[..., Path], ffmpeg: Callable[..., None]
) -> None:
    """A copy-protected file is named as that, not as broken."""
    source = tmp_path / "locked.m4a"
    ffmpeg(
        *("-i", song("open.m4a"), "-c", "copy", "-encryption_scheme", "cenc-aes-ctr"),
        *("-encryption_key", "00112233445566778899aabbccddeeff"),
        *("-encryption_kid", "ffeeddccbbaa99887766554433221100", "-f", "mp4", source),
    )
    assert (await refusal(source)).reason == "SONG_PROTECTED"


@pytest.mark.parametrize("extension", LOSSY_AND_LOSSLESS)
async def test_a_truncated_song_is_as_long_as_what_is_there(
    extension: str, tmp_path: Path, song: Callable[..., Path]
) -> None:
    """A cut-off file gives the part that is really there, never the length its header claims."""
    whole = song(f"song.{extension}", samples=44_100 * 4)
    data = whole.read_bytes()
    source = tmp_path / f"cut.{extension}"
    source.write_bytes(data[: len(data) * 4 // 10])
    if extension == "m4a":  # its index stands at the end and is gone
        assert (await refusal(source)).reason == "SONG_NOT_AUDIO"
        return
    result = await canonicalise(source, tmp_path / "out.flac")
    decoded, _ = soundfile.read(tmp_path / "out.flac")
    assert result.samples == len(decoded)
    assert 0.2 < result.duration_s / 4 < 0.6


@pytest.mark.parametrize("extension", LOSSY_AND_LOSSLESS)
async def test_a_corrupt_song_gives_finite_sound_or_a_refusal(
    extension: str, tmp_path: Path, song: Callable[..., Path]
) -> None:
    """Bytes overwritten at random cost parts of the song at most."""
    data = bytearray(song(f"song.{extension}", samples=44_100 * 4).read_bytes())
    dice = random.Random(1)
    for _ in range(60):
        data[dice.randrange(2_000, len(data))] = dice.randrange(256)
    source = tmp_path / f"corrupt.{extension}"
    source.write_bytes(data)
    try:
        result = await canonicalise(source, tmp_path / "out.flac")
    except InvalidArgument as error:
        assert error.reason.startswith("SONG_")
        return
    decoded, _ = soundfile.read(tmp_path / "out.flac")
    assert 0 < result.samples == len(decoded)
    mono = await read_mono(source, 44_100)
    assert np.isfinite(mono).all()
    assert np.abs(mono).max() <= 1


async def test_damage_is_counted(tmp_path: Path, song: Callable[..., Path]) -> None:
    """What cannot be decoded is left out and counted, and no copy of the stream is offered."""
    data = bytearray(song("song.m4a", samples=44_100 * 4).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 9_000] = b"\xff" * 9_000
    source = tmp_path / "hole.m4a"
    source.write_bytes(data)
    result = await canonicalise(source, tmp_path / "out.flac")
    assert result.bad_packets > 0
    assert not result.encoded_copy_ok
    assert 0.5 < result.duration_s / 4 < 1


async def test_a_header_that_lies_about_its_length_is_not_believed(
    tmp_path: Path, song: Callable[..., Path]
) -> None:
    """A WAV header that claims four gigabytes gives the samples that are there."""
    data = bytearray(song("song.wav", samples=10_000).read_bytes())
    start = data.index(b"data") + 4
    data[4:8] = data[start : start + 4] = b"\xff\xff\xff\xff"
    source = tmp_path / "liar.wav"
    source.write_bytes(data)
    assert (await canonicalise(source, tmp_path / "out.flac")).samples == 10_000


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (DecodeLimits(max_duration_s=1.0), "SONG_TOO_LONG"),
        (DecodeLimits(max_channels=1), "SONG_TOO_MANY_CHANNELS"),
        (DecodeLimits(max_rate_hz=22_050), "SONG_RATE_TOO_HIGH"),
        (DecodeLimits(max_input_bytes=1_000), "SONG_TOO_LARGE"),
        (DecodeLimits(timeout_s=0.02), "SONG_TOO_COSTLY"),
    ],
)
async def test_limits_hold(limits: DecodeLimits, reason: str, song: Callable[..., Path]) -> None:
    """A song beyond a limit is refused with the limit's own reason."""
    assert (await refusal(song("song.flac"), limits)).reason == reason


async def test_a_part_of_a_song_that_is_too_long_is_not(
    tmp_path: Path, song: Callable[..., Path]
) -> None:
    """The limit of length counts what is taken, wherever in the song that lies."""
    limits, source = DecodeLimits(max_duration_s=1.0), song("song.flac")
    last = await canonicalise(source, tmp_path / "out.flac", limits=limits, start_s=1.5)
    assert 0.4 < last.duration_s < 0.6
    with pytest.raises(InvalidArgument) as still:
        await canonicalise(source, tmp_path / "out.flac", limits=limits, start_s=0.5)
    assert still.value.reason == "SONG_TOO_LONG"


async def test_an_excerpt_behind_the_end_is_refused(
    tmp_path: Path, song: Callable[..., Path]
) -> None:
    """An excerpt that holds nothing of the song is an error, not an empty song."""
    with pytest.raises(InvalidArgument) as behind:
        await canonicalise(song("song.wav"), tmp_path / "out.flac", start_s=50)
    assert behind.value.reason == "SONG_EXCERPT_EMPTY"
    assert "starts at 50 s, but the song ends at 2.0176" in behind.value.message
    with pytest.raises(InvalidArgument):
        await canonicalise(song("song.wav"), tmp_path / "out.flac", start_s=1, end_s=1)
    with pytest.raises(InvalidArgument):  # as samples it would be no number any more
        await canonicalise(song("song.wav"), tmp_path / "out.flac", start_s=1.7e308)


async def test_a_full_disk_is_told_as_that(tmp_path: Path, song: Callable[..., Path]) -> None:
    """No room for the decoded song is no fault of the song."""
    # A link, so that cleaning up removes the link and never the device.
    (tmp_path / "out.flac.part").symlink_to("/dev/full")
    with pytest.raises(ResourceExhausted) as error:
        await canonicalise(song("song.wav"), tmp_path / "out.flac")
    assert error.value.reason == "DISK_FULL"
    assert Path("/dev/full").is_char_device()


async def test_a_missing_file_is_an_error_of_the_caller(tmp_path: Path) -> None:
    """A path that leads nowhere is told at once."""
    with pytest.raises(InvalidArgument):
        await read_mono(tmp_path / "none.wav", 44_100)
