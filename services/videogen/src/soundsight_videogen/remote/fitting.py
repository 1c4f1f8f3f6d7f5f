"""Makes a clip of what a remote server sent: exact frames, the asked size, the house's encoding.

The file is untrusted: it is decoded in a child process with limits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import structlog
from google.protobuf import json_format

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import DataLoss, Internal
from soundsight_kit.media.children import (
    ChildFailed,
    ChildLimits,
    ChildStopped,
    Progress,
    Refused,
    answer,
    ask_child,
)
from soundsight_videogen.backend import total_frames
from soundsight_videogen.remote.faults import WRONG_VIDEO
from soundsight_videogen.remote.timing import source_frame

log = structlog.get_logger()

LAST_FRAME_NAME = "last.png"
_LIMITS = ChildLimits(timeout_s=1800.0, cpu_s=3600, memory_bytes=4 << 30)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Frames that the server had made, and what a user should know."""

    native_frames: int
    notes: tuple[str, ...]


async def fit_clip(
    raw: Path, request: GenerateClipRequest, destination: Path, told_rate: Fraction
) -> Fitted:
    """Turns a remote file into the clip that `request` asks for.

    Raises DataLoss (REMOTE_WRONG_VIDEO) for what is no video or has too few frames.
    """
    work = {
        "raw": str(raw),
        "to": str(destination),
        "rate": str(told_rate),
        "request": json_format.MessageToDict(request),
    }
    try:
        told = await ask_child(
            "soundsight_videogen.remote.fitting", work, folder=raw.parent, limits=_LIMITS
        )
    except Refused as refused:
        raise DataLoss(str(refused), reason=WRONG_VIDEO) from None
    except ChildStopped as stopped:
        raise DataLoss(
            f"the remote server's video cannot be decoded: {stopped}", reason=WRONG_VIDEO
        ) from None
    except ChildFailed as failed:
        log.error("remote video not fitted", stderr=str(failed))
        raise Internal("the remote server's video could not be fitted; the log has more") from None
    return Fitted(told["native_frames"], tuple(told["notes"]))


def fit(work: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """The child's work: decodes, picks frames, scales, encodes, one picture at a time."""
    import av

    request = json_format.ParseDict(work["request"], GenerateClipRequest())
    total, rate = total_frames(request), _rate(request)
    try:
        with av.open(work["raw"]) as container:
            if not container.streams.video:
                raise Refused("no_video", "the remote server sent a file without a picture")
            stream = container.streams.video[0]
            native = Fraction(stream.average_rate or Fraction(work["rate"]))
            shown = _write(container.decode(stream), native, request, Path(work["to"]))
    except av.error.FFmpegError as error:
        raise Refused("no_video", f"the remote server sent no video ({error.strerror})") from None
    notes = [f"{shown} remote frames became {total}"]
    if native != rate:
        notes.append(f"retimed from {float(native):g} to {float(rate):g} frames per second")
    return {"native_frames": shown, "notes": notes}


def _write(
    frames: Iterable[Any], native: Fraction, request: GenerateClipRequest, destination: Path
) -> int:
    """Writes the clip from decoded frames; returns how many of them it took."""
    import cv2

    from soundsight_kit.media.mezzanine import H264Writer

    total, rate = total_frames(request), _rate(request)
    width, height = request.resolution.width, request.resolution.height
    written, taken = 0, 0
    with H264Writer(
        destination,
        settings=request.encoder,
        width=width,
        height=height,
        rate=rate,
        frames=total,
        keyframes=(request.handle_in_frames, request.handle_in_frames + request.shot_frames),
        pixel_format="rgb24",
        own_group=False,
    ) as writer:
        for number, frame in enumerate(frames):
            if written == total:
                break
            taken = number + 1
            if source_frame(written, rate, native) > number:
                continue  # the remote server films more frames a second than are shown
            picture = fitted_picture(frame.to_ndarray(format="rgb24"), (width, height))
            while written < total and source_frame(written, rate, native) <= number:
                writer.write(picture)
                written += 1
        if written < total:
            raise Refused(
                "too_few_frames",
                f"the remote server made {taken} frames, which last for {written} of {total}; "
                "check the REMOTE_ settings of its frame rate and grid",
            )
    if request.store_last_frame:
        cv2.imwrite(str(destination.parent / LAST_FRAME_NAME), picture[..., ::-1])
    return taken


def _rate(request: GenerateClipRequest) -> Fraction:
    return Fraction(request.frame_rate.num, request.frame_rate.den)


def fitted_picture(picture: Any, size: tuple[int, int]) -> Any:
    """The middle of a picture in the shape of `size`, scaled to it. RGB, (height, width, 3)."""
    import cv2

    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    scale = max(size[0] / width, size[1] / height)
    wide, high = max(1, round(size[0] / scale)), max(1, round(size[1] / scale))
    left, top = max(0, (width - wide) // 2), max(0, (height - high) // 2)
    cut = picture[top : top + high, left : left + wide]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(cut, size, interpolation=method)


if __name__ == "__main__":
    sys.exit(answer(fit))
