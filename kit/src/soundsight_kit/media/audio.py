"""Songs: any supported file in, canonical FLAC or samples out, decoded in a child process.

Songs are untrusted. The child has limits of time, memory, duration and shape, no network and no
secrets in its environment; a song that breaks it breaks nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.errors import Internal, InvalidArgument
from soundsight_kit.media.children import (
    ChildFailed,
    ChildLimits,
    ChildStopped,
    Refused,
    ask_child,
)

_CHILD_MODULE = "soundsight_kit.media._decode"


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one decode may cost. Every bound is enforced in or around the child."""

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

    @property
    def suffix(self) -> str:
        """The ending of a file with it, such as `.jpg`."""
        return {"image/jpeg": ".jpg"}.get(self.media_type, "." + self.media_type.split("/")[-1])


@dataclass(frozen=True, slots=True)
class CanonicalSong:
    """What a decode found and wrote.

    `samples` counts per channel, at `sample_rate_hz`, as written to the FLAC. `bad_packets` counts
    what could not be decoded and was left out. `encoded_copy_ok` says that the source's own stream
    is worth offering to the composer for copying: the whole song, in a codec that MP4 players
    know, nothing broken. The composer still checks.
    """

    samples: int
    sample_rate_hz: int
    channels: int
    bits: int
    duration_s: float
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
    Parts that cannot be decoded are left out and counted. The song's named tags go with it, its
    lyrics only when it is whole. With `start_s` / `end_s` only samples
    round(start_s * rate) up to round(end_s * rate) are written; an end behind the song's is the
    song's. The destination appears only when it is whole.

    Raises InvalidArgument, with the next step and a reason that starts with SONG_, for a file that
    is no song or beyond the limits; DiskFull when there is no room for it.
    """
    start_s, end_s = _checked_excerpt(start_s, end_s)
    part = destination.with_name(destination.name + ".part")
    try:
        with _scratch() as folder:
            answer = await _decode_in_child(
                folder,
                source,
                part,
                limits or DecodeLimits(),
                {"mono": False, "rate_hz": 0, "start_s": start_s, "end_s": end_s},
            )
            kind = answer["artwork_type"]
            artwork = Artwork((folder / "artwork").read_bytes(), kind) if kind else None
        part.replace(destination)
    finally:
        part.unlink(missing_ok=True)
    names = (
        "samples",
        "sample_rate_hz",
        "channels",
        "bits",
        "source_codec",
        "source_container",
        "source_sample_rate_hz",
        "source_channels",
        "bad_packets",
        "encoded_copy_ok",
    )
    return CanonicalSong(
        **{name: answer[name] for name in names},
        duration_s=answer["samples"] / answer["sample_rate_hz"],
        tags=SongTags(**answer["tags"]),
        artwork=artwork,
    )


async def read_mono(
    path: Path, rate_hz: int, limits: DecodeLimits | None = None
) -> NDArray[np.float32]:
    """Decodes a song to mono at `rate_hz`: float32 of shape (n,), finite, within [-1, 1].

    An hour at 44.1 kHz takes 0.6 GiB here and a constant few MiB in the child. Raises as
    `canonicalise` does.
    """
    if rate_hz < 1:
        raise InvalidArgument("the sample rate must be positive", field="rate_hz")
    with _scratch() as folder:
        samples = folder / "mono.f32"
        await _decode_in_child(
            folder,
            path,
            samples,
            limits or DecodeLimits(),
            {"mono": True, "rate_hz": rate_hz, "start_s": None, "end_s": None},
        )
        return await asyncio.to_thread(np.fromfile, samples, dtype="<f4")


def _checked_excerpt(
    start_s: float | None, end_s: float | None
) -> tuple[float | None, float | None]:
    """Bounds of an excerpt with a start of 0 taken as none; raises InvalidArgument."""
    for name, value in (("start_s", start_s), ("end_s", end_s)):
        if value is not None and not 0 <= value < float("inf"):
            raise InvalidArgument(f"{name} must be zero or more seconds", field=name)
    if end_s is not None and end_s <= (start_s or 0.0):
        raise InvalidArgument("the excerpt must end behind its start", field="end_s")
    return start_s or None, end_s


def _check_file(source: Path, limits: DecodeLimits) -> None:
    """Refuses what is plainly wrong without starting a child."""
    if not source.is_file():
        raise InvalidArgument(f"there is no file {source.name}", reason="SONG_MISSING")
    if source.stat().st_size > limits.max_input_bytes:
        raise InvalidArgument(
            f"the file is larger than {limits.max_input_bytes >> 20} MiB; upload a smaller one",
            reason="SONG_TOO_LARGE",
        )


async def _decode_in_child(
    folder: Path, source: Path, destination: Path, limits: DecodeLimits, how: Mapping[str, Any]
) -> dict[str, Any]:
    """Runs one decode; returns the child's answer."""
    _check_file(source, limits)
    request = {
        **how,
        **asdict(limits),
        "source": str(source),
        "destination": str(destination),
    }
    bounds = ChildLimits(limits.timeout_s, limits.cpu_s, limits.memory_bytes)
    try:
        return await ask_child(_CHILD_MODULE, request, folder=folder, limits=bounds)
    except Refused as refused:
        raise InvalidArgument(str(refused), reason=refused.reason) from None
    except ChildStopped as stopped:
        raise InvalidArgument(
            f"the song could not be decoded: {stopped}; upload a shorter one or another format",
            reason="SONG_TOO_COSTLY",
        ) from None
    except ChildFailed as failed:
        raise Internal(f"the decoder failed: {failed}") from None


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of our own that is gone afterwards, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="soundsight-decode-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
