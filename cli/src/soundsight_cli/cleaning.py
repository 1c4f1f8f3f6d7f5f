"""Frees space in a state folder: decides what may go (`plan`), then removes it (`remove`).

What lies in the object store is found by key, and what is missing is made again; so removing too
much costs time, never correctness. Kept is what an unfinished render would have to make again: the
one that was interrupted yesterday goes on tomorrow.

Nothing outside the state folder is ever touched: only children that the folder is known to have are
looked at, links are removed rather than followed, and a folder that is no state folder is refused.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundsight_cli.jobs import Jobs
from soundsight_cli.state import StateFolder
from soundsight_cli.supervisor import SuiteError

KINDS = {
    "clips": "clips",
    "compositions": "finished videos",
    "songs": "decoded songs",
    "uploads": "songs as they were sent",
    "upload-parts": "parts of songs as they were sent",
    "analyses": "analyses",
    "storyboards": "storyboards",
}
"""Folders of a project in the object store, and what to call what lies there."""

_RECORDS, _STAGING = ".records", ".staging"
NAME = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""What the suite names things by: digests. Anything else there is not its own and stays."""


@dataclass(frozen=True)
class Item:
    """Something that may go."""

    kind: str
    """What it is, for people."""
    paths: tuple[Path, ...]
    """Files, folders or links, in the order in which they go."""
    size_bytes: int


@dataclass(frozen=True)
class Plan:
    """What would be removed, and how much is in the folder altogether."""

    items: tuple[Item, ...]
    present_bytes: int

    @property
    def freed_bytes(self) -> int:
        """What removing all of it frees."""
        return sum(item.size_bytes for item in self.items)

    def by_kind(self) -> list[tuple[str, int, int]]:
        """Returns kind, number of things and bytes, the largest first."""
        sums: dict[str, tuple[int, int]] = {}
        for item in self.items:
            number, size_bytes = sums.get(item.kind, (0, 0))
            sums[item.kind] = number + 1, size_bytes + item.size_bytes
        return sorted(((kind, *both) for kind, both in sums.items()), key=lambda row: -row[2])


def check_state_folder(state: StateFolder) -> None:
    """Refuses a folder that no suite ever used, and one that leads elsewhere.

    Raises:
        SuiteError: when it does not look like a state folder, or a part of it lies outside.
    """
    root = state.root
    if not (state.lease.is_file() and state.artifacts.is_dir() and state.logs.is_dir()):
        raise SuiteError(
            f"{root} does not look like a state folder of Soundsight; nothing was removed. Name "
            "the right one with --state-dir"
        )
    for part in (
        state.artifacts,
        state.logs,
        state.scratch,
        state.orders,
        *_store_folders(state),
    ):
        if not part.resolve().is_relative_to(root.resolve()):
            raise SuiteError(
                f"{part} leads out of the state folder, to {part.resolve()}; nothing was removed"
            )


def plan(state: StateFolder, jobs: Jobs, *, unused_since_s: float | None = None) -> Plan:
    """Returns what no unfinished render needs.

    Args:
        state: the folder.
        jobs: what the job store says.
        unused_since_s: seconds since 1970; keeps what was made or belongs to a render that ended
            after that. None keeps nothing for its age.
    """
    needed = jobs.needed(ended_after_s=unused_since_s)
    items = []
    for project in _folders(state.artifacts / "projects"):
        for kind in _folders(project):
            for entry in _entries(kind):
                name = entry.name.split(".")[0]
                if kind.name in KINDS and NAME.fullmatch(name) and name not in needed:
                    items.append(_stored(state, entry, KINDS[kind.name]))
    items += [_item("what crashed work left", entry) for entry in _left_over(state)]
    items += [_item("old logs", log) for log in sorted(state.logs.glob("*.old.log"))]
    unfinished = {job.name.rpartition("/")[2] for job in jobs.unfinished()}
    for order in _entries(state.orders):
        if order.suffix in (".json", ".new") and order.stem not in unfinished:
            items.append(_item("what crashed work left", order))
    kept = [item for item in items if _older(item, unused_since_s)]
    return Plan(tuple(kept), size_of(state.root))


def plan_all(state: StateFolder) -> Plan:
    """Returns everything, the job store included. The locks stay: they may be waited for."""
    database = [
        state.database.with_name(state.database.name + ending) for ending in ("", "-wal", "-shm")
    ]
    named = [
        ("everything that was made", _entries(state.artifacts)),
        (
            "the job store",
            [
                *(path for path in (*database, state.record, state.cleaned) if path.exists()),
                *_entries(state.orders),
            ],
        ),
        ("logs", _entries(state.logs)),
        ("what crashed work left", _entries(state.scratch)),
    ]
    items = tuple(_item(kind, path) for kind, paths in named for path in paths)
    return Plan(items, size_of(state.root))


def remove(state: StateFolder, items: Iterable[Item]) -> None:
    """Removes items; what is gone already is no error.

    Raises:
        SuiteError: for an item outside the state folder.
        OSError: when something cannot be removed.
    """
    root = state.root.resolve()
    for item in items:
        for path in item.paths:
            # The parent alone is resolved: a link is an entry of its folder, wherever it points.
            if path == root or not path.parent.resolve().is_relative_to(root):
                raise SuiteError(f"{path} lies outside the state folder; it was not removed")
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Returns the bytes of a file or of all files below a folder; links count nothing."""
    if path.is_symlink():
        return 0
    if path.is_dir():
        return sum(map(size_of, _entries(path)))
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _stored(state: StateFolder, entry: Path, kind: str) -> Item:
    """Something in the object store with the store's record of it.

    The record goes first: without it the object is still whole, without the object it is a lie.
    """
    record = state.artifacts / _RECORDS / entry.relative_to(state.artifacts)
    records = (record, record.with_name(record.name + ".json"))
    present = [path for path in records if path.exists() or path.is_symlink()]
    return _item(kind, *present, entry)


def _left_over(state: StateFolder) -> Sequence[Path]:
    """Files of work that no process does any more, since no suite runs."""
    return [*_entries(state.scratch), *_entries(state.artifacts / _STAGING)]


def _item(kind: str, *paths: Path) -> Item:
    return Item(kind, paths, sum(map(size_of, paths)))


def _older(item: Item, unused_since_s: float | None) -> bool:
    if unused_since_s is None:
        return True
    return all(_newest_s(path) < unused_since_s for path in item.paths)


def _newest_s(path: Path) -> float:
    """When the newest file of something was written."""
    newest_s = path.lstat().st_mtime
    if path.is_dir() and not path.is_symlink():
        newest_s = max([newest_s, *map(_newest_s, _entries(path))])
    return newest_s


def _store_folders(state: StateFolder) -> Iterator[Path]:
    for tree in (state.artifacts, state.artifacts / _RECORDS):
        yield from (tree, tree / "projects", *_entries(tree / "projects"))
        for project in _entries(tree / "projects"):
            yield from _entries(project)
    yield state.artifacts / _STAGING


def _folders(path: Path) -> list[Path]:
    return [entry for entry in _entries(path) if entry.is_dir() and not entry.is_symlink()]


def _entries(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
