"""Time and memory of a whole analysis, each pipeline in a process of its own.

    python bench/analyzer_speed.py soundsight song.flac     # what `analyzer.py --speed` runs

A process first hears ten seconds, so that nothing is loaded or compiled on the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from songsmith import SAMPLE_RATE_HZ
from songsmith.catalogue import HARD, STANDARD
from songsmith.files import read_stereo, write_flac

SONG_S = 210.0
HOUR_S = 3600.0
MUSICAL_PIPELINE = "rhythm, harmony, form"
"""What librosa's pipeline is after as well, and more: downbeats, metre, keys, chords, labels."""


@dataclass(frozen=True)
class Cost:
    """What one pipeline took for one file."""

    seconds: float
    start_up_s: float
    peak_bytes: int


def compare_speed(songs: Path) -> None:
    """Prints a table: this analyzer with all its features and with those that librosa's pipeline is
    after as well, and that pipeline."""
    with tempfile.TemporaryDirectory() as scratch:
        song = medley(Path(scratch) / "song.flac", songs, SONG_S)
        costs = {name: measured(name, song) for name in PIPELINES}
    print(f"\none song of {SONG_S:.0f} s, each pipeline in a process of its own")
    _print(costs, SONG_S)
    for name in ("soundsight", MUSICAL_PIPELINE):
        ratio = costs["librosa"].seconds / costs[name].seconds
        print(f"librosa takes {ratio:.2f} times as long as {name}")


def measure_hour(songs: Path) -> None:
    """Prints what an hour of music takes."""
    with tempfile.TemporaryDirectory() as scratch:
        hour = medley(Path(scratch) / "hour.flac", songs, HOUR_S)
        costs = {"soundsight": measured("soundsight", hour)}
    print("\none hour of music")
    _print(costs, HOUR_S)


def _print(costs: dict[str, Cost], duration_s: float) -> None:
    print(f"{'pipeline':<22}{'start-up':>10}{'seconds':>10}{'x song':>9}{'1 /':>7}{'peak':>12}")
    for name, cost in costs.items():
        share = cost.seconds / duration_s
        print(
            f"{name:<22}{cost.start_up_s:>8.1f} s{cost.seconds:>10.1f}{share:>9.4f}"
            f"{1 / share:>7.1f}{cost.peak_bytes / 2**20:>8.0f} MiB"
        )


def measured(pipeline: str, path: Path) -> Cost:
    """Runs a pipeline in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, pipeline, str(path)], check=True, capture_output=True, text=True
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def medley(path: Path, songs: Path, duration_s: float) -> Path:
    """Songs of the catalogue one after the other, written as one FLAC file."""
    wanted = round(duration_s * SAMPLE_RATE_HZ)
    pieces: list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]] = []
    for entry in cycle((*STANDARD[8:], *STANDARD[:8], *HARD)):
        pieces.append(read_stereo(entry.flac(songs)))
        if sum(len(piece) for piece in pieces) >= wanted:
            break
    write_flac(path, np.concatenate(pieces)[:wanted], {})
    return path


def excerpt(path: Path, duration_s: float) -> Path:
    """A row of clicks with a chord, written as a FLAC file: something to hear for a warm-up."""
    time_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220.0, 277.2, 329.6))
    clicks = np.exp(-40.0 * (time_s % 0.5)) * np.random.default_rng(0).standard_normal(len(time_s))
    mono = (3000.0 * (chord + clicks)).astype(np.int16)
    write_flac(path, np.stack([mono, mono], axis=1), {})
    return path


def _soundsight(path: Path) -> None:
    from analyzer_listeners import analyse

    analyse(path)


def _musical(path: Path) -> None:
    from analyzer_listeners import MUSICAL, analyse

    analyse(path, MUSICAL)


def _librosa(path: Path) -> None:
    from analyzer_listeners import librosa_pipeline

    librosa_pipeline(path)


PIPELINES: dict[str, Callable[[Path], None]] = {
    "soundsight": _soundsight,
    MUSICAL_PIPELINE: _musical,
    "librosa": _librosa,
}


def main() -> None:
    """Measures one pipeline here, and prints its cost as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", choices=list(PIPELINES))
    parser.add_argument("song", type=Path)
    words = parser.parse_args()
    pipeline = PIPELINES[words.pipeline]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        pipeline(excerpt(Path(scratch) / "short.flac", 10.0))
    ready = time.perf_counter()
    pipeline(words.song)
    cost = {
        "seconds": time.perf_counter() - ready,
        "start_up_s": ready - began,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
