"""Cleaning removes what nobody needs, and nothing else in the world."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import resources_pb2 as r
from soundsight_cli import cleaning, locks
from soundsight_cli.jobs import Job, Jobs, read_jobs
from soundsight_cli.state import StateFolder, SuiteRecord
from soundsight_cli.suite import suite_resting
from soundsight_cli.supervisor import SuiteError
from soundsight_gateway import states
from soundsight_gateway.database import Database, create_engine
from soundsight_gateway.names import RenderRef
from soundsight_gateway.store import NewRender, RenderStore
from soundsight_gateway.upload_store import Announced, UploadRef, UploadStore

SUCCEEDED = r.RENDER_STATE_SUCCEEDED
CANCELLED = r.RENDER_STATE_CANCELLED
NO_JOBS = Jobs(())
DAY_S = 86_400


def name(text: str) -> str:
    """A name as the suite gives them."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state folder as a suite leaves it, with one clip, its record and an analysis."""
    folder = StateFolder(tmp_path / "state")
    folder.create()
    folder.lease.touch()
    store(folder, "clips", name("clip"), "clip.mp4", 1000)
    store(folder, "analyses", f"{name('analysis')}.json", "", 100)
    return folder


def store(folder: StateFolder, kind: str, key: str, file: str, size_bytes: int) -> Path:
    """Puts a file and its record into the object store; returns the file."""
    path = folder.artifacts / "projects" / "default" / kind / key / file
    record = folder.artifacts / ".records" / path.relative_to(folder.artifacts)
    for one, content in ((path, b"x" * size_bytes), (record.with_name(f"{record.name}.json"), b"")):
        one.parent.mkdir(parents=True, exist_ok=True)
        one.write_bytes(content)
    return path


def files(folder: Path) -> set[str]:
    """All files and links below a folder."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(folder)) for path in found}


def job(
    state: int, *names: str, spec: str = "", create_us: int = 0, end_us: int | None = None
) -> Job:
    """A render of a job store."""
    digests = frozenset(map(name, names))
    return Job(state, spec or "-".join(names), create_us, end_us, digests)


def test_what_no_unfinished_render_needs_goes_with_its_records(state: StateFolder) -> None:
    """Clips and documents of finished renders go, and nothing of them stays behind."""
    planned = cleaning.plan(state, Jobs((job(SUCCEEDED, "clip", "analysis", end_us=1),)))
    assert planned.freed_bytes == planned.present_bytes == 1100
    assert planned.by_kind() == [("clips", 1, 1000), ("analyses", 1, 100)]
    cleaning.remove(state, planned.items)
    assert files(state.root) == {"lease.lock"}


@pytest.mark.parametrize("standing", [r.RENDER_STATE_FILMING, r.RENDER_STATE_FAILED, CANCELLED])
def test_what_an_unfinished_render_needs_stays(state: StateFolder, standing: int) -> None:
    """What a render that was left, failed or was stopped would have to make again is kept."""
    planned = cleaning.plan(state, Jobs((job(standing, "clip"), job(SUCCEEDED, "analysis"))))
    assert [kind for kind, _, _ in planned.by_kind()] == ["analyses"]


def test_a_stopped_render_that_was_finished_later_needs_nothing() -> None:
    """The same command succeeded after it was stopped: nobody will go on with the first try."""
    stopped = job(CANCELLED, "clip", spec="a", create_us=10, end_us=20)
    finished = job(SUCCEEDED, "video", spec="a", create_us=30, end_us=40)
    begun_again = job(CANCELLED, "clip", spec="a", create_us=50, end_us=60)
    assert Jobs((stopped, finished)).unfinished() == []
    assert Jobs((stopped, finished, begun_again)).unfinished() == [begun_again]


def test_what_was_used_lately_stays_when_asked_to(state: StateFolder) -> None:
    """With an age, a new file stays, and an old one that a render of late has used."""
    old_s, since_s = time.time() - 40 * DAY_S, time.time() - 30 * DAY_S
    assert cleaning.plan(state, NO_JOBS, unused_since_s=since_s).items == ()
    for path in state.artifacts.rglob("*"):
        os.utime(path, (old_s, old_s))
    assert len(cleaning.plan(state, NO_JOBS, unused_since_s=since_s).items) == 2
    reused = Jobs((job(SUCCEEDED, "clip", end_us=round(time.time() * 1e6)),))
    planned = cleaning.plan(state, reused, unused_since_s=since_s)
    assert [kind for kind, _, _ in planned.by_kind()] == ["analyses"]


def test_upload_parts_stay_while_their_upload_is_under_way(state: StateFolder) -> None:
    """A song that was half sent can still be sent to its end."""
    under_way, over = name("a")[:40], name("b")[:40]
    for upload in (under_way, over):
        store(state, "upload-parts", upload, f"00-{name(upload)}", 10)
    planned = cleaning.plan(state, Jobs((), frozenset({under_way})))
    cleaning.remove(state, planned.items)
    left = {path for path in files(state.artifacts) if "upload-parts" in path}
    assert len(left) == 2
    assert all(under_way in path for path in left)


def test_left_over_work_and_old_logs_go(state: StateFolder) -> None:
    """Scratch, staged files and logs put aside go; logs in use stay."""
    (state.scratch / "half.mp4").write_bytes(b"x")
    (state.artifacts / ".staging").mkdir()
    (state.artifacts / ".staging" / "half").write_bytes(b"x")
    (state.logs / "gateway.log").write_bytes(b"x")
    (state.logs / "gateway.old.log").write_bytes(b"x")
    cleaning.remove(state, cleaning.plan(state, NO_JOBS).items)
    assert files(state.root) == {"lease.lock", "logs/gateway.log"}


def test_what_others_put_there_stays(state: StateFolder) -> None:
    """Files that the suite would not have named so, or in folders it does not know, are left."""
    mine = [
        state.root / "notes.txt",
        state.artifacts / "projects" / "default" / "clips" / "my favourites",
        state.artifacts / "projects" / "default" / "holiday" / name("photo"),
    ]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    cleaning.remove(state, cleaning.plan(state, NO_JOBS).items)
    assert all(path.exists() for path in mine)


def test_all_leaves_only_locks_and_what_others_put_there(state: StateFolder) -> None:
    """`--all` takes jobs and logs too; the locks stay, for somebody may wait for them."""
    for path in (state.database, state.logs / "gateway.log", state.root / "notes.txt"):
        path.write_bytes(b"x")
    cleaning.remove(state, cleaning.plan_all(state).items)
    assert files(state.root) == {"lease.lock", "notes.txt"}
    cleaning.check_state_folder(state)


def test_links_are_removed_and_never_followed(state: StateFolder, tmp_path: Path) -> None:
    """A link inside the folder goes; what it points to stays as it is."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "photo.jpg").write_bytes(b"x")
    clip = state.artifacts / "projects" / "default" / "clips" / name("clip")
    (clip / "beside").symlink_to(precious)
    (clip.parent / name("linked")).symlink_to(precious)
    (state.scratch / "linked").symlink_to(precious / "photo.jpg")
    for plan in (cleaning.plan(state, NO_JOBS), cleaning.plan_all(state)):
        cleaning.remove(state, plan.items)
    assert files(precious) == {"photo.jpg"}
    assert files(state.root) == {"lease.lock"}


def _artifacts(state: StateFolder) -> Path:
    return state.artifacts


def _project(state: StateFolder) -> Path:
    return state.artifacts / "projects" / "default"


def _records(state: StateFolder) -> Path:
    return state.artifacts / ".records"


def _scratch(state: StateFolder) -> Path:
    return state.scratch


@pytest.mark.parametrize("part", [_artifacts, _project, _records, _scratch])
def test_a_folder_that_leads_elsewhere_is_refused(
    state: StateFolder, tmp_path: Path, part: Callable[[StateFolder], Path]
) -> None:
    """When a part of the state folder is a link out of it, nothing at all is removed."""
    elsewhere = tmp_path / "elsewhere"
    part(state).rename(elsewhere)
    part(state).symlink_to(elsewhere)
    before = files(tmp_path)
    with pytest.raises(SuiteError, match="leads out of the state folder"):
        cleaning.check_state_folder(state)
    assert files(tmp_path) == before


def test_a_folder_that_is_no_state_folder_is_refused(tmp_path: Path) -> None:
    """Home folders and the like are told from state folders."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "logs").mkdir()
    with pytest.raises(SuiteError, match="does not look like a state folder"):
        cleaning.check_state_folder(StateFolder(tmp_path))


@pytest.mark.parametrize("outside", ["../precious", "artifacts/../../precious", "."])
def test_nothing_outside_is_removed_whatever_is_asked(
    state: StateFolder, tmp_path: Path, outside: str
) -> None:
    """An item outside the folder, or the folder itself, is refused even by the last step."""
    (tmp_path / "precious").write_bytes(b"x")
    item = cleaning.Item("clips", (state.root / outside,), 1)
    with pytest.raises(SuiteError, match="lies outside"):
        cleaning.remove(state, [item])
    assert (tmp_path / "precious").exists()
    assert state.root.is_dir()


def test_a_state_folder_behind_a_link_can_be_cleaned(state: StateFolder, tmp_path: Path) -> None:
    """The folder itself may be a link, as on machines that keep such things on another disk."""
    link = StateFolder(tmp_path / "link")
    link.root.symlink_to(state.root)
    cleaning.check_state_folder(link)
    cleaning.remove(link, cleaning.plan(link, NO_JOBS).items)
    assert files(state.root) == {"lease.lock"}


async def test_the_job_store_is_read_as_the_gateway_writes_it(tmp_path: Path) -> None:
    """What an unfinished render names is needed, whichever column or table it stands in; what
    only a finished one names is not; and a half-sent upload is known."""
    path = tmp_path / "jobs.sqlite"
    assert read_jobs(path) == NO_JOBS
    database = Database(create_engine(f"sqlite:///{path}"))
    await database.migrate()
    assert read_jobs(path) == NO_JOBS
    renders = RenderStore(database, lambda _: None)

    async def film(render: str, spec: str) -> RenderRef:
        ref = RenderRef("default", render)
        song = ArtifactRef(uri=f"file:///a/projects/default/uploads/{name(f'song {spec}')}")
        await renders.create(NewRender(ref, r.RenderSpec(song=song), name(spec), {}))
        await renders.enter(ref, states.INGESTING)
        await renders.note(
            ref,
            song=r.CanonicalSong(flac=ArtifactRef(uri=f"file:///a/{name(f'flac {spec}')}/x.flac")),
            outputs=r.RenderOutputs(
                analysis=ArtifactRef(uri=f"file:///a/{name(f'analysis {spec}')}.json")
            ),
        )
        await renders.enter(ref, states.ANALYZING)
        await renders.enter(ref, states.WRITING)
        await renders.enter(ref, states.FILMING, scene_ids=["s001", "s002"])
        for scene in ("s001", "s002"):
            clip = name(f"clip {spec} {scene}")
            status = r.SceneStatus(scene_id=scene, state=r.SCENE_STATE_FILMING, clip_key=clip)
            await renders.put_scene(ref, status)
        return ref

    await film("left", "a")
    finished = await film("finished", "b")
    for standing in (states.COMPOSING, states.PUBLISHING, states.SUCCEEDED):
        await renders.enter(finished, standing)
    half = name("half")[:40]
    await UploadStore(database).begin(UploadRef("default", half), Announced(9, "", "audio/mpeg"))
    database.close()

    jobs = read_jobs(path)
    assert [job.succeeded for job in sorted(jobs.renders, key=lambda job: job.create_us)] == [
        False,
        True,
    ]
    of_a = {name(f"{what} a") for what in ("song", "flac", "analysis", "clip")} - {name("clip a")}
    of_a |= {name("clip a s001"), name("clip a s002")}
    assert jobs.needed() == of_a | {half}
    assert name("clip b s002") in jobs.needed(ended_after_s=time.time() - 60)


def test_a_job_store_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    """Without knowing what is needed nothing is removed; `--all` is named as the way out."""
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(SuiteError, match="--all"):
        read_jobs(path)


@pytest.mark.parametrize(
    ("stays", "in_use", "way_out"),
    [(True, False, "soundsight serve"), (False, True, "when its commands have ended")],
)
async def test_a_running_suite_is_left_alone(
    state: StateFolder, stays: bool, in_use: bool, way_out: str
) -> None:
    """While a suite runs, cleaning is refused at once, naming folder and process."""
    state.write_record(SuiteRecord({"gateway": "unix:/none"}, 4321, stays=stays))
    with (
        locks.exclusive(state.lock),
        locks.shared(state.lease if in_use else state.root / "other.lock"),
        pytest.raises(SuiteError, match=f"{state.root}.*4321.*{way_out}"),
    ):
        async with suite_resting(state, lambda _: None):
            raise AssertionError("the folder was held though a suite runs on it")
