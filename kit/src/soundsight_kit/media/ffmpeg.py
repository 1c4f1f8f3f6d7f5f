"""ffmpeg, the one bundled with imageio-ffmpeg; the only module that touches ffmpeg-python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from soundsight_kit.media.processes import Completed


def ffmpeg_binary() -> str:
    """Path of the ffmpeg program: SOUNDSIGHT_FFMPEG when set, else the bundled one."""
    raise NotImplementedError


async def run_ffmpeg(
    job: Any | Sequence[str],
    *,
    timeout_s: float,
    memory_bytes: int | None = None,
    cpu_s: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Completed:
    """Runs ffmpeg on an ffmpeg-python output stream or a list of arguments.

    `progress` receives the output position in seconds. Raises ResourceExhausted when the disk is
    full, DeadlineExceeded on timeout, Internal otherwise, with ffmpeg's last words.
    """
    raise NotImplementedError
