"""What the job store says about its renders.

The gateway's tables are read directly: a resting suite cannot be asked, starting one only to throw
things away would take longer than the rest, and who looks for faults should not depend on a suite
that may be at fault. Nothing is written, and a gateway that runs is not held up.
`tests/test_clean.py` and `tests/test_auditing.py` hold this against what the gateway really writes.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundsight.render.v1.resources_pb2 import RenderState
from soundsight_cli.supervisor import SuiteError

_DIGEST = re.compile(r"[0-9a-f]{64}")

_RENDERS = """
    SELECT 'projects/' || r.project || '/renders/' || r.render,
           r.state, r.paused, r.spec_digest, r.create_us, r.end_us, r.spec, r.song, r.outputs,
           (SELECT group_concat(s.status, char(10)) FROM scenes AS s
            WHERE s.project = r.project AND s.render = r.render)
    FROM renders AS r
"""

FILM = "RENDER_GOAL_VIDEO"
"""The goal of a render that is to become a video; the same as none."""

ENDED = frozenset(
    {
        RenderState.RENDER_STATE_SUCCEEDED,
        RenderState.RENDER_STATE_FAILED,
        RenderState.RENDER_STATE_CANCELLED,
    }
)


@dataclass(frozen=True)
class Reference:
    """A file in the object store that a render names."""

    uri: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Job:
    """A render as far as it matters for what may be removed."""

    state: int
    """A RenderState."""
    spec_digest: str
    """The same for the same song and options."""
    create_us: int
    end_us: int | None
    names: frozenset[str]
    """Digests that name what it needs or made: songs, analyses, storyboards, clips, videos."""
    name: str = ""
    """`projects/{project}/renders/{render}`."""
    paused: bool = False
    """Whether it was left, and nothing goes on with it until it is asked for again."""
    film: bool = True
    """Whether it is to become a video, rather than to end with its analysis or storyboard."""
    references: tuple[Reference, ...] = ()
    """The files among them that are there, or should be."""

    @property
    def succeeded(self) -> bool:
        """Whether it went the whole way."""
        return self.state == RenderState.RENDER_STATE_SUCCEEDED

    @property
    def ended(self) -> bool:
        """Whether it succeeded, failed or was stopped."""
        return self.state in ENDED


@dataclass(frozen=True)
class Jobs:
    """All renders of a job store, and the uploads that are not whole."""

    renders: tuple[Job, ...]
    uploads_under_way: frozenset[str] = frozenset()
    """Their ids."""
    uploaded: frozenset[str] = frozenset()
    """Digests of the files that were uploaded whole."""

    def unfinished(self) -> list[Job]:
        """Returns the renders that the same command would go on with: those that were left or
        stopped or failed, and were not followed by one of the same spec that succeeded."""
        last_success: dict[str, int] = {}
        for job in self.renders:
            if job.succeeded and job.end_us is not None:
                before = last_success.get(job.spec_digest, 0)
                last_success[job.spec_digest] = max(before, job.end_us)
        return [
            job
            for job in self.renders
            if not job.succeeded and last_success.get(job.spec_digest, -1) < job.create_us
        ]

    def needed(self, *, ended_after_s: float | None = None) -> frozenset[str]:
        """Returns the names of what unfinished renders need, and of what belongs to renders that
        ended after a moment."""
        kept = self.unfinished()
        if ended_after_s is not None:
            kept += [job for job in self.renders if (job.end_us or 0) / 1e6 >= ended_after_s]
        return self.uploads_under_way.union(*(job.names for job in kept))


def read_jobs(database: Path) -> Jobs:
    """Reads a job store; one that does not exist has no renders.

    Raises:
        SuiteError: when it cannot be read.
    """
    if not database.exists():
        return Jobs(())
    try:
        # Not read-only: after a crash, only a writer may recover what the log still holds.
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if not tables:
                return Jobs(())  # The suite ended before it wrote anything.
            renders = tuple(_job(*row) for row in connection.execute(_RENDERS))
            under_way, uploaded = set(), set[str]()
            for upload_id, artifact in connection.execute(
                "SELECT upload_id, artifact FROM uploads"
            ):
                if artifact is None:
                    under_way.add(upload_id)
                else:
                    uploaded.update(_DIGEST.findall(artifact))
            return Jobs(renders, frozenset(under_way), frozenset(uploaded))
    except sqlite3.Error as error:
        raise SuiteError(
            f"{database} cannot be read ({error}); nothing was removed. `soundsight clean --all` "
            "removes it with everything else"
        ) from error


def fault_of(database: Path) -> str | None:
    """Returns what is wrong with a job store's file, or None; one that does not exist is whole."""
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True)) as connection:
            [found] = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else " ".join(str(found).split())


def _job(
    name: str,
    state: int,
    paused: int,
    spec_digest: str,
    create_us: int,
    end_us: int | None,
    spec: str,
    *texts: str | None,
) -> Job:
    """A row as a job. The texts are protobuf JSON, a message a line."""
    lines = [line for text in (spec, *texts) for line in (text or "").splitlines()]
    references = {ref for line in lines for ref in _references(json.loads(line))}
    goal = json.loads(spec).get("goal", FILM)
    return Job(
        state,
        spec_digest,
        create_us,
        end_us,
        frozenset(_DIGEST.findall(" ".join(lines))),
        name=name,
        paused=bool(paused),
        film=goal == FILM,
        references=tuple(sorted(references, key=lambda reference: reference.uri)),
    )


def _references(message: Any) -> Iterator[Reference]:
    """All that look like an ArtifactRef in a message."""
    if isinstance(message, list):
        for one in message:
            yield from _references(one)
    elif isinstance(message, dict):
        if message.get("uri") and message.get("sha256"):
            yield Reference(message["uri"], message["sha256"], int(message.get("size_bytes", 0)))
        for one in message.values():
            yield from _references(one)
