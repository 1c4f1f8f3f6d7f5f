"""Songs: any supported file in, canonical FLAC or samples out, decoded once in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What a decode may cost. Songs are untrusted; every bound is enforced in the child."""

    max_duration_s: float = 2 * 3600.0
    max_input_bytes: int = 2 << 30
    max_channels: int = 16
    max_rate_hz: int = 768_000
    max_artwork_bytes: int = 8 << 20
    timeout_s: float = 900.0
    cpu_s: int = 900
    memory_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class SongTags:
    """What the file says about itself; empty where it says nothing."""

    title: str = ""
    artist: str = ""
    album: str = ""
    date: str = ""
    genre: str = ""
    language: str = ""
    lyrics: str = ""
    other: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artwork:
    """A cover picture as found in the file (untrusted bytes)."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class CanonicalSong:
    """What a decode found and wrote.

    `samples` counts per channel, at `sample_rate_hz`, as written to the FLAC. `source_samples`
    is the whole song's count at the same rate (more than `samples` for an excerpt).
    `encoded_copy_ok` says that the source's own stream is worth offering to the composer for
    copying: whole song, a codec that MP4 players know, nothing broken. The composer still checks.
    """

    samples: int
    sample_rate_hz: int
    channels: int
    bits: int
    duration_s: float
    source_samples: int
    source_codec: str
    source_container: str
    source_sample_rate_hz: int
    source_channels: int
    tags: SongTags
    artwork: Artwork | None
    bad_packets: int
    encoded_copy_ok: bool


async def canonicalise(
    source: Path,
    destination: Path,
    *,
    limits: DecodeLimits | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
) -> CanonicalSong:
    """Decodes a song once to canonical FLAC.

    The FLAC has the source's rate up to 48 kHz (a higher one is resampled to 48 kHz), one or two
    channels (more are mixed down), 16 bit, or 24 bit for a lossless source with more than 16.
    Packets that cannot be decoded are skipped and counted. With `start_s` / `end_s` only samples
    round(start_s * rate) up to round(end_s * rate) are written.

    Raises InvalidArgument for a file that is no song or beyond the limits, with the next step.
    """
    raise NotImplementedError


async def read_mono(
    path: Path, rate_hz: int, limits: DecodeLimits | None = None
) -> NDArray[np.float32]:
    """Decodes a song to mono at `rate_hz`: float32 of shape (n,), finite, within [-1, 1].

    Raises InvalidArgument as `canonicalise` does.
    """
    raise NotImplementedError
