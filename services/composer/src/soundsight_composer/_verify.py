"""The child that looks at the finished file as a player would, and takes the poster from it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from soundsight_composer.lag import UNLIKE, Window, lag_samples, windows
from soundsight_kit.media.bitstream import only_video_stream, open_clip
from soundsight_kit.media.children import Progress, Refused, answer
from soundsight_kit.media.pcm import RateChanger, mix, to_float
from soundsight_kit.media.pictures import encode_jpeg, frame_to_i420, i420_to_rgb
from soundsight_kit.media.songfile import SongFile

_CANDIDATES = 9
_DARK = 40.0
_POSTER_QUALITY = 88
# Padding that a codec's last packet may add beyond the edit list, and resampling's rounding.
_SOUND_SLACK_S = Fraction(1, 1000)


def verify(request: dict[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Checks the file of `request`; returns what was measured and leaves `poster.jpg`.

    Refuses, saying what is wrong, a file that is not exactly what was asked for.
    """
    path = Path(request["video"])
    rate = Fraction(request["rate"])
    frames = request["frames"]
    _require(_index_first(path), "the index does not stand in front of the media")
    try:
        with open_clip(path) as container:
            stream = only_video_stream(container, "the video")
            times, keys = _check_picture(container, stream, rate, frames)
            progress(1, 3)
            wanted = request["poster_frame"]
            poster = _poster(container, stream, times, keys, wanted)
            _last_picture(container, stream, times)
            offset_s = _start_s(container.streams.audio[0]) - _start_s(stream)
        progress(2, 3)
        measured = _check_sound(path, Path(request["canonical"]), request, offset_s, rate)
    except av.error.FFmpegError as error:
        raise Refused("VERIFY_FAILED", f"the file cannot be decoded: {error}") from error
    (folder / "poster.jpg").write_bytes(poster)
    progress(3, 3)
    return {"frames": len(times), "duration_s": float(frames / rate), **measured}


def _check_picture(
    container: InputContainer, stream: VideoStream, rate: Fraction, frames: int
) -> tuple[list[int], list[int]]:
    """Returns the presentation times, in order, and those of keyframes."""
    assert stream.time_base is not None
    times: list[int] = []
    keys: list[int] = []
    hidden = 0
    for packet in container.demux(stream):
        if packet.size and packet.pts is not None:
            times.append(packet.pts)
            hidden += packet.is_discard
            if packet.is_keyframe:
                keys.append(packet.pts)
    times.sort()
    _require(len(times) == frames, f"it has {len(times)} frames, not {frames}")
    exact = [n / rate / stream.time_base for n in range(frames)]
    _require(times == exact, "its frames do not lie at exact multiples of the frame time")
    _require(stream.average_rate == rate, f"its frame rate is {stream.average_rate}, not {rate}")
    _require(not hidden, f"its edit list hides {hidden} frames")
    return times, keys


def _last_picture(container: InputContainer, stream: VideoStream, times: list[int]) -> None:
    shown = _picture_at(container, stream, times[-1])
    _require(shown is not None, "its last picture cannot be decoded")


def _poster(
    container: InputContainer,
    stream: VideoStream,
    times: list[int],
    keys: list[int],
    wanted: int | None,
) -> bytes:
    """The poster as JPEG: the frame asked for, or the liveliest of a few keyframes."""
    _require(_picture_at(container, stream, times[0]) is not None, "its first picture is broken")
    if wanted is not None:
        candidates = [times[wanted]]
    else:
        middle = [t for t in keys if times[-1] * 0.08 <= t <= times[-1] * 0.92] or keys
        candidates = middle[:: max(1, len(middle) // _CANDIDATES)][:_CANDIDATES]
    pictures = [_picture_at(container, stream, time) for time in candidates]
    decoded = [picture for picture in pictures if picture is not None]
    _require(bool(decoded), "the poster's frame cannot be decoded")
    best = max(decoded, key=liveliness)
    return encode_jpeg(
        i420_to_rgb(frame_to_i420(best), best.width, best.height), quality=_POSTER_QUALITY
    )


def liveliness(picture: av.VideoFrame) -> float:
    """How much a picture shows: contrast and colour, less when it is dark."""
    i420 = frame_to_i420(picture).astype(np.float32)
    luma, chroma = i420[: picture.height], i420[picture.height :]
    colour = float(np.abs(chroma - 128.0).mean())
    return (float(luma.std()) + 2.0 * colour) * min(1.0, float(luma.mean()) / _DARK)


def _picture_at(container: InputContainer, stream: VideoStream, time: int) -> av.VideoFrame | None:
    """The picture shown at exactly this time."""
    container.seek(time, stream=stream, backward=True)
    for frame in container.decode(stream):
        if frame.pts == time:
            return frame
        if frame.pts is not None and frame.pts > time:
            return None
    return None


def _check_sound(
    path: Path, canonical: Path, request: dict[str, Any], offset_s: Fraction, rate: Fraction
) -> dict[str, Any]:
    """Compares the file's sound with the song, at its start, middle and end."""
    ours = SongFile(path, max_channels=2, max_rate_hz=192_000)
    song = SongFile(canonical, max_channels=2, max_rate_hz=192_000)
    rate_hz = ours.rate_hz
    expected_s = Fraction(request["samples"], request["sample_rate_hz"])
    parts = windows(round(expected_s * rate_hz))
    length = _collect(_mono(ours, rate_hz), [part.ours for part in parts])
    _collect(_mono(song, rate_hz), [part.song for part in parts])
    ours.close()
    song.close()
    late_s = Fraction(length, rate_hz) - expected_s
    _require(abs(late_s) <= _SOUND_SLACK_S, f"its sound is {float(late_s):.4f} s longer")
    lags = [lag for part in parts if (lag := lag_samples(part)) is not None]
    _require(UNLIKE not in lags, "its sound is not the song")
    offsets = [offset_s + Fraction(lag, rate_hz) for lag in lags] or [offset_s]
    worst = max(offsets, key=abs)
    _require(abs(worst) < 1 / rate, f"its sound is {float(worst):.4f} s beside the picture")
    return {
        "audio_codec": ours.codec,
        "audio_offset_s": float(offsets[0]),
        "audio_offsets_s": [float(offset) for offset in offsets],
        "audio_duration_s": length / rate_hz,
    }


def _mono(song: SongFile, rate_hz: int) -> Iterator[NDArray[np.float64]]:
    changer = RateChanger(rate_hz, 1)
    for decoded in song.blocks():
        single = to_float(mix(decoded.block, decoded.channel_names, 1))
        yield from changer.feed(single, decoded.rate_hz)
    yield from changer.finish()


def _collect(blocks: Iterator[NDArray[np.float64]], parts: list[Window]) -> int:
    """Fills each window with the samples it covers; returns how many samples there are."""
    position = 0
    for block in blocks:
        for part in parts:
            part.fill(position, block[:, 0])
        position += len(block)
    return position


def _start_s(stream: VideoStream | av.AudioStream) -> Fraction:
    if stream.start_time is None or stream.time_base is None:
        raise Refused("VERIFY_FAILED", f"the start of the {stream.type} is not known")
    return stream.start_time * stream.time_base


def _index_first(path: Path) -> bool:
    """Whether `moov` comes before `mdat`, so that playing can begin while loading."""
    with path.open("rb") as file:
        while header := file.read(8):
            size, kind = int.from_bytes(header[:4], "big"), header[4:]
            if kind in (b"moov", b"mdat"):
                return kind == b"moov"
            file.seek(size - 8, 1)
    return False


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Refused("VERIFY_FAILED", otherwise)


if __name__ == "__main__":
    sys.exit(answer(verify))
