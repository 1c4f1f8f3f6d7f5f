"""The child that joins packets of clips and sound into one MP4, without decoding any."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from soundsight_composer.cutting import display_order
from soundsight_kit.media.bitstream import (
    NAL_SLICE_IDR,
    nal_length_size,
    nal_types,
    only_video_stream,
    open_clip,
    signature_of,
)
from soundsight_kit.media.children import Progress, Refused, answer
from soundsight_kit.media.paths import file_url

_REPORT_EVERY = 240
# An access unit delimiter that announces a picture of I slices only (ITU-T H.264, 7.3.2.4).
_DELIMITER = bytes((0x09, 0x10))

Timed = tuple[Fraction, int, "av.Packet[Any]"]


def assemble(request: dict[str, Any], _folder: Path, progress: Progress) -> dict[str, Any]:
    """Writes the video; returns how many frames went into it."""
    rate = Fraction(request["rate"])
    timescale = int(request["timescale"])
    first_path = Path(request["pieces"][0]["path"])
    with (
        av.open(
            file_url(Path(request["destination"])),
            "w",
            format="mp4",
            container_options={
                "movflags": "+faststart",
                "fflags": "+bitexact",
                "video_track_timescale": str(timescale),
                # Lengths in edit lists are counted in this: exact for the sound's samples.
                "movie_timescale": str(request["sound_rate_hz"]),
            },
        ) as video,
        open_clip(first_path) as first,
        av.open(file_url(Path(request["sound"])), options={"protocol_whitelist": "file"}) as sound,
    ):
        video.metadata.update(request["metadata"])
        pattern = only_video_stream(first, "the first clip")
        picture_track = video.add_stream_from_template(pattern)
        picture_track.time_base = Fraction(1, timescale)
        sound_track = video.add_stream_from_template(sound.streams.audio[0])
        sound_track.time_base = Fraction(1, request["sound_rate_hz"])
        joined = Joined(request["pieces"], signature_of(pattern).digest, rate, timescale)
        tracks = heapq.merge(
            joined.packets(picture_track),
            _sound_packets(sound, sound_track, request["sound_samples"]),
            key=lambda t: t[:2],
        )
        _write(video, tracks, request["frames"], progress)
    return {"frames": joined.frames}


def _write(
    video: OutputContainer, packets: Iterator[Timed], frames: int, progress: Progress
) -> None:
    written = 0
    for _, track, packet in packets:
        written += track == 0
        if track == 0 and written % _REPORT_EVERY == 0:
            progress(written, frames)
        video.mux(packet)
    progress(frames, frames)


class Joined:
    """The packets of all pieces, timed anew: frame n of the video is shown at n / rate.

    Decoding times count packets; they start so far before zero that no picture is shown before it
    is decoded, in any piece.
    """

    def __init__(
        self, pieces: list[dict[str, Any]], digest: str, rate: Fraction, timescale: int
    ) -> None:
        self._pieces = pieces
        self._digest = digest
        self._rate = rate
        self._ticks = int(timescale / rate)
        self._shown = {piece["path"]: _shown_frames(Path(piece["path"])) for piece in pieces}
        self._delay = max(
            packet - frame for order in self._shown.values() for packet, frame in enumerate(order)
        )
        self.frames = 0

    def packets(self, track: VideoStream) -> Iterator[Timed]:
        """All packets in decoding order with the time they are due."""
        idr_before = False
        clock = Fraction(1, self._ticks) / self._rate
        for piece in self._pieces:
            start_frame = self.frames
            for shown, packet, idr, length_size in self._of_piece(piece):
                if idr and idr_before and self.frames == start_frame:
                    packet = _delimited(packet, length_size)
                idr_before = idr
                packet.stream = track
                packet.time_base = clock
                packet.pts = (start_frame + shown) * self._ticks
                packet.dts = (self.frames - self._delay) * self._ticks
                packet.duration = self._ticks
                yield (self.frames - self._delay) / self._rate, 0, packet
                self.frames += 1

    def _of_piece(
        self, piece: dict[str, Any]
    ) -> Iterator[tuple[int, av.Packet[VideoStream], bool, int]]:
        """The piece's packets with the frame each shows, counted from the piece's start."""
        first, end = piece["first"], piece["end"]
        frames = self._shown[piece["path"]]
        with open_clip(Path(piece["path"])) as container:
            stream = only_video_stream(container, "a clip")
            if signature_of(stream).digest != self._digest:
                raise Refused("SIGNATURES_DIFFER", "a piece has another format than the first")
            length_size = nal_length_size(bytes(stream.codec_context.extradata or b""))
            packets = (packet for packet in container.demux(stream) if packet.size)
            for position, packet in enumerate(packets):
                if position >= end:
                    return
                if position >= first:
                    idr = NAL_SLICE_IDR in nal_types(bytes(packet), length_size)
                    yield frames[position] - first, packet, idr, length_size


def _shown_frames(path: Path) -> list[int]:
    """The frame that each packet of a clip shows, in decoding order."""
    with open_clip(path) as container:
        stream = only_video_stream(container, "a clip")
        return display_order([p.pts or 0 for p in container.demux(stream) if p.size])


def _delimited(packet: av.Packet[VideoStream], length_size: int) -> av.Packet[VideoStream]:
    """An IDR picture with a delimiter before it.

    Two IDR pictures in a row from different clips may carry the same idr_pic_id, by which some
    decoders would take the second for a part of the first.
    """
    header = len(_DELIMITER).to_bytes(length_size, "big") + _DELIMITER
    delimited = av.Packet(header + bytes(packet))
    delimited.is_keyframe = True
    return cast("av.Packet[VideoStream]", delimited)


def _sound_packets(
    sound: av.container.InputContainer, track: AudioStream, samples: int
) -> Iterator[Timed]:
    """The sound's packets with the time they are due; priming has negative times and stays."""
    source = sound.streams.audio[0]
    assert source.time_base is not None
    assert track.time_base is not None
    to_samples = source.time_base / track.time_base
    for packet in sound.demux(source):
        if packet.size == 0 or packet.pts is None:
            continue
        at = round(packet.pts * to_samples)
        if at >= samples:
            return
        packet.stream = track
        packet.time_base = track.time_base
        packet.pts = packet.dts = at
        # A short last packet says where the song ends within it. The reader gives the codec's
        # full packet instead of what its file says.
        packet.duration = min(round((packet.duration or 0) * to_samples), samples - at)
        yield at * track.time_base, 1, packet


if __name__ == "__main__":
    sys.exit(answer(assemble))
