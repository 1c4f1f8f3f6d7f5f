"""How well and how fast the analyzer hears, beside essentia's and librosa's own parts.

Plays the songs of songsmith's catalogue, whose truth is exact, and prints the field's measures for
each song and their means for each set; every listener runs on one thread there. `--speed` measures
time and memory of a whole analysis beside a plain librosa pipeline, `--hour` an hour of music.

    make bench-analyzer
    make bench-analyzer OPTIONS='--sets hard --only soundsight --processes 2'
    make bench-analyzer SONGS_DIR=folder        # and songs of your own, with their beats.json
    make bench-analyzer OPTIONS='--sets none --speed --hour'
"""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from analyzer_listeners import LISTENERS, single_threaded, song_file
from analyzer_scores import (
    Hearing,
    Scores,
    beats_file_to_hearings,
    mean,
    score,
    truth_to_hearing,
    without_offset,
)
from analyzer_speed import compare_speed, excerpt, measure_hour
from songsmith.catalogue import HARD, STANDARD, Entry
from soundsight_kit.media.audio import canonicalise

SETS = {"standard": STANDARD, "hard": HARD}
SONGS = Path("out/songs")
BEATS_FILE = "beats.json"

COLUMNS = {
    "beats_f": "beats F",
    "beats_cmlt": "CMLt",
    "beats_amlt": "AMLt",
    "downbeats_f": "down F",
    "metre": "metre",
    "tempo": "tempo",
    "key": "key",
    "key_mirex": "MIREX",
    "bounds_half_s": "B 0.5s",
    "bounds_3s": "B 3s",
    "labels_f": "label F",
    "chords": "chords",
}
assert list(COLUMNS) == [field.name for field in fields(Scores)]


@dataclass(frozen=True)
class Task:
    """A song that a listener is to hear; `entry` is rendered first, `path` is there already."""

    set_name: str
    song: str
    listener: str
    truth: Hearing
    folder: Path
    entry: Entry | None = None
    path: Path | None = None


@dataclass(frozen=True)
class Row:
    """What became of a task. `offset_free` is the score with a chart's constant offset removed."""

    task: Task
    scores: Scores
    offset_free: Scores
    seconds: float
    duration_s: float


def catalogue_tasks(names: list[str], listeners: list[str], folder: Path, song: str) -> list[Task]:
    """A task for each song of the named sets and each listener, song by song."""
    return [
        Task(name, entry.name, listener, truth_to_hearing(entry.truth), folder, entry=entry)
        for name in names
        for entry in SETS[name]
        if entry.name.startswith(song)
        for listener in listeners
    ]


def real_tasks(songs_dir: Path, listeners: list[str], folder: Path) -> list[Task]:
    """A task for each song of a folder that its beats.json names, decoded as the gateway does."""
    tasks = []
    for name, truth in beats_file_to_hearings(songs_dir / BEATS_FILE).items():
        source = next(path for path in sorted(songs_dir.iterdir()) if path.stem == name)
        path = folder / f"{name}.flac"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            asyncio.run(canonicalise(source, path))
        tasks += [Task("real", name, listener, truth, folder, path=path) for listener in listeners]
    return tasks


def hear(task: Task) -> Row:
    """Runs in a process of its own, which has heard ten seconds before: nothing is loaded here."""
    path = task.path
    if path is None:
        assert task.entry is not None
        path = task.entry.flac(task.folder)
    began = time.perf_counter()
    heard = LISTENERS[task.listener](path)
    seconds = time.perf_counter() - began
    moved = without_offset(task.truth, heard)
    duration_s = song_file(path).duration_s
    return Row(task, score(task.truth, heard), score(task.truth, moved), seconds, duration_s)


def warm(listeners: list[str], path: Path) -> None:
    """Has a fresh process load what the listeners need."""
    for name in listeners:
        LISTENERS[name](path)


def hear_all(tasks: list[Task], listeners: list[str], processes: int) -> Iterator[Row]:
    """The rows in the order of the tasks, as they are done."""
    with tempfile.TemporaryDirectory() as scratch, single_threaded():
        short = excerpt(Path(scratch) / "short.flac", 10.0)
        with ProcessPoolExecutor(
            processes,
            multiprocessing.get_context("spawn"),
            initializer=warm,
            initargs=(listeners, short),
        ) as pool:
            yield from pool.map(hear, tasks)


def line(name: str, listener: str, scores: Scores, seconds: float, duration_s: float) -> str:
    """One row of a table; a dot where there is nothing to say."""
    values = [getattr(scores, column) for column in COLUMNS]
    cells = ["      ." if math.isnan(value) else f"{value:7.2f}" for value in values]
    rate = f"{seconds / duration_s:7.3f}" if duration_s > 0 else "      ."
    return f"{name:<31.31} {listener:<22}{' '.join(cells)} {seconds:8.1f} {rate}"


def print_set(name: str, rows: Iterator[Row]) -> list[Row]:
    """Prints a set's rows as they come, then the mean of each listener."""
    heads = " ".join(f"{head:>7}" for head in COLUMNS.values())
    print(f"\n{name}\n{'song':<31} {'listener':<22}{heads} {'seconds':>8} {'x song':>7}")
    done = []
    for row in rows:
        done.append(row)
        task = row.task
        print(line(task.song, task.listener, row.scores, row.seconds, row.duration_s), flush=True)
        if task.set_name == "real":
            print(line("  without a constant offset", task.listener, row.offset_free, 0.0, 0.0))
    for listener in dict.fromkeys(row.task.listener for row in done):
        of_it = [row for row in done if row.task.listener == listener]
        seconds = sum(row.seconds for row in of_it)
        duration_s = sum(row.duration_s for row in of_it)
        means = mean([row.scores for row in of_it])
        print(line(f"MEAN of {len(of_it)}", listener, means, seconds, duration_s))
    return done


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sets", nargs="+", choices=[*SETS, "none"], default=list(SETS), help="default: both"
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(LISTENERS), default=list(LISTENERS), help="listeners"
    )
    parser.add_argument("--song", default="", help="songs whose names begin so")
    parser.add_argument("--songs-dir", type=Path, help=f"songs of your own, and their {BEATS_FILE}")
    parser.add_argument("--processes", type=int, default=1, help="songs heard at once (default 1)")
    parser.add_argument("--speed", action="store_true", help="time and memory beside librosa")
    parser.add_argument("--hour", action="store_true", help="time and memory of an hour of music")
    parser.add_argument("--songs", type=Path, default=SONGS, help=f"rendered songs: {SONGS}")
    return parser.parse_args()


def main() -> None:
    """Listens and prints."""
    words = parse()
    if words.songs_dir is not None and not (words.songs_dir / BEATS_FILE).is_file():
        sys.exit(f"there is no {words.songs_dir / BEATS_FILE}")
    for name in [name for name in words.sets if name != "none"]:
        tasks = catalogue_tasks([name], words.only, words.songs, words.song)
        print_set(name, hear_all(tasks, words.only, words.processes))
    if words.songs_dir is not None:
        tasks = real_tasks(words.songs_dir, words.only, words.songs)
        print_set("real", hear_all(tasks, words.only, words.processes))
    if words.speed:
        compare_speed(words.songs)
    if words.hour:
        measure_hour(words.songs)


if __name__ == "__main__":
    main()
