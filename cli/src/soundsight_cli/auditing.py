"""Compares job store, object store and processes of a state folder: nothing unreferenced, nothing
missing, nothing half done, nothing left running.

`audit` is a plain function that changes nothing and may be called at any time, also while a suite
runs. What is judged then:

- A file in the object store is *referenced* when a render names it, or an upload does. It is
  *reusable* when it is whole under its key with the record that makes it found: finished clips,
  songs, analyses, storyboards and videos that no render names any more are found by key, and are no
  fault. Everything else is unreferenced.
- Work in progress looks like half-written files. It is judged only when nothing works: no suite
  runs, or the running one has nothing to do.
- What `clean` removed is not missing: a result of a render that had ended by the last `clean` may
  be gone together with its record. A record whose file is gone is a fault at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from soundsight.videogen.v1.videogen_pb2 import GetLoadRequest
from soundsight.videogen.v1.videogen_pb2_grpc import VideoGenServiceStub
from soundsight_cli import locks
from soundsight_cli.findings import Check, Finding
from soundsight_cli.jobs import Jobs, fault_of, read_jobs
from soundsight_cli.state import StateFolder, SuiteRecord
from soundsight_cli.stored import audit_store
from soundsight_cli.summaries import STATES
from soundsight_cli.supervisor import SuiteError
from soundsight_kit.errors import error_from_rpc

ANSWER_TIMEOUT_S = 5.0
"""A service says how busy it is at once or not at all."""


@dataclass(frozen=True)
class _Suite:
    """The suite of a state folder at one moment."""

    runs: bool
    """Whether a supervisor holds the folder."""
    record: SuiteRecord | None
    """How it is reached; of one that was killed when none runs."""

    @property
    def settled(self) -> bool:
        """Whether it is neither starting nor ending."""
        return not self.runs or self.record is not None


def audit(state: StateFolder) -> list[Finding]:
    """Returns everything in a state folder that is not as it should be; an empty list is well.

    Changes nothing. Reads every stored file whole, to compare its digest.
    """
    if not state.root.is_dir():
        return []
    suite = _suite(state)
    found = [*_processes(state, suite), *_left_by_a_suite(state, suite)]
    wrong = fault_of(state.database)
    if wrong is not None:
        return [*found, _broken_job_store(state, wrong)]
    busy = _busy_slots(suite)
    try:
        jobs = read_jobs(state.database)
    except SuiteError as error:
        return [*found, _broken_job_store(state, str(error))]
    working = suite.runs and any(not job.ended and not job.paused for job in jobs.renders)
    found += _services(suite, busy, working=working)
    quiet = suite.settled and not working and not (suite.runs and jobs.uploads_under_way)
    if suite.settled:
        found += _unfinished(suite, jobs)
    return found + audit_store(state, jobs, runs=suite.runs, quiet=quiet)


def _suite(state: StateFolder) -> _Suite:
    runs = False
    if state.lock.exists():
        with locks.exclusive_if_free(state.lock) as free:
            runs = not free
    return _Suite(runs, state.read_record())


def _broken_job_store(state: StateFolder, why: str) -> Finding:
    return Finding(
        Check.JOB_STORE,
        f"{state.database} is damaged ({why}); nothing can be compared with it",
        "put a copy of it back, or `soundsight clean --all` begins anew",
        state.database,
    )


def _processes(state: StateFolder, suite: _Suite) -> Iterator[Finding]:
    """Processes that work for the folder though no supervisor looks after them."""
    if not suite.settled:
        return
    supervisor = suite.record.pid if suite.runs and suite.record is not None else None
    for process in psutil.process_iter():
        try:
            # What services start inherits little of their environment, but always this.
            folder = Path(process.environ().get("TMPDIR", "/"))
            if not folder.is_relative_to(state.scratch):
                continue
            if supervisor is not None and supervisor in (one.pid for one in process.parents()):
                continue
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = " ".join(process.cmdline())[:120]
        except psutil.Error:
            continue  # It has ended meanwhile, or is somebody else's.
        yield Finding(
            Check.PROCESSES,
            f"process {process.pid} ({words}) runs without a supervisor",
            f"it should end by itself within seconds; if not: `kill {process.pid}`",
        )


def _left_by_a_suite(state: StateFolder, suite: _Suite) -> Iterator[Finding]:
    """What only a supervisor that was killed leaves."""
    if suite.runs:
        return
    for path, what in (
        (state.sockets, "leads to the sockets"),
        (state.record, "is the record"),
    ):
        if path.is_symlink() or path.exists():
            yield Finding(
                Check.LEFTOVERS,
                f"{path.name} {what} of a suite that was killed",
                "the next command removes it",
                path,
            )


def _services(suite: _Suite, busy: int, *, working: bool) -> Iterator[Finding]:
    """Services that do not answer, and slots that nobody holds."""
    if not suite.runs or suite.record is None:
        return
    restart = "stop the suite and start it again"
    for name, target in suite.record.targets.items():
        with _open(target) as channel:
            try:
                health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=ANSWER_TIMEOUT_S
                )
            except grpc.RpcError as error:
                why = error_from_rpc(error).message
                yield Finding(Check.SERVICES, f"{name} does not answer ({why})", restart)
    # Asked twice: a render that ended in between had a clip at the first time.
    if busy and not working and (still := _busy_slots(suite)):
        yield Finding(
            Check.SERVICES,
            f"videogen is busy with clips that no render waits for: {still}",
            f"it should give them up by itself within a minute; if not, {restart}",
        )


def _busy_slots(suite: _Suite) -> int:
    """How many clips videogen films or lets wait; 0 when it cannot be asked."""
    target = suite.record.targets.get("videogen") if suite.runs and suite.record else None
    if target is None:
        return 0
    with _open(target) as channel:
        try:
            load = VideoGenServiceStub(channel).GetLoad(GetLoadRequest(), timeout=ANSWER_TIMEOUT_S)
        except grpc.RpcError:
            return 0
    return int(load.busy + load.queued)


def _open(target: str) -> grpc.Channel:
    # Services are never behind the user's web proxy.
    return grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])


def _unfinished(suite: _Suite, jobs: Jobs) -> Iterator[Finding]:
    """Renders that have not ended and that nothing goes on with."""
    for job in jobs.unfinished():
        if not job.ended and (job.paused or not suite.runs):
            short = job.name.rpartition("/")[2]
            yield Finding(
                Check.RENDERS,
                f"render {short} was interrupted while {STATES.get(job.state, 'waiting')}",
                f"`soundsight resume {short}` goes on with it"
                if job.film
                else "the same command goes on with it",
            )
