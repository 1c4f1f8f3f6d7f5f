"""Reads an untrusted song file with PyAV. Used only inside child processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from soundsight_kit.media.children import Refused
from soundsight_kit.media.paths import file_url

# Containers that hold one song. Playlists and manifests (hls, dash, concat) are left out: they
# make the reader open other files.
_CONTAINERS = "mp3,ogg,flac,wav,w64,aiff,aac,mov,mp4,m4a,matroska,webm"
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
_LOSSLESS = frozenset({"flac", "alac", "wavpack", "tta", "ape", "truehd", "mlp"})
_WIDE_FORMATS = frozenset({"s32", "s32p", "s64", "s64p", "flt", "fltp", "dbl", "dblp"})
_COPYABLE_CODECS = frozenset({"aac", "mp3", "mp3float", "alac"})
_COPYABLE_CONTAINERS = frozenset({"mp3", "mov", "aac"})
_PROTECTED_ENTRIES = (b"drms", b"enca", b"drmi")
_MOOV_SCAN_BYTES = 16 << 20
_MAX_DEMUX_FAULTS = 200
_MAX_TAGS = 64
_MAX_TAG_CHARS = 1_000
_MAX_LYRICS_CHARS = 100_000


@dataclass(frozen=True)
class Decoded:
    """One decoded block: shape (n, channels), its rate, and the names of its channels."""

    block: NDArray[Any]
    rate_hz: int
    channel_names: tuple[str, ...]


class SongFile:
    """An open song: what it is, and its samples in order."""

    def __init__(self, path: Path, *, max_channels: int, max_rate_hz: int) -> None:
        """Raises Refused for what is not a song."""
        self._path = path
        self._max_channels = max_channels
        self._max_rate_hz = max_rate_hz
        self.bad_packets = 0
        self.good_packets = 0
        try:
            self._container = av.open(file_url(path), options=_OPTIONS, metadata_errors="replace")
        except (av.error.FFmpegError, ValueError) as error:
            raise Refused(
                "SONG_NOT_AUDIO",
                "this is not a sound file that can be read; upload mp3, ogg, opus, flac, wav or "
                "m4a",
            ) from error
        self.stream = self._audio_stream()
        context = self.stream.codec_context
        if context is None:
            raise Refused(
                "SONG_UNSUPPORTED", "the sound's codec is not supported; convert it to flac"
            )
        context.thread_count = 1
        self.codec = {"mp3float": "mp3"}.get(context.name, context.name)
        self.container = self._container.format.name.partition(",")[0]
        self.rate_hz = int(context.sample_rate or 0)
        self.channels = int(context.layout.nb_channels or 0)
        self._check_shape(self.rate_hz, self.channels)
        lossless = self.codec in _LOSSLESS or self.codec.startswith("pcm_")
        wide = context.format is not None and context.format.name in _WIDE_FORMATS
        self.bits = 24 if lossless and wide else 16

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    @property
    def copyable(self) -> bool:
        """Whether the stream itself may be worth copying into an MP4."""
        return (
            self.codec in _COPYABLE_CODECS
            and self.container in _COPYABLE_CONTAINERS
            and self.channels <= 2
            and self.bad_packets == 0
        )

    def blocks(self) -> Iterator[Decoded]:
        """The samples in order. What cannot be decoded is left out and counted."""
        held: Decoded | None = None
        seconds = Fraction(0)
        for frame in self._frames():
            if held is not None:
                yield held
            held = self._decoded(frame)
            seconds += Fraction(len(held.block), held.rate_hz)
        if held is not None:
            yield self._without_padding(held, seconds)

    def tags(self) -> dict[str, str]:
        """What the file says about itself: lower-case keys, bounded texts without controls."""
        found: dict[str, str] = {}
        for source in (self._container.metadata, self.stream.metadata):
            for key, value in list(source.items())[:_MAX_TAGS]:
                limit = _MAX_LYRICS_CHARS if "lyrics" in key.lower() else _MAX_TAG_CHARS
                text = "".join(
                    char for char in str(value)[:limit] if char.isprintable() or char in "\n\t"
                )
                found.setdefault(str(key).lower()[:64], text.strip())
        return found

    def artwork(self, max_bytes: int) -> tuple[bytes, str] | None:
        """The first cover picture that is JPEG, PNG or WebP and small enough, with its media type.

        Its first bytes decide what it is, not what the file says. It is not decoded.
        """
        attached = av.stream.Disposition.attached_pic
        with av.open(
            file_url(self._path), options=_OPTIONS, metadata_errors="replace"
        ) as container:
            for stream in container.streams.video:
                if not stream.disposition & attached:
                    continue
                packet = next(iter(container.demux(stream)), None)
                if packet is None or not 0 < packet.size <= max_bytes:
                    continue
                media_type = picture_type(data := bytes(packet))
                if media_type is not None:
                    return data, media_type
        return None

    def _audio_stream(self) -> AudioStream:
        if not self._container.streams.audio:
            raise Refused(
                "SONG_NO_AUDIO", "the file has no sound in it; upload a file with an audio track"
            )
        if is_protected(self._path):
            raise Refused(
                "SONG_PROTECTED",
                "the song is encrypted (DRM); upload a file without copy protection",
            )
        return self._container.streams.audio[0]

    def _check_shape(self, rate_hz: int, channels: int) -> None:
        if rate_hz < 1 or channels < 1:
            raise Refused("SONG_DAMAGED", "the file does not say its sample rate or channels")
        if channels > self._max_channels:
            raise Refused(
                "SONG_TOO_MANY_CHANNELS",
                f"the song has {channels} channels, at most {self._max_channels} are taken; mix "
                "it down first",
            )
        if rate_hz > self._max_rate_hz:
            raise Refused(
                "SONG_RATE_TOO_HIGH",
                f"the song has {rate_hz} samples per second, at most {self._max_rate_hz} are "
                "taken; resample it first",
            )

    def _frames(self) -> Iterator[AudioFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.bad_packets += 1
                continue
            self.good_packets += bool(frames)
            yield from frames

    def _packets(self) -> Iterator[av.Packet[AudioStream]]:
        """Packets, going on behind faults of the container as long as there are few."""
        faults = 0
        while faults < _MAX_DEMUX_FAULTS:
            try:
                yield from self._container.demux(self.stream)
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                faults += 1
                self.bad_packets += 1
            else:
                return

    def _decoded(self, frame: AudioFrame) -> Decoded:
        names = tuple(channel.name for channel in frame.layout.channels)
        channels = frame.layout.nb_channels
        self._check_shape(frame.sample_rate, channels)
        samples = frame.to_ndarray()
        block = samples.T if frame.format.is_planar else samples.reshape(-1, channels)
        return Decoded(block, frame.sample_rate, names)

    def _without_padding(self, last: Decoded, seconds: Fraction) -> Decoded:
        """The last block without the codec's padding.

        MP4 says by its edit list where the sound ends within the last packet, and the decoder
        returns the padding behind it all the same.
        """
        if self.container != "mov" or not self.stream.duration or not self.stream.time_base:
            return last
        excess = round((seconds - self.stream.duration * self.stream.time_base) * last.rate_hz)
        if not 0 < excess < len(last.block):
            return last
        return Decoded(last.block[:-excess], last.rate_hz, last.channel_names)


def is_protected(path: Path) -> bool:
    """Whether an MP4's sample descriptions name an encrypted format (ISO/IEC 14496-12, 8.12)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        position = 0
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            box_bytes, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if box_bytes == 1:
                box_bytes = int.from_bytes(header[8:16], "big")
            elif box_bytes == 0:
                box_bytes = size - position
            if not kind.isalnum() or box_bytes < 8:
                return False
            if kind == b"moov":
                file.seek(position)
                moov = file.read(min(box_bytes, _MOOV_SCAN_BYTES))
                return b"sinf" in moov and any(entry in moov for entry in _PROTECTED_ENTRIES)
            position += box_bytes
    return False


def picture_type(data: bytes) -> str | None:
    """The media type that a picture's first bytes tell; None for what no player shows."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def named_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """Tags under the names of SongTags; what has no field of its own stays in `other`."""
    names = {
        "title": ("title",),
        "artist": ("artist", "album_artist", "albumartist", "performer", "composer"),
        "album": ("album",),
        "date": ("date", "year", "tdrc", "originaldate"),
        "genre": ("genre",),
        "language": ("language", "lang"),
    }
    rest = dict(tags)
    found: dict[str, Any] = {}
    for field, keys in names.items():
        found[field] = next((tags[key] for key in keys if tags.get(key)), "")
        for key in keys[:1]:
            rest.pop(key, None)
    lyrics = [key for key in tags if "lyrics" in key]
    found["lyrics"] = tags[lyrics[0]] if lyrics else ""
    for key in lyrics:
        rest.pop(key)
    if found["language"] == "und":
        found["language"] = ""
    found["other"] = rest
    return found
