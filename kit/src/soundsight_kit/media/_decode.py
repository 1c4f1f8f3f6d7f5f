"""The decoding child: one untrusted song in, one file of samples out. `audio` starts it.

See `children` for how the two talk. A cover picture is left in the folder as `artwork`.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Protocol

import av
import numpy as np

from soundsight_kit.media.children import Progress, Refused, answer
from soundsight_kit.media.paths import file_url
from soundsight_kit.media.pcm import Block, Excerpt, RateChanger, mix, quantise, to_float
from soundsight_kit.media.songfile import SongFile, named_tags

_TOP_RATE_HZ = 48_000
_BEYOND_ANY_SONG_S = 1e9
"""What is later counts as this: products with a rate stay numbers."""
_FLAC_BLOCK = 4_608
_FLAC_LEVEL = "5"
_KEPT_TAGS = ("title", "artist", "album", "date", "genre", "language", "lyrics")


class Sink(Protocol):
    """Takes blocks of the final shape."""

    def put(self, block: Block) -> None:
        """Writes one block."""

    def close(self) -> None:
        """Writes the rest and closes the file."""


class FlacSink:
    """Writes blocks as FLAC of 16 or 24 bit, with the song's tags as Vorbis comments and its cover
    picture."""

    def __init__(
        self,
        path: Path,
        rate_hz: int,
        channels: int,
        bits: int,
        tags: Mapping[str, str],
        cover: bytes | None,
    ) -> None:
        self._bits = bits
        self._rate_hz = rate_hz
        self._layout = "mono" if channels == 1 else "stereo"
        self._format = "s16" if bits == 16 else "s32"
        self._container = av.open(
            file_url(path), "w", format="flac", container_options={"fflags": "+bitexact"}
        )
        self._container.metadata.update(tags)
        self._stream = self._container.add_stream(
            "flac",
            rate=rate_hz,
            options={"compression_level": _FLAC_LEVEL, "flags": "+bitexact"},
        )
        self._stream.codec_context.layout = self._layout
        self._stream.codec_context.format = self._format
        if cover is not None:
            self._attach(cover)
        self._waiting: list[Block] = []
        self._waiting_samples = 0
        self._position = 0

    def put(self, block: Block) -> None:
        """Encodes what fills whole FLAC blocks; keeps the rest."""
        self._waiting.append(quantise(block, self._bits))
        self._waiting_samples += len(block)
        if self._waiting_samples < _FLAC_BLOCK:
            return
        samples = np.concatenate(self._waiting)
        whole = len(samples) - len(samples) % _FLAC_BLOCK
        for start in range(0, whole, _FLAC_BLOCK):
            self._encode(samples[start : start + _FLAC_BLOCK])
        self._waiting = [samples[whole:]]
        self._waiting_samples = len(samples) - whole

    def close(self) -> None:
        """Encodes the rest and finishes the header."""
        if self._waiting_samples:
            self._encode(np.concatenate(self._waiting))
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _attach(self, cover: bytes) -> None:
        """Puts a picture before the sound; one whose size cannot be read is left out."""
        with contextlib.suppress(av.FFmpegError), av.open(io.BytesIO(cover), "r") as picture:
            source = picture.streams.video[0]
            packet = next(iter(picture.demux(source)))
            if source.width and source.height:
                stream = self._container.add_stream_from_template(source)
                stream.disposition = av.stream.Disposition.attached_pic
                packet.stream = stream
                self._container.mux(packet)

    def _encode(self, samples: Block) -> None:
        packed = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format=self._format, layout=self._layout)
        frame.sample_rate = self._rate_hz
        frame.time_base = Fraction(1, self._rate_hz)
        frame.pts = self._position
        self._position += len(samples)
        self._container.mux(self._stream.encode(frame))


class MonoSink:
    """Writes blocks as raw float32."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb")

    def put(self, block: Block) -> None:
        """Writes one block."""
        # Resampling overshoots a little: clip again after it.
        np.clip(to_float(block), -1.0, 1.0).astype("<f4").tofile(self._file)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def decode(request: dict[str, Any], folder: Path, _progress: Progress) -> dict[str, Any]:
    """Decodes one song as `request` says; returns what `audio` makes its result of."""
    source = Path(request["source"])
    if source.stat().st_size == 0:
        raise Refused("SONG_EMPTY", "the file is empty; upload it again")
    song = SongFile(
        source, max_channels=request["max_channels"], max_rate_hz=request["max_rate_hz"]
    )
    with contextlib.closing(song):
        if request["mono"]:
            rate_hz, channels, bits = request["rate_hz"], 1, 32
        else:
            rate_hz = min(song.rate_hz, _TOP_RATE_HZ)
            channels, bits = min(song.channels, 2), song.bits
        excerpt = Excerpt(*_excerpt_samples(request, rate_hz))
        tags = named_tags(song.tags())
        artwork = None if request["mono"] else song.artwork(request["max_artwork_bytes"])
        sink: Sink
        destination = Path(request["destination"])
        if request["mono"]:
            sink = MonoSink(destination)
        else:
            kept = _kept_tags(tags, request)
            sink = FlacSink(
                destination, rate_hz, channels, bits, kept, artwork[0] if artwork else None
            )
        for block in _blocks(song, rate_hz, channels):
            inside = excerpt.take(block)
            _check_length(excerpt.passed / rate_hz, request["max_duration_s"])
            if len(inside):
                sink.put(inside)
            if excerpt.full:
                break
        _check_worth(song, excerpt, request)
        sink.close()
        if artwork is not None:
            (folder / "artwork").write_bytes(artwork[0])
        return {
            "samples": excerpt.passed,
            "sample_rate_hz": rate_hz,
            "channels": channels,
            "bits": bits,
            "source_codec": song.codec,
            "source_container": song.container,
            "source_sample_rate_hz": song.rate_hz,
            "source_channels": song.channels,
            "bad_packets": song.bad_packets,
            "encoded_copy_ok": song.copyable and not _is_excerpt(request),
            "tags": tags,
            "artwork_type": artwork[1] if artwork else None,
        }


def _blocks(song: SongFile, rate_hz: int, channels: int) -> Iterator[Block]:
    """The song's samples in the final rate and channels."""
    changer = RateChanger(rate_hz, channels)
    for decoded in song.blocks():
        mixed = mix(decoded.block, decoded.channel_names, channels)
        yield from changer.feed(mixed, decoded.rate_hz)
    yield from changer.finish()


def _kept_tags(tags: dict[str, Any], request: dict[str, Any]) -> dict[str, str]:
    """The tags that go into the FLAC; the lyrics of a whole song are not those of an excerpt."""
    kept = {name: tags[name] for name in _KEPT_TAGS if tags[name]}
    if _is_excerpt(request):
        kept.pop("lyrics", None)
    return kept


def _is_excerpt(request: dict[str, Any]) -> bool:
    return request["start_s"] is not None or request["end_s"] is not None


def _excerpt_samples(request: dict[str, Any], rate_hz: int) -> tuple[int, int | None]:
    start_s, end_s = request["start_s"], request["end_s"]
    return (
        0 if start_s is None else round(min(start_s, _BEYOND_ANY_SONG_S) * rate_hz),
        None if end_s is None else round(min(end_s, _BEYOND_ANY_SONG_S) * rate_hz),
    )


def _check_length(seconds: float, most_s: float) -> None:
    """Counts what is taken, not what is passed over: a part of a long song is a short one."""
    if seconds > most_s:
        raise Refused(
            "SONG_TOO_LONG",
            f"the song is longer than {most_s / 60:g} minutes; choose an excerpt or a shorter song",
        )


def _check_worth(song: SongFile, excerpt: Excerpt, request: dict[str, Any]) -> None:
    if song.bad_packets > song.good_packets:
        raise Refused(
            "SONG_DAMAGED",
            f"{song.bad_packets} of {song.bad_packets + song.good_packets} parts of the file "
            "cannot be decoded; it is damaged or no sound file: upload a good copy",
        )
    if excerpt.passed == 0:
        if _is_excerpt(request) and song.good_packets:
            length_s = excerpt.position / (request["rate_hz"] or min(song.rate_hz, _TOP_RATE_HZ))
            raise Refused(
                "SONG_EXCERPT_EMPTY",
                f"the excerpt starts at {request['start_s'] or 0:g} s, but the song ends at "
                f"{length_s:g} s; choose an earlier start",
            )
        raise Refused("SONG_NO_SAMPLES", "the file holds no sound at all; upload another one")


if __name__ == "__main__":
    sys.exit(answer(decode))
