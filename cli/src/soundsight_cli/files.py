"""Looks at the files a command was given before any work begins, and says what to do instead."""

from __future__ import annotations

import difflib
import os
import shlex
import tempfile
from pathlib import Path

from soundsight_cli.supervisor import SuiteError

SONG_ENDINGS = frozenset({".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"})


def check_song(song: Path) -> None:
    """Refuses what cannot be a song.

    Raises:
        SuiteError: with what to do about it.
    """
    if not song.exists():
        if song.is_symlink():
            raise SuiteError(f"{song} is a link that leads nowhere; name the song itself")
        raise SuiteError(f"{song} does not exist; {_instead_of(song)}")
    if song.is_dir():
        raise SuiteError(f"{song} is not a file; {_one_of(song)}")
    if not song.is_file():
        raise SuiteError(
            f"{song} is a pipe or a device, and a song is read more than once; save it as a file "
            "first"
        )
    if song.stat().st_size == 0:
        raise SuiteError(f"{song} is empty; copy or download it again")


def check_output(output: Path, song: Path | None) -> None:
    """Refuses an output that could not be written, before the work rather than after it.

    A song that is not known, or gone, cannot be taken for the output by mistake.

    Raises:
        SuiteError: with what to do about it.
        OSError: when the file cannot be written.
    """
    folder = output.absolute().parent
    if output.is_dir():
        inside = output / f"{song.stem if song is not None else 'video'}.mp4"
        raise SuiteError(f"{output} is a folder; name a file in it, such as {inside}")
    if song is not None and song.exists() and output.exists() and output.samefile(song):
        raise SuiteError(f"{output} is the song itself; choose another output with -o")
    if output.is_symlink() and not output.exists():
        raise SuiteError(f"{output} is a link that leads nowhere; choose another output")
    if output.exists() and not output.is_file():
        # Opening a pipe would wait for its reader; the finished file would take a device's place.
        raise SuiteError(f"{output} is a pipe or a device; choose a file as output")
    if folder.exists() and not folder.is_dir():
        raise SuiteError(f"{folder} is not a folder; choose another output")
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


def check_folder(output: Path) -> None:
    """Refuses a folder that takes no new file: a video is written beside its name and gets it when
    it is whole.

    Raises:
        OSError: when the folder cannot be written.
    """
    folder = output.absolute().parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def write_whole(output: Path, data: bytes) -> None:
    """Writes a file that appears under its name when it is whole, in place of one that is there.

    Raises:
        OSError: when it cannot be written; what was there is left alone.
    """
    with tempfile.NamedTemporaryFile(
        dir=output.absolute().parent, prefix=f".{output.name[:40]}.", suffix=".part", delete=False
    ) as file:
        part = Path(file.name)
        try:
            file.write(data)
            file.flush()
            # A temporary file is private; the finished one is like any other of the user's.
            mask = os.umask(0)
            os.umask(mask)
            part.chmod(0o666 & ~mask)
            part.replace(output)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _instead_of(song: Path) -> str:
    """What may have been meant by a path at which nothing is."""
    if not song.parent.is_dir():
        return f"nor does the folder {song.parent}; check the path"
    names = [path.name for path in _songs_in(song.parent)]
    near = difflib.get_close_matches(song.name, names, n=1, cutoff=0.6)
    return f"did you mean {song.with_name(near[0])}?" if near else "check its name and folder"


def _one_of(folder: Path) -> str:
    songs = _songs_in(folder)
    return f"name a song in it, such as {songs[0]}" if songs else "name a song"


def _songs_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SONG_ENDINGS)
    except OSError:
        return []
