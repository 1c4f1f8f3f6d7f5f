"""The child that tries to take the user's own sound into the video as it is.

The stream is copied into an MP4 whose edit list hides encoder delay and padding. Then the copy is
decoded and compared with the canonical song, sample by sample: only a copy that plays the same
sound at the same time is used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from soundsight_kit.media.children import Progress, Refused, answer
from soundsight_kit.media.paths import file_url
from soundsight_kit.media.pcm import mix, to_float
from soundsight_kit.media.songfile import SongFile

Floats = NDArray[np.float64]

_CONTAINERS = "mp3,mov,mp4,m4a,aac"
_CODECS = {"aac": "aac", "mp3": "mp3", "mp3float": "mp3", "alac": "alac"}
_AAC_PROFILES = frozenset({"LC", "HE-AAC", "HE-AACv2"})
_PROBE_PACKETS = 64
_BLOCK = 1 << 16
_AGREE_S = Fraction(1, 1000)
# The canonical song has 16 bits: rounding moves a sample by half a step.
_AGREE_LEVEL = 1.5 / 32768


def copy_sound(request: dict[str, Any], _folder: Path, _progress: Progress) -> dict[str, Any]:
    """Copies the sound of `original` to `destination`; refuses when that is not the same sound."""
    original, destination = Path(request["original"]), Path(request["destination"])
    length_s = Fraction(request["samples"], request["sample_rate_hz"])
    try:
        codec, rate_hz = _remux(original, destination, length_s)
        _compare(destination, Path(request["canonical"]), request["samples"])
    except (av.error.FFmpegError, ValueError) as error:
        raise Refused("NOT_COPYABLE", f"it cannot be read packet by packet: {error}") from error
    return {"codec": codec, "sample_rate_hz": rate_hz}


def _remux(original: Path, destination: Path, length_s: Fraction) -> tuple[str, int]:
    options = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
    with av.open(file_url(original), options=options, metadata_errors="replace") as source:
        stream = source.streams.audio[0]
        codec = _checked_codec(stream)
        rate_hz = stream.codec_context.sample_rate
        begin_s = _first_sound_s(source, stream)
    with (
        av.open(file_url(original), options=options, metadata_errors="replace") as source,
        av.open(
            file_url(destination),
            "w",
            format="mp4",
            container_options={"fflags": "+bitexact", "movie_timescale": str(rate_hz)},
        ) as copy,
    ):
        stream = source.streams.audio[0]
        track = copy.add_stream_from_template(stream)
        track.time_base = Fraction(1, rate_hz)
        end = round(length_s * rate_hz)
        for packet in source.demux(stream):
            if packet.size == 0 or packet.pts is None or packet.time_base is None:
                continue
            at = round((packet.pts * packet.time_base - begin_s) * rate_hz)
            duration = round((packet.duration or 0) * packet.time_base * rate_hz)
            if at >= end:
                break
            packet.stream = track
            packet.time_base = track.time_base
            packet.pts = packet.dts = at
            # A short last packet says where the song ends within it.
            packet.duration = min(duration, end - at)
            copy.mux(packet)
    return codec, rate_hz


def _checked_codec(stream: AudioStream) -> str:
    codec = _CODECS.get(stream.codec_context.name)
    if codec is None:
        raise Refused(
            "NOT_COPYABLE", f"{stream.codec_context.name} does not play everywhere in MP4"
        )
    if codec == "aac" and stream.profile not in _AAC_PROFILES:
        raise Refused("NOT_COPYABLE", f"AAC {stream.profile} does not play everywhere")
    return codec


def _first_sound_s(source: av.container.InputContainer, stream: AudioStream) -> Fraction:
    """The time of the first sample that is heard: behind the encoder's delay."""
    for packet in islice(source.demux(stream), _PROBE_PACKETS):
        for frame in packet.decode():
            if frame.pts is not None and frame.time_base is not None:
                return frame.pts * frame.time_base
    raise Refused("NOT_COPYABLE", "its start cannot be found")


def _compare(copy: Path, canonical: Path, samples: int) -> None:
    """Raises Refused unless both decode to the same sound of the same length."""
    limits = {"max_channels": 2, "max_rate_hz": 192_000}
    ours, reference = SongFile(copy, **limits), SongFile(canonical, **limits)
    try:
        if (ours.rate_hz, ours.channels) != (reference.rate_hz, reference.channels):
            raise Refused("NOT_COPYABLE", "its rate or channels differ from the song's")
        ours_samples = _agreed(_blocks(ours), _blocks(reference))
        if abs(ours_samples - samples) > _AGREE_S * reference.rate_hz:
            raise Refused("NOT_COPYABLE", "its length differs from the song's")
    finally:
        ours.close()
        reference.close()


def _agreed(ours: Iterator[Floats], reference: Iterator[Floats]) -> int:
    """Compares as far as both go; returns the length of ours."""
    length = 0
    for block in ours:
        length += len(block)
        expected = next(reference, None)
        if expected is None:
            continue
        common = min(len(block), len(expected))
        if common and np.abs(block[:common] - expected[:common]).max() > _AGREE_LEVEL:
            raise Refused("NOT_COPYABLE", "its samples differ from the song's")
    return length


def _blocks(song: SongFile) -> Iterator[Floats]:
    """A song's samples in blocks of equal length, the last one shorter."""
    waiting: list[Floats] = []
    count = 0
    for decoded in song.blocks():
        waiting.append(to_float(mix(decoded.block, decoded.channel_names, song.channels)))
        count += len(decoded.block)
        if count >= _BLOCK:
            joined = np.concatenate(waiting)
            for start in range(0, count - _BLOCK + 1, _BLOCK):
                yield joined[start : start + _BLOCK]
            waiting = [joined[count - count % _BLOCK :]]
            count %= _BLOCK
    if count:
        yield np.concatenate(waiting)


if __name__ == "__main__":
    sys.exit(answer(copy_sound))
