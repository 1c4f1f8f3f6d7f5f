"""Taking a song in: fetched, decoded once, kept as canonical FLAC beside the original."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from soundsight.common.v1.common_pb2 import ArtifactRef, FrameRate
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import keys
from soundsight_kit.artifacts import ArtifactStore, project_key
from soundsight_kit.errors import InvalidArgument, NotFound
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_kit.media.audio import CanonicalSong, DecodeLimits, canonicalise
from soundsight_kit.timeline import video_frames

MAX_SONG_RECORD_BYTES = 1 << 20
MAX_TAG_CHARS = 300


@dataclass(frozen=True, slots=True)
class Taken:
    """A song that was taken in.

    `copy_ok` says that the sound of the file itself may be offered to the composer.
    """

    song: r.CanonicalSong
    copy_ok: bool
    notes: tuple[str, ...]


class Ingest:
    """Takes songs in.

    Args:
        artifacts: where songs lie and canonical ones go.
        scratch: a folder for temporary files.
        limits: what a decode may cost.
        max_frames: most frames of a video.
    """

    def __init__(
        self, artifacts: ArtifactStore, scratch: Path, limits: DecodeLimits, max_frames: int
    ) -> None:
        self._artifacts = artifacts
        self._scratch = scratch
        self._limits = limits
        self._max_frames = max_frames
        self._fingerprint = source_fingerprint("soundsight_kit.media")

    async def take(
        self, project: str, file: ArtifactRef, excerpt: r.Excerpt | None, rate: FrameRate
    ) -> Taken:
        """Returns the canonical song of a file, decoded now or earlier, and counts its frames.

        Raises InvalidArgument for a file that is no song or beyond the limits, NotFound and
        DataLoss for one that is not there or not what it was.
        """
        whole = await self._artifacts.head(self._artifacts.key_of(file.uri))
        if whole is None:
            raise NotFound("artifact", file.uri)
        key = project_key(project, "songs", keys.song_key(whole.sha256, excerpt, self._fingerprint))
        taken = await self._find(key)
        if taken is None:
            taken = await self._decode(whole, excerpt, key)
        song = taken.song
        song.frames = video_frames(song.samples, song.sample_rate_hz, rate)
        if song.frames > self._max_frames:
            raise InvalidArgument(
                f"the video would have {song.frames} frames; at most {self._max_frames} are "
                "allowed here: take an excerpt or a lower frame rate",
                reason="TOO_MANY_FRAMES",
            )
        return taken

    async def _decode(self, file: ArtifactRef, excerpt: r.Excerpt | None, key: str) -> Taken:
        with self._folder() as folder:
            source, flac = folder / "song", folder / "song.flac"
            await self._artifacts.get_file(file, source)
            try:
                found = await canonicalise(
                    source,
                    flac,
                    limits=self._limits,
                    start_s=excerpt.start_s if excerpt is not None else None,
                    end_s=excerpt.end_s or None if excerpt is not None else None,
                )
            except InvalidArgument as error:
                if error.reason != "SONG_EXCERPT_EMPTY":
                    raise
                # Of all that a song can be refused for, this alone is a field's fault.
                raise InvalidArgument(
                    error.message, field="render.spec.excerpt.start_s", reason=error.reason
                ) from None
            ref = await self._artifacts.put_file(f"{key}/song.flac", flac, "audio/flac")
        document = _document(found, ref)
        # The record comes last: what it names is there.
        await self._artifacts.put_bytes(f"{key}/song.json", json.dumps(document).encode())
        return _taken(document)

    async def _find(self, key: str) -> Taken | None:
        uri = self._artifacts.uri(f"{key}/song.json")
        try:
            document = json.loads(await self._artifacts.get_bytes(uri, MAX_SONG_RECORD_BYTES))
            taken = _taken(document)
        except (NotFound, ValueError, KeyError, json_format.ParseError):
            return None
        there = await self._artifacts.head(f"{key}/song.flac")
        return taken if there is not None else None

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="ingest-", dir=self._scratch))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _document(found: CanonicalSong, flac: ArtifactRef) -> dict[str, Any]:
    song = r.CanonicalSong(
        flac=flac,
        samples=found.samples,
        sample_rate_hz=found.sample_rate_hz,
        channels=found.channels,
        source_codec=found.source_codec,
        title=found.tags.title[:MAX_TAG_CHARS],
        artist=found.tags.artist[:MAX_TAG_CHARS],
    )
    return {
        "song": json_format.MessageToDict(song),
        "copy_ok": found.encoded_copy_ok,
        "bad_packets": found.bad_packets,
    }


def _taken(document: dict[str, Any]) -> Taken:
    song = json_format.ParseDict(document["song"], r.CanonicalSong(), ignore_unknown_fields=True)
    bad = document["bad_packets"]
    notes = (f"the song is damaged: {bad} packets could not be decoded",) if bad else ()
    return Taken(song, bool(document["copy_ok"]), notes)
