"""Clips whose every frame tells which it is, songs without repetition, and a store for both."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from soundsight.common.v1 import common_pb2
from soundsight.composer.v1 import composer_pb2
from soundsight_composer.compose import compose
from soundsight_composer.settings import ComposerSettings
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.media.ffmpeg import ffmpeg_binary
from soundsight_kit.media.mezzanine import H264Writer, default_encoder_settings

WIDTH, HEIGHT = 192, 96
PATCH = 16
CLIP_BITS, FRAME_BITS = 6, 6
PROJECT = "p"

Picture = NDArray[np.uint8]
ForeignClip = Callable[[str, int, int], Path]


def numbered(clip: int, frame: int) -> Picture:
    """A picture that shows its clip and frame: a bright or dark patch per bit, moving noise."""
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    noise = np.random.default_rng(clip).integers(40, 210, (HEIGHT, WIDTH), dtype=np.uint8)
    picture[:HEIGHT] = np.roll(noise, 3 * frame, axis=1)
    number = clip << FRAME_BITS | frame
    for bit in range(CLIP_BITS + FRAME_BITS):
        picture[:PATCH, bit * PATCH : (bit + 1) * PATCH] = 220 if number >> bit & 1 else 30
    return picture


def identity(picture: Picture) -> tuple[int, int]:
    """Clip and frame that a picture shows."""
    rows = picture[4 : PATCH - 4]
    patches = [
        float(rows[:, bit * PATCH + 4 : (bit + 1) * PATCH - 4].mean())
        for bit in range(CLIP_BITS + FRAME_BITS)
    ]
    number = sum(1 << bit for bit, brightness in enumerate(patches) if brightness > 125)
    return number >> FRAME_BITS, number & ((1 << FRAME_BITS) - 1)


def luma(frame: av.VideoFrame) -> Picture:
    """A decoded picture as I420."""
    return frame.to_ndarray().astype(np.uint8)


def pictures_of(path: Path) -> list[Picture]:
    """All pictures of a video as players show them."""
    with av.open(str(path)) as container:
        return [luma(frame) for frame in container.decode(video=0)]


def picture_of(path: Path) -> Picture:
    """A picture file as I420."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return luma(frame.reformat(format="yuv420p", dst_color_range="MPEG"))


def music(samples: int, rate_hz: int, channels: int = 2) -> NDArray[np.float64]:
    """Sound without repetition, shape (samples, channels)."""
    rng = np.random.default_rng(11)
    time = np.arange(samples) / rate_hz
    sweep = 0.3 * np.sin(2 * np.pi * (220 + 60 * time) * time)
    bursts = 0.2 * rng.standard_normal(samples) * (np.modf(time * 2.7)[0] < 0.1)
    return np.repeat((sweep + bursts)[:, None], channels, axis=1).clip(-0.99, 0.99)


def write_clip(
    path: Path,
    clip: int,
    handle_in: int,
    shot: int,
    handle_out: int,
    rate: Fraction,
    settings: common_pb2.EncoderSettings,
) -> Path:
    """A clip as videogen makes it: forced keyframes at both handle boundaries."""
    frames = handle_in + shot + handle_out
    with H264Writer(
        path,
        settings=settings,
        width=WIDTH,
        height=HEIGHT,
        rate=rate,
        frames=frames,
        keyframes=(handle_in, handle_in + shot),
    ) as writer:
        for frame in range(frames):
            writer.write(numbered(clip, frame))
    return path


@dataclass
class Studio:
    """Makes requests with all their artifacts in a store, and composes them."""

    folder: Path
    store: ArtifactStore
    settings: ComposerSettings = field(default_factory=ComposerSettings)
    told: list[common_pb2.Progress] = field(default_factory=list)

    numbered = staticmethod(numbered)
    identity = staticmethod(identity)
    pictures_of = staticmethod(pictures_of)
    picture_of = staticmethod(picture_of)
    write_clip = staticmethod(write_clip)
    music = staticmethod(music)

    @property
    def scratch(self) -> Path:
        """Where compositions are made; empty before and after."""
        return self.folder / "scratch"

    async def keep(self, name: str, path: Path, media_type: str = "") -> common_pb2.ArtifactRef:
        """Stores a file in the project."""
        return await self.store.put_file(f"projects/{PROJECT}/in/{name}", path, media_type)

    async def request(
        self,
        shots: list[tuple[int, int, int]],
        *,
        rate: Fraction = Fraction(24),
        sample_rate_hz: int = 44_100,
        extra_samples: int = 0,
        channels: int = 2,
        quality: str = "standard",
        key: str = "one",
    ) -> composer_pb2.ComposeRequest:
        """A request over numbered clips of (handle_in, shot, handle_out) frames."""
        settings = default_encoder_settings(
            "draft" if quality == "draft" else "standard", width=WIDTH, height=HEIGHT, rate=rate
        )
        frames = sum(shot for _, shot, _ in shots)
        samples = round(frames / rate * sample_rate_hz) + extra_samples
        song = self.folder / f"song-{key}.flac"
        soundfile.write(song, music(samples, sample_rate_hz, channels), sample_rate_hz)
        clips = []
        for index, (handle_in, shot, handle_out) in enumerate(shots):
            path = self.folder / f"clip-{key}-{index}.mp4"
            write_clip(path, index, handle_in, shot, handle_out, rate, settings)
            clips.append(
                composer_pb2.ClipSource(
                    video=await self.keep(path.name, path),
                    handle_in_frames=handle_in,
                    shot_frames=shot,
                    handle_out_frames=handle_out,
                )
            )
        return composer_pb2.ComposeRequest(
            project=PROJECT,
            output_key=f"projects/{PROJECT}/compositions/{key}",
            clips=clips,
            frames=frames,
            frame_rate=common_pb2.FrameRate(num=rate.numerator, den=rate.denominator),
            resolution=common_pb2.Resolution(width=WIDTH, height=HEIGHT),
            encoder=settings,
            soundtrack=composer_pb2.Soundtrack(
                canonical=await self.keep(song.name, song, "audio/flac"),
                samples=samples,
                sample_rate_hz=sample_rate_hz,
            ),
            metadata=composer_pb2.FileMetadata(title="Titel", artist="Künstler"),
            poster_frame=-1,
        )

    async def compose(self, request: composer_pb2.ComposeRequest) -> composer_pb2.Composition:
        """Composes, and checks that nothing is left in the scratch folder."""
        try:
            return await compose(request, self.store, self.scratch, self.settings, self.told.append)
        finally:
            assert not self.scratch.exists() or list(self.scratch.iterdir()) == []

    def shot_frames(self, request: composer_pb2.ComposeRequest) -> list[tuple[int, int]]:
        """The identity of every frame of the video when all cuts are hard and exact."""
        return [
            (index, clip.handle_in_frames + frame)
            for index, clip in enumerate(request.clips)
            for frame in range(clip.shot_frames)
        ]

    async def shown(self, composition: composer_pb2.Composition) -> list[tuple[int, int]]:
        """The identity of every frame of a finished video, in the order of showing."""
        return [identity(picture) for picture in pictures_of(await self.fetch(composition.video))]

    async def fetch(self, reference: common_pb2.ArtifactRef) -> Path:
        """A stored file as a local one."""
        path = self.folder / f"fetched-{reference.sha256[:12]}"
        await self.store.get_file(reference, path)
        return path


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """An empty studio."""
    return Studio(tmp_path, ArtifactStore.open(f"file://{tmp_path}/store"))


@pytest.fixture
def foreign_clip(tmp_path: Path) -> ForeignClip:
    """Writes a numbered clip at 24 fps with an encoder that is not the mezzanine writer."""
    kinds = {
        "preset": "-c:v libx264 -preset ultrafast",
        "open_gop": "-c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=9:bframes=3",
        "no_keyframes": "-c:v libx264 -preset veryfast -g 250 -x264-params stitchable=1",
        "mpeg4": "-c:v mpeg4 -q:v 2 -pix_fmt yuv420p",
    }

    def write(kind: str, clip: int, frames: int) -> Path:
        path = tmp_path / f"foreign-{kind}.mp4"
        if kind == "crf":
            settings = default_encoder_settings(width=WIDTH, height=HEIGHT)
            settings.crf = 8
            return write_clip(path, clip, 4, frames - 8, 4, Fraction(24), settings)
        subprocess.run(
            [
                *(ffmpeg_binary(), "-loglevel", "error", "-y", "-f", "rawvideo"),
                *("-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", "24", "-i", "-"),
                *kinds[kind].split(),
                str(path),
            ],
            input=b"".join(numbered(clip, frame).tobytes() for frame in range(frames)),
            check=True,
        )
        return path

    return write
