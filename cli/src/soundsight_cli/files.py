"""Looks at the files a command was given before any work begins, and says what to do instead."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from soundsight_cli.supervisor import SuiteError

SONG_ENDINGS = frozenset({".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"})


def check_song(song: Path) -> None:
    """Refuses what cannot be a song.

    Raises:
        SuiteError: with what to do about it.
    """
    if not song.exists():
        raise SuiteError(f"{song} does not exist; {_instead_of(song)}")
    if not song.is_file():
        raise SuiteError(f"{song} is not a file; {_one_of(song)}")
    if song.stat().st_size == 0:
        raise SuiteError(f"{song} is empty; copy or download it again")


def check_output(output: Path, song: Path) -> None:
    """Refuses an output that could not be written, before the work rather than after it.

    Raises:
        SuiteError: with what to do about it.
        OSError: when the file cannot be written.
    """
    folder = output.absolute().parent
    if output.is_dir():
        inside = output / f"{song.stem}.mp4"
        raise SuiteError(f"{output} is a folder; name a file in it, such as {inside}")
    if output.exists() and output.samefile(song):
        raise SuiteError(f"{output} is the song itself; choose another output with -o")
    if not folder.is_dir():
        raise SuiteError(
            f"the folder {folder} does not exist; make it with "
            f"`mkdir -p {shlex.quote(str(folder))}`"
        )
    # Opened for appending: an existing file keeps its content until there is a new one.
    existed = output.exists()
    with output.open("ab"):
        pass
    if not existed:
        output.unlink()


def _instead_of(song: Path) -> str:
    """What may have been meant by a path at which nothing is."""
    if not song.parent.is_dir():
        return f"nor does the folder {song.parent}; check the path"
    names = [path.name for path in _songs_in(song.parent)]
    near = difflib.get_close_matches(song.name, names, n=1, cutoff=0.6)
    return f"did you mean {song.with_name(near[0])}?" if near else "check its name and folder"


def _one_of(folder: Path) -> str:
    songs = _songs_in(folder) if folder.is_dir() else []
    return f"name a song in it, such as {songs[0]}" if songs else "name a song"


def _songs_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SONG_ENDINGS)
    except OSError:
        return []
