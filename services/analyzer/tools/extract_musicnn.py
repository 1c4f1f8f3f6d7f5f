"""Takes musicnn's trained weights out of the published wheel, without TensorFlow.

    pip download musicnn==0.1.0 --no-deps
    python extract_musicnn.py musicnn-0.1.0-py3-none-any.whl [--out DIRECTORY]

The wheel holds the variables as TensorFlow 1 checkpoints, and half of them serve training alone.
This script writes the others, as they are and by their names, into numpy archives. The result is
the same to the last byte on every machine of a kind; SHA256SUMS beside the weights names it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np
from tf_checkpoint import read_checkpoint

WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
MODELS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn"}
WEIGHTS = Path(__file__).resolve().parent.parent / "src" / "soundsight_analyzer" / "weights"

Variables = dict[str, np.ndarray]


def read_variables(wheel: zipfile.ZipFile, model: str) -> Variables:
    """The trained variables of a model in the wheel, without the optimiser's."""
    folder = f"musicnn/{model}/"
    variables = read_checkpoint(
        wheel.read(folder + ".index"), wheel.read(folder + ".data-00000-of-00001")
    )
    return {
        name: values
        for name, values in sorted(variables.items())
        if "/" in name and "Adam" not in name
    }


def _sums_of_others(path: Path) -> list[str]:
    """The lines of SHA256SUMS that name other networks' weights."""
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    return [line for line in lines if "musicnn-" not in line]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="musicnn-0.1.0-py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where to write (%(default)s)")
    arguments = parser.parse_args()
    found = hashlib.sha256(arguments.wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        parser.error(f"{arguments.wheel} is another file: its SHA-256 is {found}")
    sums = _sums_of_others(arguments.out / "SHA256SUMS")
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for short, model in MODELS.items():
            path = arguments.out / f"musicnn-{short}.npz"
            np.savez(path, allow_pickle=False, **read_variables(wheel, model))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            sums.append(f"{digest}  {path.name}\n")
            sys.stdout.write(f"{path}: {path.stat().st_size} bytes\n")
    (arguments.out / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
