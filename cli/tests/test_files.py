"""A file that cannot be used is told of before any work, with what to do instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from soundsight_cli.files import check_folder, check_output, check_song, write_whole
from soundsight_cli.supervisor import SuiteError


def test_a_song_that_is_not_there_is_looked_for(tmp_path: Path) -> None:
    """A mistyped name is answered with the song that was probably meant."""
    (tmp_path / "first-light.flac").write_bytes(b"x")
    with pytest.raises(SuiteError, match=r"did you mean .*first-light\.flac\?"):
        check_song(tmp_path / "frist-light.flac")
    with pytest.raises(SuiteError, match="check its name"):
        check_song(tmp_path / "zzz.mp3")
    with pytest.raises(SuiteError, match="nor does the folder"):
        check_song(tmp_path / "nowhere" / "song.mp3")


def test_a_folder_is_no_song(tmp_path: Path) -> None:
    """A folder in a song's place is answered with a song in it; an empty file is refused."""
    (tmp_path / "one.ogg").write_bytes(b"")
    with pytest.raises(SuiteError, match=r"not a file; name a song in it, such as .*one\.ogg"):
        check_song(tmp_path)
    with pytest.raises(SuiteError, match="empty"):
        check_song(tmp_path / "one.ogg")


def test_an_output_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """A missing folder, a folder and the song itself are no outputs; each comes with a way out."""
    song = tmp_path / "song.mp3"
    song.write_bytes(b"x")
    with pytest.raises(SuiteError, match="mkdir -p"):
        check_output(tmp_path / "no such folder" / "video.mp4", song)
    with pytest.raises(SuiteError, match=r"such as .*song\.mp4"):
        check_output(tmp_path, song)
    with pytest.raises(SuiteError, match="song itself; choose another"):
        check_output(song, song)


def test_checking_an_output_leaves_no_trace(tmp_path: Path) -> None:
    """What was there keeps its content; what was not is still not."""
    song, video = tmp_path / "song.mp3", tmp_path / "video.mp4"
    song.write_bytes(b"x")
    check_output(video, song)
    assert not video.exists()
    video.write_bytes(b"old")
    check_output(video, song)
    assert video.read_bytes() == b"old"


def test_what_is_read_once_is_no_song(tmp_path: Path) -> None:
    """A pipe is not opened, since that would wait for its writer; a link must lead somewhere."""
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "round.mp3").symlink_to("round.mp3")
    with pytest.raises(SuiteError, match="is a pipe or a device"):
        check_song(tmp_path / "pipe.mp3")
    with pytest.raises(SuiteError, match="is a link that leads nowhere"):
        check_song(tmp_path / "round.mp3")


def test_an_output_is_a_file_or_nothing_yet(tmp_path: Path) -> None:
    """A video never takes the place of a pipe, a device or a link that leads nowhere."""
    song = tmp_path / "song.mp3"
    song.write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "lost.mp4").symlink_to("nowhere.mp4")
    with pytest.raises(SuiteError, match="is a pipe or a device"):
        check_output(tmp_path / "pipe.mp4", song)
    with pytest.raises(SuiteError, match="is a pipe or a device"):
        check_output(Path("/dev/null"), song)
    with pytest.raises(SuiteError, match="is a link that leads nowhere"):
        check_output(tmp_path / "lost.mp4", song)
    assert not (tmp_path / "nowhere.mp4").exists()
    with pytest.raises(SuiteError, match="is not a folder"):
        check_output(song / "video.mp4", song)


def test_a_folder_must_take_a_new_file(tmp_path: Path) -> None:
    """A folder in which nothing can be made is named before the work; a good one stays empty."""
    check_folder(tmp_path / "video.mp4")
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="/proc"):
        check_folder(Path("/proc/video.mp4"))


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """A new file takes an old one's place at once, with the rights of any other; one that cannot
    be written leaves the old one, and nothing beside it."""
    output = tmp_path / "picture.png"
    output.write_bytes(b"old")
    write_whole(output, b"new")
    assert output.read_bytes() == b"new"
    plain = tmp_path / "plain"
    plain.touch()
    assert output.stat().st_mode == plain.stat().st_mode
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(folder, b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", "plain", "folder"}
