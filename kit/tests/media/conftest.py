"""Songs synthesised for tests: real files of every format, made by the bundled ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from soundsight_kit.media.ffmpeg import ffmpeg_binary

Samples = NDArray[np.float64]
MakeSong = Callable[..., Path]
RunFfmpeg = Callable[..., None]

CODECS = {
    "mp3": ["-c:a", "libmp3lame", "-b:a", "192k"],
    "ogg": ["-c:a", "libvorbis", "-q:a", "6"],
    "opus": ["-c:a", "libopus", "-b:a", "160k"],
    "flac": ["-c:a", "flac"],
    "wav": ["-c:a", "pcm_s16le"],
    "m4a": ["-c:a", "aac", "-b:a", "192k"],
}


@pytest.fixture
def ffmpeg() -> RunFfmpeg:
    """Runs ffmpeg with arguments; fails the test when ffmpeg fails."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> None:
        done = subprocess.run(
            [ffmpeg_binary(), "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    return run


@pytest.fixture
def music() -> Callable[..., Samples]:
    """Makes sound without repetition: chirps with noise bursts, shape (n, channels)."""

    def make(samples: int, rate_hz: int, channels: int = 2, seed: int = 7) -> Samples:
        rng = np.random.default_rng(seed)
        time = np.arange(samples) / rate_hz
        columns = []
        for channel in range(channels):
            sweep = np.sin(2 * np.pi * (200 + 30 * channel + 150 * time) * time)
            bursts = rng.standard_normal(samples) * (np.modf(time * 3.1)[0] < 0.08)
            columns.append(0.3 * sweep + 0.15 * bursts)
        return np.stack(columns, axis=1).clip(-0.99, 0.99)

    return make


@pytest.fixture
def song(tmp_path: Path, ffmpeg: RunFfmpeg, music: Callable[..., Samples]) -> MakeSong:
    """Writes a song in a format of CODECS and returns its path."""

    def make(
        name: str,
        samples: int = 44_100 * 2 + 777,
        rate_hz: int = 44_100,
        channels: int = 2,
        options: tuple[str, ...] = (),
    ) -> Path:
        source = tmp_path / f"source-{name}.wav"
        soundfile.write(source, music(samples, rate_hz, channels), rate_hz, subtype="PCM_16")
        path = tmp_path / name
        ffmpeg("-i", source, *CODECS[path.suffix[1:]], *options, path)
        return path

    return make
