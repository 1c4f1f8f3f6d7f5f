"""The child that reads clips' headers and packets: what they are and where they can be cut."""

from __future__ import annotations

import contextlib
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.video.stream import VideoStream

from soundsight_composer.cutting import cut_points, display_order
from soundsight_kit.errors import DataLoss
from soundsight_kit.media.bitstream import (
    NAL_PPS,
    NAL_SLICE_IDR,
    NAL_SPS,
    nal_length_size,
    nal_types,
    only_video_stream,
    open_clip,
    signature_of,
)
from soundsight_kit.media.children import Progress, Refused, answer
from soundsight_kit.media.songfile import SongFile

_BT709 = 1
_LIMITED = 1


def inspect(request: dict[str, Any], _folder: Path, progress: Progress) -> dict[str, Any]:
    """Facts about each clip of `paths`; refuses, naming it, a clip that cannot be read.

    Refuses a song whose header does not say what the request says.
    """
    _check_song(Path(request["song"]), request["samples"], request["sample_rate_hz"])
    rate = Fraction(request["rate"])
    facts = []
    for index, path in enumerate(request["paths"]):
        try:
            facts.append(_facts(Path(path), rate))
        except (av.error.FFmpegError, DataLoss) as error:
            raise Refused("CLIP_UNREADABLE", str(error), clip=index) from error
        progress(index + 1, len(request["paths"]))
    return {"clips": facts}


def _check_song(path: Path, samples: int, rate_hz: int) -> None:
    try:
        with contextlib.closing(SongFile(path, max_channels=2, max_rate_hz=48_000)) as song:
            found_hz, stream = song.rate_hz, song.stream
            length_s = (stream.duration or 0) * (stream.time_base or Fraction(0))
            found = round(length_s * found_hz)
    except Refused as refused:
        raise Refused("SONG_MISMATCH", f"cannot be read: {refused}") from refused
    if (found, found_hz) != (samples, rate_hz):
        raise Refused(
            "SONG_MISMATCH",
            f"has {found} samples at {found_hz} Hz, not {samples} at {rate_hz} Hz",
        )


def _facts(path: Path, rate: Fraction) -> dict[str, Any]:
    with open_clip(path) as container:
        stream = only_video_stream(container, "the clip")
        context = stream.codec_context
        signature = signature_of(stream)
        length_size = nal_length_size(bytes(context.extradata or b""))
        times: list[int] = []
        idr: list[bool] = []
        foreign = length_size == 0
        trimmed = False
        first_picture = None
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None or packet.is_corrupt:
                raise DataLoss("the clip has packets without time or content")
            types = set(nal_types(bytes(packet), length_size)) if length_size else set()
            times.append(packet.pts)
            idr.append(NAL_SLICE_IDR in types)
            # Parameter sets among the pictures would change the stream behind the signature.
            foreign = foreign or NAL_SPS in types or NAL_PPS in types
            trimmed = trimmed or packet.is_discard
            if first_picture is None:
                first_picture = next(iter(packet.decode()), None)
        if first_picture is None:
            first_picture = next(iter(context.decode(None)), None)
        if not times or first_picture is None:
            raise DataLoss("the clip has no picture that can be decoded")
        if foreign or trimmed or len(set(times)) != len(times):
            starts, ends = [], []
        else:
            points = cut_points(display_order(times), idr)
            starts, ends = list(points.starts), list(points.ends)
        return {
            "frames": len(times),
            "digest": signature.digest,
            "width": signature.width,
            "height": signature.height,
            "mezzanine": signature.codec == "h264"
            and signature.pixel_format == "yuv420p"
            and int(context.colorspace) == _BT709
            and int(context.color_range) == _LIMITED,
            "on_time": _on_time(stream, times, rate),
            "trimmed": trimmed,
            "starts": starts,
            "ends": ends,
        }


def _on_time(stream: VideoStream, times: list[int], rate: Fraction) -> bool:
    """Whether the frames keep the rate: the last within half a frame of its time."""
    if len(times) < 2 or stream.time_base is None:
        return True
    span = (max(times) - min(times)) * stream.time_base
    return abs(span * rate - (len(times) - 1)) <= Fraction(1, 2)


if __name__ == "__main__":
    sys.exit(answer(inspect))
