"""Child processes with limits."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from soundsight_kit.errors import DeadlineExceeded, Internal, ResourceExhausted
from soundsight_kit.media.ffmpeg import file_input, run_ffmpeg
from soundsight_kit.media.processes import ProcessTimeout, run_limited

SOON_S = 120.0
"""For what ends within moments by itself."""

# Starts a child of its own, tells both process ids, then waits for it.
FAMILY = ["/bin/sh", "-c", "sleep 3600 & echo $$ $!; wait"]


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pids: list[int]) -> None:
    """Waits until none of the processes runs; the test's own time limit bounds it."""
    while any(alive(pid) for pid in pids):
        await asyncio.sleep(0.01)


async def test_lines_arrive_as_they_are_written() -> None:
    """stdout goes to its callback line by line, stderr to its own and into the tail."""
    out: list[str] = []
    err: list[str] = []
    script = "import sys; print('a'); print('b'); print('no', file=sys.stderr); sys.exit(3)"
    done = await run_limited(
        [sys.executable, "-c", script],
        timeout_s=SOON_S,
        stdout_line=out.append,
        stderr_line=err.append,
    )
    assert (out, err, done.returncode, done.stderr_tail) == (["a", "b"], ["no"], 3, "no")


async def test_arguments_are_never_parsed_by_a_shell() -> None:
    """Limits are set by a shell, and still no argument means anything to it."""
    hostile = "$(touch /tmp/x); `id` ' \" && exit"
    out: list[str] = []
    await run_limited(
        [sys.executable, "-c", "import sys; print(sys.argv[1])", hostile],
        timeout_s=SOON_S,
        memory_bytes=4 << 30,
        cpu_s=60,
        stdout_line=out.append,
    )
    assert out == [hostile]


async def test_cancelling_kills_the_whole_group() -> None:
    """Neither the process nor what it started outlives a cancelled call."""
    pids: list[int] = []
    started = asyncio.Event()

    def note(line: str) -> None:
        pids.extend(map(int, line.split()))
        started.set()

    task = asyncio.create_task(run_limited(FAMILY, timeout_s=SOON_S, stdout_line=note))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(pids) == 2
    await gone(pids)


async def test_a_timeout_kills_the_whole_group() -> None:
    """A process that runs too long is killed with what it started."""
    pids: list[int] = []
    with pytest.raises(ProcessTimeout):
        await run_limited(
            FAMILY,
            timeout_s=3,
            stdout_line=lambda line: pids.extend(map(int, line.split())),
        )
    assert len(pids) == 2
    await gone(pids)


async def test_a_failing_callback_kills_the_process_and_is_raised() -> None:
    """What a callback raises reaches the caller as it is."""

    def fail(line: str) -> None:
        raise KeyError(line)

    with pytest.raises(KeyError):
        await run_limited(FAMILY, timeout_s=SOON_S, stdout_line=fail)


async def test_memory_is_bounded() -> None:
    """Memory beyond the limit is refused to the process."""
    done = await run_limited(
        [sys.executable, "-c", "bytearray(1 << 30)"], timeout_s=SOON_S, memory_bytes=400 << 20
    )
    assert done.returncode != 0
    assert "MemoryError" in done.stderr_tail


async def test_cpu_time_is_bounded() -> None:
    """A process that computes for too long is ended by a signal."""
    done = await run_limited([sys.executable, "-c", "while True: pass"], timeout_s=SOON_S, cpu_s=1)
    assert done.returncode < 0


async def test_a_full_disk_is_told_as_that(tmp_path: Path) -> None:
    """ffmpeg without room to write gives an error that says so; waiting would not help."""
    full = tmp_path / "full.wav"
    full.symlink_to("/dev/full")
    arguments = ["-f", "lavfi", "-i", "sine=duration=20", "-f", "wav", str(full)]
    with pytest.raises(ResourceExhausted) as error:
        await run_ffmpeg(arguments, timeout_s=SOON_S, task="the sound")
    assert error.value.reason == "DISK_FULL"
    assert error.value.retry_after_s is None


async def test_ffmpeg_failures_carry_its_last_words(tmp_path: Path) -> None:
    """A failed run names the task and what ffmpeg said."""
    with pytest.raises(Internal) as error:
        await run_ffmpeg(["-i", str(tmp_path / "none.wav"), "-f", "null", "-"], timeout_s=SOON_S)
    assert "No such file" in error.value.message


async def test_ffmpeg_reports_its_position(tmp_path: Path) -> None:
    """Progress is told in seconds of output and reaches the end."""
    seen: list[float] = []
    arguments = ["-f", "lavfi", "-i", "sine=duration=2", str(tmp_path / "tone.flac")]
    await run_ffmpeg(arguments, timeout_s=SOON_S, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(2.0, abs=0.1)


async def test_ffmpeg_has_a_deadline(tmp_path: Path) -> None:
    """ffmpeg beyond its time is killed, and the error says which task it was."""
    endless = ["-re", "-f", "lavfi", "-i", "sine", "-f", "null", "-"]
    with pytest.raises(DeadlineExceeded, match="the sound"):
        await run_ffmpeg(endless, timeout_s=0.5, task="the sound")


async def test_ffmpeg_opens_no_network_address(tmp_path: Path) -> None:
    """A playlist that names an address makes ffmpeg refuse, not connect."""
    asked: list[object] = []

    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer.get_extra_info("peername"))
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    playlist = tmp_path / "list.m3u8"
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:9", "#EXTINF:9,", f"http://127.0.0.1:{port}/x.ts")
    playlist.write_text("\n".join((*lines, "#EXT-X-ENDLIST", "")))
    async with listener:
        with pytest.raises(Internal):
            job = file_input(playlist).output(str(tmp_path / "out.wav"))
            await run_ffmpeg(job, timeout_s=SOON_S)
    assert asked == []
    assert [path.name for path in tmp_path.iterdir()] == ["list.m3u8"]
