"""H.264 in MP4, as far as cutting and joining without decoding needs it (ISO/IEC 14496-10, -15).

An MP4 sample holds NAL units, each behind its length. Joined streams share one set of parameter
sets (the `avcC` record), so those must be equal, and none may hide inside the samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from av.video.stream import VideoStream

from soundsight_kit.errors import DataLoss
from soundsight_kit.media.paths import file_url

NAL_SLICE_IDR = 5
NAL_SPS = 7
NAL_PPS = 8
_AVCC_VERSION = 1
_OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4"}


@dataclass(frozen=True, slots=True)
class StreamSignature:
    """What must be equal for two H.264 streams to join by stream copy.

    `digest` covers all of it: the parameter sets carry profile, level, reference frames and
    colour tags.
    """

    codec: str
    width: int
    height: int
    pixel_format: str
    digest: str


def open_clip(path: Path) -> av.container.InputContainer:
    """Opens a clip for reading; only as MP4, only from a local file.

    Raises DataLoss when it is not an MP4 that can be opened.
    """
    try:
        return av.open(file_url(path), options=dict(_OPEN_OPTIONS))
    except (av.error.FFmpegError, ValueError) as error:
        raise DataLoss(f"{path.name} cannot be read as MP4: {error}") from error


def only_video_stream(container: av.container.InputContainer, name: str) -> VideoStream:
    """The one video stream of a clip; raises DataLoss when there is none."""
    if not container.streams.video:
        raise DataLoss(f"{name} has no video stream")
    return container.streams.video[0]


def signature_of(stream: VideoStream) -> StreamSignature:
    """The signature of an open video stream."""
    context = stream.codec_context
    record = bytes(context.extradata or b"")
    facts = (
        context.name,
        context.width,
        context.height,
        str(context.pix_fmt),
        int(context.color_primaries),
        int(context.color_trc),
        int(context.colorspace),
        int(context.color_range),
        str(context.sample_aspect_ratio or 1),
    )
    digest = hashlib.sha256(repr(facts).encode() + record).hexdigest()
    return StreamSignature(
        str(context.name), context.width, context.height, str(context.pix_fmt), digest
    )


def stream_signature(path: Path) -> StreamSignature:
    """The signature of a clip's video stream. Raises DataLoss for a file that is no clip."""
    with open_clip(path) as container:
        return signature_of(only_video_stream(container, path.name))


def nal_length_size(extradata: bytes) -> int:
    """Bytes of the length before each NAL unit, from the `avcC` record; 0 if it is not one."""
    if len(extradata) < 7 or extradata[0] != _AVCC_VERSION:
        return 0
    return (extradata[4] & 3) + 1


def nal_types(sample: bytes, length_size: int) -> Iterator[int]:
    """The types of the NAL units in an MP4 sample; stops at the first that does not fit."""
    position = 0
    while position + length_size < len(sample):
        size = int.from_bytes(sample[position : position + length_size], "big")
        position += length_size
        if size == 0 or position + size > len(sample):
            return
        yield sample[position] & 0x1F
        position += size
