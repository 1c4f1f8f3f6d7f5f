"""The audit finds what is wrong with a state folder, whatever it is, and nothing where all is well.

One song is rendered by a gateway with scripted services; each test takes that state folder and does
something to it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from soundsight.render.v1 import resources_pb2 as r
from soundsight.videogen.v1 import videogen_pb2, videogen_pb2_grpc
from soundsight_cli import locks
from soundsight_cli.auditing import audit
from soundsight_cli.findings import Check, Finding
from soundsight_cli.state import StateFolder, SuiteRecord
from soundsight_client import Client
from soundsight_gateway import states
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.names import RenderRef
from soundsight_gateway.store import NewRender, RenderStore
from soundsight_kit.server import ServiceBinding
from soundsight_kit.testing import running_server

NAME = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Made:
    """A state folder with a finished render, and a copy of it."""

    state: StateFolder
    copy: Path
    video: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tone: Path, scripted: Any) -> Made:
    """The finished render; the copy goes back before each test."""
    folder = tmp_path_factory.mktemp("audit")
    state = StateFolder(folder / "state")

    async def render() -> str:
        async with scripted(state) as suite, Client(suite.gateway, project="projects/default") as c:
            found = await c.ensure_render(r.RenderSpec(song=await c.upload(tone)))
            async for _ in c.watch_render(found.name):
                pass
            ended = await c.get_render(found.name)
            assert ended.state == r.RENDER_STATE_SUCCEEDED
            return str(ended.outputs.video.uri)

    video = Path(asyncio.run(render()).removeprefix("file://"))
    shutil.copytree(state.root, folder / "copy")
    return Made(state, folder / "copy", video)


@pytest.fixture
def state(made: Made) -> StateFolder:
    """The state folder as the render left it."""
    shutil.rmtree(made.state.root)
    shutil.copytree(made.copy, made.state.root)
    return made.state


def kind(state: StateFolder, name: str) -> Path:
    """A folder of the object store."""
    return state.artifacts / "projects" / "default" / name


def some(state: StateFolder, pattern: str) -> Path:
    """The first of some stored files."""
    return min(state.artifacts.glob(f"projects/default/{pattern}"))


def record_of(state: StateFolder, file: Path) -> Path:
    """What the store has noted of a file."""
    inside = file.relative_to(state.artifacts)
    return state.artifacts / ".records" / inside.with_name(f"{inside.name}.json")


def write(path: Path, content: bytes = b"x") -> Path:
    """Puts a file somewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def told(findings: list[Finding]) -> list[tuple[Check, str]]:
    """What was found, for comparison."""
    return [(finding.check, finding.what) for finding in findings]


def test_a_finished_render_leaves_nothing_to_find(state: StateFolder) -> None:
    """All is well after a render; and looking changes nothing."""
    before = {path: path.lstat() for path in state.root.rglob("*")}
    assert audit(state) == []
    after = {path: path.lstat() for path in state.root.rglob("*")}
    assert {path: (stat.st_mtime_ns, stat.st_size) for path, stat in before.items()} == {
        path: (stat.st_mtime_ns, stat.st_size) for path, stat in after.items()
    }


def test_a_folder_that_is_not_there_is_well(tmp_path: Path) -> None:
    """Before the first render there is nothing to find, and nothing is made."""
    assert audit(StateFolder(tmp_path / "state")) == []
    assert not list(tmp_path.iterdir())


def clip_gone(state: StateFolder) -> Path:
    clip = some(state, "clips/*/clip.mp4")
    clip.unlink()
    return clip


def video_and_record_gone(state: StateFolder) -> Path:
    video = some(state, "compositions/*/video.mp4")
    video.unlink()
    record_of(state, video).unlink()
    return video


def video_cut(state: StateFolder) -> Path:
    video = some(state, "compositions/*/video.mp4")
    os.truncate(video, 10)
    return video


def song_damaged(state: StateFolder) -> Path:
    """One bit, with size and time as they were."""
    song = some(state, "songs/*/song.flac")
    stat = song.stat()
    content = bytearray(song.read_bytes())
    content[1000] ^= 1
    song.write_bytes(content)
    os.utime(song, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return song


def video_replaced(state: StateFolder) -> Path:
    """Another file, and a record that agrees with it."""
    video = some(state, "compositions/*/video.mp4")
    video.write_bytes(b"")
    noted = json.loads(record_of(state, video).read_text())
    noted |= {
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "size_bytes": 0,
    }
    record_of(state, video).write_text(json.dumps(noted))
    return video


def record_unreadable(state: StateFolder) -> Path:
    record = record_of(state, some(state, "clips/*/clip.mp4"))
    record.write_text("{half")
    return record


def half_a_clip(state: StateFolder) -> Path:
    return write(kind(state, "clips") / NAME / "clip.mp4").parent


def half_a_song(state: StateFolder) -> Path:
    return write(kind(state, "songs") / NAME / "song.flac").parent


def an_upload_of_nobody(state: StateFolder) -> Path:
    return write(kind(state, "uploads") / NAME)


def parts_of_no_upload(state: StateFolder) -> Path:
    return write(kind(state, "upload-parts") / NAME[:40] / "00-x").parent


def a_file_of_others(state: StateFolder) -> Path:
    return write(kind(state, "clips") / "holiday.mp4")


def a_folder_of_others(state: StateFolder) -> Path:
    return write(kind(state, "photos") / NAME)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (clip_gone, "is gone, its record is not"),
        (video_and_record_gone, "which is gone"),
        (video_cut, "is not what was stored"),
        (song_damaged, "is not what was stored"),
        (video_replaced, "is not what was stored"),
        (record_unreadable, "a record cannot be read"),
        (half_a_clip, "belongs to no render and no upload"),
        (half_a_song, "belongs to no render and no upload"),
        (an_upload_of_nobody, "belongs to no render and no upload"),
        (parts_of_no_upload, "belongs to no render and no upload"),
        (a_file_of_others, "is nothing that the suite has put there"),
        (a_folder_of_others, "is nothing that the suite has put there"),
    ],
)
def test_stored_files_are_compared(
    state: StateFolder, fault: Callable[[StateFolder], Path], why: str
) -> None:
    """What is missing, damaged or without use is found, once, by its path."""
    path = fault(state)
    [finding] = audit(state)
    assert (finding.check, finding.path) == (Check.OBJECTS, path)
    assert why in finding.what


def staged(state: StateFolder) -> Path:
    return write(state.artifacts / ".staging" / "0123")


def staged_by_half(state: StateFolder) -> Path:
    return write(state.artifacts / ".staging" / "0123#1")


def record_by_half(state: StateFolder) -> Path:
    video = some(state, "compositions/*/video.mp4")
    return write(record_of(state, video).with_name("poster.jpg.json#1"))


def claimed_but_not_moved(state: StateFolder) -> Path:
    """A writer died after it had claimed its key."""
    clip = some(state, "clips/*/clip.mp4")
    noted = json.loads(record_of(state, clip).read_text())
    bytes_at = state.artifacts / noted["staged"]
    bytes_at.parent.mkdir(exist_ok=True)
    return clip.rename(bytes_at)


def scratch(state: StateFolder) -> Path:
    return write(state.scratch / "videogen" / "half.mp4").parent


def sockets(state: StateFolder) -> Path:
    state.sockets.symlink_to("/nowhere")
    return state.sockets


def record_of_a_suite(state: StateFolder) -> Path:
    state.write_record(SuiteRecord({"gateway": "unix:/none"}, 4321))
    return state.record


def record_of_a_suite_by_half(state: StateFolder) -> Path:
    return write(state.root / "suite.new")


def order_by_half(state: StateFolder) -> Path:
    return write(state.orders / "r1.new")


LEFTOVERS = [
    staged,
    staged_by_half,
    record_by_half,
    claimed_but_not_moved,
    scratch,
    sockets,
    record_of_a_suite,
    record_of_a_suite_by_half,
    order_by_half,
]


@pytest.mark.parametrize("fault", LEFTOVERS)
def test_leftovers_are_found(state: StateFolder, fault: Callable[[StateFolder], Path]) -> None:
    """What killed work leaves is found, once, by its path."""
    path = fault(state)
    [finding] = audit(state)
    assert (finding.check, finding.path) == (Check.LEFTOVERS, path)


def test_what_can_be_used_again_is_no_fault(state: StateFolder) -> None:
    """Whole clips, songs and documents that no render names are found by their key."""
    for name, files in (
        ("clips", ("clip.json", "clip.mp4")),
        ("songs", ("song.json", "song.flac")),
        ("compositions", ("composition.json", "video.mp4")),
    ):
        for file in files:
            write(kind(state, name) / NAME / file)
    write(kind(state, "analyses") / f"{NAME}.json")
    assert audit(state) == []


def test_what_was_cleaned_is_not_missing(state: StateFolder) -> None:
    """`clean` may remove what a finished render made; what is lost after it is missing."""
    video = video_and_record_gone(state)
    state.cleaned.touch()
    assert audit(state) == []
    os.utime(state.cleaned, (1, 1))
    assert [finding.path for finding in audit(state)] == [video]


@pytest.mark.parametrize("content", [b"this is no database" * 500, None])
def test_a_damaged_job_store_is_told_of(state: StateFolder, content: bytes | None) -> None:
    """A file that is no database, and one with a page that is not what it was, in a table that the
    audit has no need to read."""
    if content is None:
        with closing(sqlite3.connect(state.database)) as connection:
            [page] = connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = 'state_changes'"
            ).fetchone()
            [size] = connection.execute("PRAGMA page_size").fetchone()
        whole = bytearray(state.database.read_bytes())
        whole[(page - 1) * size : page * size] = b"\xff" * size
        content = bytes(whole)
    state.database.write_bytes(content)
    [finding] = audit(state)
    assert (finding.check, finding.path) == (Check.JOB_STORE, state.database)


async def begin(
    state: StateFolder,
    *,
    paused: bool = False,
    goal: r.RenderGoal.ValueType = r.RENDER_GOAL_VIDEO,
) -> None:
    """Writes a render down that is being filmed."""
    database = Database(create_engine(f"sqlite:///{state.database}"))
    await database.migrate()
    renders = RenderStore(database, lambda _: None)
    ref = RenderRef("default", "left")
    await renders.create(NewRender(ref, r.RenderSpec(seed=9, goal=goal), NAME, {}))
    await renders.enter(ref, states.FILMING)
    await renders.set_paused(ref, paused)
    database.close()


@pytest.mark.parametrize(
    ("goal", "to_do"),
    [
        (r.RENDER_GOAL_VIDEO, "`soundsight resume left` goes on with it"),
        (r.RENDER_GOAL_UNSPECIFIED, "`soundsight resume left` goes on with it"),
        (r.RENDER_GOAL_ANALYSIS, "the same command goes on with it"),
    ],
)
async def test_a_render_that_was_left_is_told_of(
    state: StateFolder, goal: r.RenderGoal.ValueType, to_do: str
) -> None:
    """Without a suite nothing goes on with it; the command that does is named."""
    await begin(state, goal=goal)
    [finding] = audit(state)
    assert (finding.check, finding.what) == (
        Check.RENDERS,
        "render left was interrupted while filming",
    )
    assert finding.to_do == to_do


class Busy(videogen_pb2_grpc.VideoGenServiceServicer):
    """Videogen as far as the audit asks it."""

    def __init__(self) -> None:
        self.busy: list[int] = []

    async def GetLoad(
        self, request: videogen_pb2.GetLoadRequest, context: Any
    ) -> videogen_pb2.GetLoadResponse:
        busy = self.busy.pop(0) if self.busy else 0
        return videogen_pb2.GetLoadResponse(slots=2, busy=busy)

    def GenerateClip(self, request: videogen_pb2.GenerateClipRequest, context: Any) -> Any:
        raise NotImplementedError

    def CancelClip(self, request: videogen_pb2.CancelClipRequest, context: Any) -> Any:
        raise NotImplementedError


@asynccontextmanager
async def running(state: StateFolder, videogen: Busy) -> AsyncIterator[None]:
    """A suite runs on the folder: its lock is held, its record says where it answers."""
    binding = ServiceBinding(
        "soundsight.videogen.v1.VideoGenService",
        lambda server: videogen_pb2_grpc.add_VideoGenServiceServicer_to_server(videogen, server),
    )
    async with running_server(binding) as target:
        with locks.exclusive(state.lock):
            state.write_record(SuiteRecord({"videogen": target}, os.getpid()))
            yield
    state.forget_record()


async def test_a_running_suite_is_asked(state: StateFolder) -> None:
    """A running suite that rests is well; slots that no render waits for are told of, unless they
    are free when asked again."""
    videogen = Busy()
    async with running(state, videogen):
        assert await asyncio.to_thread(audit, state) == []
        videogen.busy = [1]
        assert await asyncio.to_thread(audit, state) == []
        videogen.busy = [1, 2]
        assert told(await asyncio.to_thread(audit, state)) == [
            (Check.SERVICES, "videogen is busy with clips that no render waits for: 2")
        ]
        state.write_record(SuiteRecord({"videogen": "unix:/nowhere.sock"}, os.getpid()))
        [finding] = await asyncio.to_thread(audit, state)
        assert finding.check == Check.SERVICES
        assert finding.what.startswith("videogen does not answer (")


async def test_work_under_way_is_not_judged(state: StateFolder) -> None:
    """While a render is filmed, half files are its own and busy slots are held; once it is paused
    they are nobody's, and it is told of."""
    staged(state)
    half_a_clip(state)
    await begin(state)
    videogen = Busy()
    async with running(state, videogen):
        videogen.busy = [1, 1]
        assert await asyncio.to_thread(audit, state) == []
    shutil.rmtree(state.root)
    shutil.copytree(state.root.with_name("copy"), state.root)
    staged(state)
    await begin(state, paused=True)
    async with running(state, Busy()):
        found = await asyncio.to_thread(audit, state)
    assert [finding.check for finding in found] == [Check.RENDERS, Check.LEFTOVERS]


def test_a_suite_that_starts_or_ends_is_given_its_time(state: StateFolder) -> None:
    """While there is a supervisor that no command may use yet, what it clears up is not judged."""
    staged(state)
    scratch(state)
    with locks.exclusive(state.lock):
        assert audit(state) == []


@contextmanager
def process(state: StateFolder) -> Iterator[subprocess.Popen[bytes]]:
    """A process as services start them."""
    words = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(
        words,
        env={"TMPDIR": str(state.scratch / "videogen")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running


def test_processes_without_a_supervisor_are_found(state: StateFolder) -> None:
    """A service's process that outlived its supervisor is named; so is one below another process
    than the supervisor while a suite runs. Those of other folders are not ours to tell of."""
    with process(state) as left:
        [finding] = audit(state)
        assert finding.check == Check.PROCESSES
        assert finding.what.startswith(f"process {left.pid} ({sys.executable} ")
        assert audit(StateFolder(state.root.with_name("copy"))) == []
        with locks.exclusive(state.lock):
            state.write_record(SuiteRecord({}, os.getpid()))
            assert audit(state) == []  # This process is its supervisor.
            state.write_record(SuiteRecord({}, left.pid))
            assert [one.check for one in audit(state)] == [Check.PROCESSES]
    state.forget_record()
    assert audit(state) == []
