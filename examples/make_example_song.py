"""Make the example song: `first-light.flac` and its truth, `first-light.json`."""

import argparse
from pathlib import Path

from songsmith import SAMPLE_RATE_HZ, first_light, truth_of
from songsmith.files import write_song


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out-dir",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="where to write the two files (default: beside this script)",
    )
    directory = parser.parse_args().out_dir
    song = first_light()
    audio_path, truth_path = write_song(song, directory, "first-light")
    truth = truth_of(song)
    print(
        f"{audio_path}: {truth.title!r}, {truth.samples / SAMPLE_RATE_HZ:.1f} s, "
        f"{truth.key.tonic} {truth.key.mode}, {truth.tempo_bpm:g} BPM"
    )
    print(f"{truth_path}: {len(truth.beats_s)} beats, {len(truth.sections)} sections")


if __name__ == "__main__":
    main()
