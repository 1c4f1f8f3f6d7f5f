"""Prints how long each stage of listening takes, and the memory it needs.

    python services/analyzer/tools/time_stages.py SONG...

Times are wall-clock seconds in this process; the first song pays for loading essentia.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from soundsight_analyzer.listening import Options, listen
from soundsight_analyzer.song import SongFile
from soundsight_kit.media.audio import canonicalise


def time_song(path: Path) -> tuple[float, dict[str, float]]:
    """The song's length and the seconds of each stage."""
    spent: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        canonical = Path(folder) / "song.flac"
        found = asyncio.run(canonicalise(path, canonical))
        spent["canonicalise"] = time.perf_counter() - began
        song = SongFile(canonical, found.samples, found.sample_rate_hz, found.channels)
        stage, since = "decode", time.perf_counter()

        def report(now: str, done: int, total: int) -> None:
            nonlocal stage, since
            moment = time.perf_counter()
            spent[stage] += moment - since
            stage, since = now, moment

        listen(song, Options(), report)
        spent[stage] += time.perf_counter() - since
    return found.duration_s, spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("songs", nargs="+", type=Path)
    for path in parser.parse_args().songs:
        duration_s, spent = time_song(path)
        total = sum(spent.values())
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines = [
            f"{path.name}: {duration_s:.0f} s long, heard in {total:.1f} s, {peak_mib:.0f} MiB"
        ]
        lines += [f"  {stage:<13}{seconds:7.2f} s" for stage, seconds in spent.items()]
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
