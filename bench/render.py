"""Where the time of a render goes, beside a bare x264 encode of the same frames.

Renders a song on a suite of its own in an empty state folder, then encodes the finished video once
more with the render's own x264 settings and nothing else. Prints seconds per stage, as a share of
the song's length and of that bare encode, and the most memory that each process held.

    make bench SONG=song.ogg
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from soundsight.common.v1.common_pb2 import EncoderSettings
from soundsight.render.v1.resources_pb2 import Render, RenderState
from soundsight_cli.state import StateFolder
from soundsight_client import Client
from soundsight_kit.media.ffmpeg import ffmpeg_binary

SAMPLE_EVERY_S = 0.5
CLI = (sys.executable, "-m", "soundsight_cli")


class PeakMemory(threading.Thread):
    """Samples the resident memory of a process and all below it, by program."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._ended = threading.Event()
        self.peak_bytes: dict[str, int] = defaultdict(int)

    def run(self) -> None:
        """Samples until `stop`."""
        while not self._ended.wait(SAMPLE_EVERY_S):
            for process in self._processes():
                try:
                    name, resident = _program(process), process.memory_info().rss
                except psutil.Error:
                    continue
                self.peak_bytes[name] = max(self.peak_bytes[name], resident)

    def stop(self) -> None:
        """Ends the sampling."""
        self._ended.set()
        self.join()

    def _processes(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []


def _program(process: psutil.Process) -> str:
    """The module or program that a process runs."""
    words = process.cmdline()
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    return Path(words[0]).name if words else process.name()


@contextmanager
def served(state: Path) -> Iterator[PeakMemory]:
    """A suite on a state folder of its own, and the memory of its processes."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*CLI, "--state-dir", str(state), "serve"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as suite:
        memory = PeakMemory(suite.pid)
        try:
            assert suite.stdout is not None
            suite.stdout.readline()  # "serving on ..."
            memory.start()
            yield memory
        finally:
            memory.stop()
            suite.terminate()


async def latest_render(state: Path) -> Render:
    """The one render of a suite."""
    record = StateFolder(state).read_record()
    assert record is not None
    async with Client(record.gateway, project="projects/default") as client:
        names = [render.name async for render in client.list_renders()]
        return await client.get_render(names[0])


def bare_encode_s(video: Path, encoder: EncoderSettings) -> float:
    """Seconds that x264 takes for a video's frames with these settings; decoding is included."""
    began = time.monotonic()
    subprocess.run(
        [
            ffmpeg_binary(), "-nostdin", "-loglevel", "error", "-i", str(video), "-an",
            "-c:v", "libx264", "-preset", encoder.preset, "-crf", str(encoder.crf),
            "-threads", str(encoder.threads), "-f", "null", "-",
        ],
        check=True,
    )  # fmt: skip
    return time.monotonic() - began


def main() -> None:
    """Renders, encodes, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("song", type=Path)
    parser.add_argument("--keep", type=Path, metavar="VIDEO", help="keep the video here")
    words, options = parser.parse_known_args()  # what else is given goes to `soundsight render`
    with tempfile.TemporaryDirectory(prefix="soundsight-bench-") as folder:
        state, video = Path(folder) / "state", words.keep or Path(folder) / "video.mp4"
        with served(state) as memory:
            began = time.monotonic()
            subprocess.run(
                [*CLI, "--state-dir", str(state), "render", str(words.song), "-o", str(video),
                 *options],
                check=True,
            )  # fmt: skip
            whole_s = time.monotonic() - began
            render = asyncio.run(latest_render(state))
        report(render, whole_s, bare_encode_s(video, render.video.encoder), memory.peak_bytes)


def report(render: Render, whole_s: float, bare_s: float, peak_bytes: dict[str, int]) -> None:
    """Prints the tables."""
    outputs = render.outputs
    song_s, frames = outputs.duration_s, outputs.frames
    inner = render.video.internal_resolution
    print(
        f"\n{song_s:.0f} s of song, {frames} frames of {outputs.resolution.width}x"
        f"{outputs.resolution.height} painted at {inner.width}x{inner.height}, "
        f"{os.cpu_count()} cores"
    )
    rows = [
        (
            RenderState.Name(timing.state).removeprefix("RENDER_STATE_").lower(),
            timing.end_time.ToNanoseconds() / 1e9 - timing.start_time.ToNanoseconds() / 1e9,
        )
        for timing in render.timings
    ]
    rows += [("file to video", whole_s), ("bare x264", bare_s)]
    print(f"{'stage':<16}{'seconds':>9}{'x song':>9}{'x bare x264':>13}{'frames/s':>10}")
    for name, seconds in rows:
        speed = f"{frames / seconds:>10.1f}" if seconds > 0.5 else ""
        print(f"{name:<16}{seconds:>9.1f}{seconds / song_s:>9.2f}{seconds / bare_s:>13.2f}{speed}")
    print(f"\n{'process':<44}{'most memory':>12}")
    for name, resident in sorted(peak_bytes.items(), key=lambda item: -item[1]):
        print(f"{name:<44}{resident / 2**20:>8.0f} MiB")


if __name__ == "__main__":
    main()
