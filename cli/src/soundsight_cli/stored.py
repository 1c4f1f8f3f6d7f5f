"""Compares the object store with what renders and uploads name. See `auditing`."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from soundsight_cli.cleaning import KINDS, NAME
from soundsight_cli.findings import Check, Finding
from soundsight_cli.jobs import Job, Jobs, Reference
from soundsight_cli.state import StateFolder

_HALF_WRITTEN = re.compile(r"#\d+$|\.part$|\.new$")
"""Names that the object store and our own writers give to files that are not whole yet."""

_WHOLE = {
    "clips": ("clip.json", "clip.mp4"),
    "compositions": ("composition.json", "video.mp4"),
    "songs": ("song.flac", "song.json"),
}
"""What a folder of each kind has when it is finished."""

_CLEAN = "`soundsight clean` removes it"
_AGAIN = "`soundsight clean` and the same command make it anew"

Fact = tuple[int, str]
"""Size and digest of a file."""

Facts = Callable[[Path], Fact | None]
"""Gives those of a file, or None when it is not there; reads each file once."""


def audit_store(state: StateFolder, jobs: Jobs, *, runs: bool, quiet: bool) -> list[Finding]:
    """Returns what of the object store is missing, damaged, unreferenced or left half done.

    Args:
        state: the folder.
        jobs: what the job store says.
        runs: whether a suite runs.
        quiet: whether nothing works, so that what is half done stays so.
    """
    facts = cache(_fact)
    records, found = _records(state, facts)
    found += _missing(state, jobs, records, facts, quiet=quiet)
    found += _unreferenced(state, jobs, quiet=quiet)
    if quiet:
        found += _half_written(state, records, runs=runs)
    return found


@dataclass(frozen=True)
class _Record:
    """What the object store has noted of a file."""

    sha256: str
    size_bytes: int
    staged: Path
    """Where its bytes lie until they are moved to their place."""


def _records(state: StateFolder, facts: Facts) -> tuple[dict[Path, _Record], list[Finding]]:
    """The store's records by the file each is of, and what is wrong with those files."""
    records: dict[Path, _Record] = {}
    found: list[Finding] = []
    folder = state.artifacts / ".records"
    for path in _files(folder):
        if path.suffix != ".json":
            continue  # Half-written ones are told of elsewhere.
        file = state.artifacts / path.relative_to(folder).with_suffix("")
        try:
            noted = json.loads(path.read_bytes())
            record = _Record(
                noted["sha256"],
                int(noted["size_bytes"]),
                state.artifacts / (noted["staged"] or ".staging"),
            )
        except FileNotFoundError:
            continue  # Somebody has removed it meanwhile.
        except (ValueError, TypeError, KeyError):
            found.append(Finding(Check.OBJECTS, "a record cannot be read", f"`rm {path}`", path))
            continue
        records[file] = record
        if facts(file) is None:
            if not record.staged.is_file() and path.exists():
                what = f"{_short(state, file)} is gone, its record is not"
                found.append(Finding(Check.OBJECTS, what, _AGAIN, file))
        elif facts(file) != (record.size_bytes, record.sha256):
            found.append(_damaged(state, file))
    return records, found


def _missing(
    state: StateFolder,
    jobs: Jobs,
    records: dict[Path, _Record],
    facts: Facts,
    *,
    quiet: bool,
) -> Iterator[Finding]:
    """What renders name and is not there, or is something else."""
    cleaned_us = state.cleaned.stat().st_mtime * 1e6 if state.cleaned.exists() else 0.0
    unfinished = jobs.unfinished()
    told: set[Path] = set()
    for job in jobs.renders:
        if not (job.succeeded or job in unfinished):
            continue
        may_be_gone = job.succeeded and (job.end_us or 0) <= cleaned_us
        for reference in job.references:
            file = _file_of(state, reference)
            if file is None or file in told:
                continue
            there = facts(file)
            if there is None:
                staged = file in records and records[file].staged.is_file()
                # With a record it is told of already; what runs may be writing it.
                if file in records or staged or may_be_gone or (not job.ended and not quiet):
                    continue
                told.add(file)
                yield Finding(Check.OBJECTS, _lost(state, job, file), _AGAIN, file)
            elif there != (reference.size_bytes, reference.sha256):
                told.add(file)
                # Its record tells of it as well, unless that agrees with the file.
                record = records.get(file)
                if record is None or there == (record.size_bytes, record.sha256):
                    yield _damaged(state, file)


def _unreferenced(state: StateFolder, jobs: Jobs, *, quiet: bool) -> Iterator[Finding]:
    """What nobody names, and nobody will find by its key."""
    named = jobs.uploads_under_way | jobs.uploaded
    named = named.union(*(job.names for job in jobs.renders))
    for project in _entries(state.artifacts / "projects"):
        for kind in _entries(project):
            for entry in _entries(kind):
                name = entry.name.partition(".")[0]
                if kind.name not in KINDS or not NAME.fullmatch(name):
                    what = f"{_short(state, entry)} is nothing that the suite has put there"
                    yield Finding(Check.OBJECTS, what, "move it elsewhere", entry)
                elif quiet and name not in named and not _reusable(kind.name, entry):
                    if entry.is_dir() and not any(_files(entry)):
                        continue  # Its files have gone as they should.
                    what = f"{_short(state, entry)} belongs to no render and no upload"
                    yield Finding(Check.OBJECTS, what, _CLEAN, entry)


def _reusable(kind: str, entry: Path) -> bool:
    """Whether a render that comes to need it would find it, and find it whole."""
    if kind in ("uploads", "upload-parts"):
        return False
    return all((entry / name).is_file() for name in _WHOLE.get(kind, ()))


def _half_written(
    state: StateFolder, records: dict[Path, _Record], *, runs: bool
) -> Iterator[Finding]:
    """Files of work that nobody does any more."""
    claimed = {record.staged for record in records.values()}
    staging = state.artifacts / ".staging"
    for path in _files(state.artifacts):
        if path in claimed:
            what = f"{_short(state, path)} is whole, but not in its place"
            yield Finding(Check.LEFTOVERS, what, "whoever needs it next moves it there", path)
        elif path.is_relative_to(staging) or _HALF_WRITTEN.search(path.name):
            what = f"{_short(state, path)} was written by half"
            yield Finding(Check.LEFTOVERS, what, _CLEAN, path)
    for path in (*_entries(state.root), *_entries(state.orders)):
        if _HALF_WRITTEN.search(path.name):
            yield Finding(Check.LEFTOVERS, f"{path.name} was written by half", f"`rm {path}`", path)
    if not runs:
        for path in _entries(state.scratch):
            what = f"{_short(state, path)} is left of work in progress"
            yield Finding(Check.LEFTOVERS, what, "the next command removes it", path)


def _lost(state: StateFolder, job: Job, file: Path) -> str:
    short = job.name.rpartition("/")[2]
    how = "made" if job.succeeded else "needs"
    return f"render {short} {how} {_short(state, file)}, which is gone"


def _damaged(state: StateFolder, file: Path) -> Finding:
    what = f"{_short(state, file)} is not what was stored: its size or digest differs"
    return Finding(Check.OBJECTS, what, f"`rm {file}`: it is made anew when it is needed", file)


def _file_of(state: StateFolder, reference: Reference) -> Path | None:
    """The file that a reference names; None when it lies in another store."""
    parts = urlsplit(reference.uri)
    folder = os.path.normpath(state.artifacts)  # as the object store spells it
    file = Path(unquote(parts.path))
    if parts.scheme != "file" or not file.is_relative_to(folder):
        return None
    return state.artifacts / file.relative_to(folder)


def _fact(file: Path) -> Fact | None:
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            return opened.tell(), digest
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root) / name for name in sorted(names))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _short(state: StateFolder, path: Path) -> str:
    """A path below the state folder, its digests shortened."""
    inside = str(path.relative_to(state.root))
    return re.sub(r"[0-9a-f]{40,64}", lambda found: f"{found[0][:8]}…", inside)
