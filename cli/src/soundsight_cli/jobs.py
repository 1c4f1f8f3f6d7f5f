"""What the job store of a resting suite says about its renders.

The gateway's tables are read directly, because a resting suite cannot be asked and starting one
only to throw things away would take longer than the rest. Nothing is written. `tests/test_clean.py`
holds this against what the gateway really writes.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from soundsight.render.v1.resources_pb2 import RenderState
from soundsight_cli.supervisor import SuiteError

_DIGEST = re.compile(r"[0-9a-f]{64}")

_RENDERS = """
    SELECT r.state, r.spec_digest, r.create_us, r.end_us,
           coalesce(r.spec, '') || coalesce(r.song, '') || coalesce(r.outputs, '')
           || coalesce((SELECT group_concat(s.status, ' ') FROM scenes AS s
                        WHERE s.project = r.project AND s.render = r.render), '')
    FROM renders AS r
"""


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

    @property
    def succeeded(self) -> bool:
        """Whether it went the whole way."""
        return self.state == RenderState.RENDER_STATE_SUCCEEDED


@dataclass(frozen=True)
class Jobs:
    """All renders of a job store, and the uploads that are not whole."""

    renders: tuple[Job, ...]
    uploads_under_way: frozenset[str] = frozenset()

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
            renders = tuple(
                Job(state, digest, create_us, end_us, frozenset(_DIGEST.findall(texts)))
                for state, digest, create_us, end_us, texts in connection.execute(_RENDERS)
            )
            uploads = connection.execute("SELECT upload_id FROM uploads WHERE artifact IS NULL")
            return Jobs(renders, frozenset(upload_id for (upload_id,) in uploads))
    except sqlite3.Error as error:
        raise SuiteError(
            f"{database} cannot be read ({error}); nothing was removed. `soundsight clean --all` "
            "removes it with everything else"
        ) from error
