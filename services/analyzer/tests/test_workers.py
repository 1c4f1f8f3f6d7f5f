"""Listening processes: what one of them does to itself stays its own affair."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeResponse
from soundsight_analyzer.frames import Request
from soundsight_analyzer.listening import Feature, Options
from soundsight_analyzer.song import SongFile
from soundsight_analyzer.workers import Workers
from soundsight_kit.errors import DeadlineExceeded, Internal
from soundsight_kit.testing import assert_eventually

RATE_HZ = 44_100
QUICK = Options(features=frozenset({Feature.HARMONY}))
SLOW = Options(features=frozenset({Feature.TAGS}))


def listeners() -> list[psutil.Process]:
    """The listening processes that this one started; a suite of other tests has its own."""
    found = []
    for child in psutil.Process().children():
        try:
            if "soundsight_analyzer.worker" in child.cmdline():
                found.append(child)
        except psutil.Error:
            continue
    return found


async def the_listener() -> psutil.Process:
    """The one listening process, as soon as it has become one."""
    await assert_eventually(lambda: len(listeners()) == 1, message="not one listening process")
    return listeners()[0]


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> SongFile:
    """Half a minute of a chord."""
    path = tmp_path_factory.mktemp("song") / "chord.flac"
    times = np.arange(30 * RATE_HZ) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * times) for hz in (220.0, 277.2, 329.6))
    soundfile.write(path, 0.2 * np.asarray(chord), RATE_HZ)
    return SongFile(path, len(times), RATE_HZ, 1)


@asynccontextmanager
async def hired(timeout_s: float = 300.0) -> AsyncIterator[Workers]:
    """Workers that leave nothing behind."""
    workers = Workers(memory_bytes=8 << 30, timeout_s=timeout_s)
    try:
        yield workers
    finally:
        await workers.close()
        await assert_eventually(lambda: not listeners(), message="a process is left behind")


async def heard(workers: Workers, request: Request) -> AnalyzeResponse:
    events: list[AnalyzeResponse] = []
    await workers.listen(request, events.append)
    return events[-1]


async def test_a_process_serves_song_after_song(song: SongFile) -> None:
    """A process is kept for the next song, and one started ahead is used."""
    async with hired() as workers:
        await workers.warm()
        first = await the_listener()
        for _ in range(2):
            answer = await heard(workers, Request(song, QUICK))
            assert answer.analysis.harmony.keys[0].tonic == "A"
        assert [process.pid for process in listeners()] == [first.pid]


async def test_a_crash_is_told_and_survived(song: SongFile) -> None:
    """When the process dies under a song, its caller is told how; the next song is heard."""
    async with hired() as workers:

        def kill(event: AnalyzeResponse) -> None:
            if event.progress.stage == "decode":
                for process in listeners():
                    os.kill(process.pid, signal.SIGSEGV)

        with pytest.raises(Internal, match="SIGSEGV") as caught:
            await workers.listen(Request(song, SLOW), kill)
        assert caught.value.reason == "WORKER_DIED"
        assert (await heard(workers, Request(song, QUICK))).HasField("analysis")


async def test_a_process_that_died_idle_is_replaced(song: SongFile) -> None:
    """A process that was killed between songs costs no song."""
    async with hired() as workers:
        await heard(workers, Request(song, QUICK))
        idle = await the_listener()
        idle.kill()
        await assert_eventually(lambda: idle not in listeners())
        assert (await heard(workers, Request(song, QUICK))).HasField("analysis")


async def test_an_unreadable_song_breaks_only_itself(song: SongFile, tmp_path: Path) -> None:
    """An error inside the process is told as such; the next song is heard."""
    missing = SongFile(tmp_path / "nothing.flac", 10, RATE_HZ, 1)
    async with hired() as workers:
        with pytest.raises(Internal):
            await heard(workers, Request(missing, QUICK))
        assert (await heard(workers, Request(song, QUICK))).HasField("analysis")


async def test_cancelling_kills_the_process(song: SongFile) -> None:
    """Work that nobody waits for ends with its process."""
    async with hired() as workers:
        started = asyncio.Event()

        def notice(event: AnalyzeResponse) -> None:
            started.set()

        task = asyncio.create_task(workers.listen(Request(song, SLOW), notice))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_eventually(lambda: not listeners())


async def test_a_process_without_a_server_ends() -> None:
    """When the server is gone, and its end of the pipe with it, the process ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "soundsight_analyzer.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 120.0) == 0


async def test_a_song_that_takes_too_long_is_given_up(song: SongFile) -> None:
    """Beyond the time limit the process is killed and the caller told."""
    async with hired(timeout_s=0.2) as workers:
        with pytest.raises(DeadlineExceeded) as caught:
            await heard(workers, Request(song, SLOW))
        assert caught.value.reason == "SONG_TOO_COSTLY"
        await assert_eventually(lambda: not listeners())
