"""ffmpeg, the one bundled with imageio-ffmpeg; the only module that touches ffmpeg-python.

Commands are argument lists built by code. Every input is restricted to local files and pipes, so
that no file can make ffmpeg open a network address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from soundsight_kit.errors import DeadlineExceeded, DiskFull, Internal, SoundsightError
from soundsight_kit.media.paths import file_url
from soundsight_kit.media.processes import Completed, ProcessTimeout, run_limited

BINARY_VARIABLE = "SOUNDSIGHT_FFMPEG"
PROTOCOLS = "file,pipe"
_GLOBAL_ARGS = ("-hide_banner", "-nostdin", "-y", "-loglevel", "warning", "-nostats")
_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_POSITION = re.compile(r"out_time_us=(\d+)")


@cache
def _bundled_binary() -> str:
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def ffmpeg_binary() -> str:
    """Path of the ffmpeg program: SOUNDSIGHT_FFMPEG when set, else the bundled one."""
    return os.environ.get(BINARY_VARIABLE) or _bundled_binary()


def file_input(path: Path, **options: Any) -> Any:
    """An ffmpeg-python input stream on a local file."""
    import ffmpeg

    return ffmpeg.input(file_url(path), protocol_whitelist=PROTOCOLS, **options)


def raw_video_output(
    destination: Path,
    *,
    pixel_format: str,
    width: int,
    height: int,
    rate: Fraction,
    timescale: int,
    options: Mapping[str, str | int],
) -> Any:
    """An ffmpeg-python job: raw pictures on stdin to an MP4 without sound.

    The same pictures and options give the same bytes: nothing of the time or the program's
    version is written. Pictures are marked as BT.709 before they reach the encoder; unmarked
    ones would be taken for BT.601 and converted.
    """
    import ffmpeg

    pictures = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pixel_format=pixel_format,
        video_size=(width, height),
        framerate=f"{rate.numerator}/{rate.denominator}",
        protocol_whitelist=PROTOCOLS,
    )
    if pixel_format == "rgb24":
        pictures = pictures.filter(
            "scale",
            out_color_matrix="bt709",
            out_range="tv",
            flags="bicubic+accurate_rnd+full_chroma_int+bitexact",
        ).filter("format", "yuv420p")
    marked = pictures.filter(
        "setparams", colorspace="bt709", color_primaries="bt709", color_trc="bt709", range="tv"
    )
    return marked.output(
        file_url(destination),
        **options,
        format="mp4",
        fps_mode="passthrough",
        video_track_timescale=timescale,
        map_metadata=-1,
        movflags="+faststart",
        fflags="+bitexact",
        **{"flags:v": "+bitexact"},
    )


def command(job: Any | Sequence[str], *, progress: bool = False) -> list[str]:
    """The whole argument list for an ffmpeg-python output stream, or for plain arguments."""
    if isinstance(job, Sequence) and not isinstance(job, str):
        args = [str(argument) for argument in job]
    else:
        import ffmpeg

        args = [str(argument) for argument in ffmpeg.get_args(job)]
    reports = ["-progress", "pipe:1"] if progress else []
    return [ffmpeg_binary(), *_GLOBAL_ARGS, *reports, *args]


def failure(task: str, returncode: int, stderr_tail: str) -> SoundsightError:
    """The error that ffmpeg's end means."""
    if _DISK_FULL.search(stderr_tail):
        return DiskFull(f"{task}: the disk is full; free space and try again")
    last = " | ".join(stderr_tail.splitlines()[-4:])
    return Internal(f"{task}: ffmpeg ended with {returncode}: {last}")


async def run_ffmpeg(
    job: Any | Sequence[str],
    *,
    timeout_s: float,
    task: str = "ffmpeg",
    memory_bytes: int | None = None,
    cpu_s: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Completed:
    """Runs ffmpeg on an ffmpeg-python output stream or a list of arguments.

    `progress` receives the output position in seconds. `task` begins error messages. Raises
    DiskFull when the disk is full, DeadlineExceeded on timeout, and Internal otherwise,
    with ffmpeg's last words.
    """

    def on_line(line: str) -> None:
        position = _POSITION.match(line)
        if position and progress is not None:
            progress(int(position[1]) / 1e6)

    try:
        done = await run_limited(
            command(job, progress=progress is not None),
            timeout_s=timeout_s,
            memory_bytes=memory_bytes,
            cpu_s=cpu_s,
            stdout_line=on_line if progress is not None else None,
        )
    except ProcessTimeout as error:
        raise DeadlineExceeded(f"{task}: {error}") from None
    if done.returncode != 0:
        raise failure(task, done.returncode, done.stderr_tail)
    return done
