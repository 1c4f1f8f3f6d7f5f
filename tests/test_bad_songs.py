"""Any file may be given for a song: it becomes a right video or one clear line, and the suite goes
on as if nothing had been.

The decoder's own tests break songs in more ways; here a whole suite is given them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from command_line import CommandLine
from complaints import complaint, contents, run
from video_measures import VideoFacts, video_facts

from soundsight_kit.media.ffmpeg import ffmpeg_binary

FORMATS = {
    "flac": ["-c:a", "flac"],
    "mp3": ["-c:a", "libmp3lame", "-b:a", "128k"],
    # Pages of a fifth of a second: half of a file is half of its pages.
    "ogg": ["-c:a", "libvorbis", "-q:a", "4", "-page_duration", "200000"],
    "m4a": ["-c:a", "aac", "-b:a", "128k"],
    "wav": ["-c:a", "pcm_s16le"],
    "opus": ["-c:a", "libopus", "-b:a", "96k", "-page_duration", "200000"],
}
RATE_HZ = 44_100
LENGTH_S = 3
TINY = ("--width", "128", "--height", "72", "--quality", "draft")
TEN_HOURS_S = 36_000
MOST_MEMORY_BYTES = 1_500_000_000
"""What no process of the suite may ever have taken, whatever it was given."""

Samples = npt.NDArray[np.float64]


def ffmpeg(*words: str | Path) -> None:
    """Runs the suite's own ffmpeg, which must succeed."""
    subprocess.run(
        [ffmpeg_binary(), "-hide_banner", "-loglevel", "error", "-y", *map(str, words)], check=True
    )


def sound(seconds: float, rate_hz: int = RATE_HZ, channels: int = 2) -> Samples:
    """A rising tone with a knock every half second, shape (n, channels)."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * (220 + 60 * time) * time)
    knocks = 0.4 * np.sin(2 * np.pi * 90 * time) * np.exp(-40 * np.modf(2 * time)[0])
    return np.repeat((tone + knocks)[:, None], channels, axis=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good song in each of FORMATS."""
    folder = tmp_path_factory.mktemp("whole")
    source = folder / "source.wav"
    soundfile.write(source, sound(LENGTH_S), RATE_HZ, subtype="PCM_16")
    for ending, codec in FORMATS.items():
        ffmpeg("-i", source, *codec, "-fflags", "+bitexact", folder / f"song.{ending}")
    return folder


@pytest.fixture(scope="module", autouse=True)
def processes(suite: CommandLine, whole: Path) -> Iterator[dict[int, str]]:
    """The suite's processes as they are before any bad song, by their ids.

    They must be the same at the end, and none may have grown without bounds.
    """
    suite.ok("render", whole / "song.flac", "-q", "-o", whole / "first.mp4", *TINY)
    before = processes_of(suite)
    assert len(before) > 5
    yield before
    after = processes_of(suite)
    assert {pid: after.get(pid) for pid in before} == before
    assert max(map(most_memory_bytes, after)) < MOST_MEMORY_BYTES


def processes_of(suite: CommandLine) -> dict[int, str]:
    """The suite's supervisor and what it started, by process id, with what was started."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # It has ended.
    found = {json.loads((suite.state / "suite.json").read_text())["pid"]}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    named = {}
    for pid in found:
        with contextlib.suppress(OSError):  # It has ended.
            named[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return named


def most_memory_bytes(pid: int) -> int:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def heard_s(suite: CommandLine, song: Path, *words: str) -> float:
    """Has a song analysed, which must succeed; returns its length in seconds."""
    done = run(suite, "analyze", song, "-q", "--json", "-", *words)
    assert done.returncode == 0, done.stderr + suite.logs()
    assert done.stderr == ""
    length_s: float = json.loads(done.stdout)["audio"]["duration_s"]
    return length_s


def refusal(suite: CommandLine, song: Path | bytes | str, folder: Path | None = None) -> str:
    """Has a render of a song refused, which must leave nothing behind; returns why."""
    beside = folder or Path(os.fsdecode(song)).parent
    before = contents(beside)
    told = complaint(run(suite, "render", song, "-q", "-o", beside / "video.mp4", folder=folder))
    assert contents(beside) == before
    return told


def filmed(suite: CommandLine, song: Path, *words: str) -> VideoFacts:
    """Has a small video made of a song, which must succeed."""
    video = song.with_name("video.mp4")
    done = run(suite, "render", song, "-q", "-o", video, *TINY, *words)
    assert done.returncode == 0, done.stderr + suite.logs()
    assert done.stderr == ""
    return video_facts(video)


# --- what is no song --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.mp3", b"", "is empty"),
        ("text.mp3", b"this is no song, whatever its name says\n" * 50, "mp3, ogg, opus, flac"),
        ("zeros.wav", bytes(100_000), "mp3, ogg, opus, flac"),
        ("noise.mp3", random.Random(3).randbytes(100_000), "can(not)? be (read|decoded)|no sound"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "mp3, ogg"),
    ],
)
def test_what_is_no_song_is_refused(
    suite: CommandLine, tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    """A file that holds no song costs a line that says what would be one."""
    song = tmp_path / name
    song.write_bytes(content)
    assert re.search(told, refusal(suite, song))


def test_pictures_without_sound_are_refused(suite: CommandLine, tmp_path: Path) -> None:
    """A video without sound is told apart from a file that cannot be read."""
    song = tmp_path / "silent.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-an", song)
    assert "has no sound in it" in refusal(suite, song)


def test_a_song_without_a_sample_is_refused(suite: CommandLine, tmp_path: Path) -> None:
    """A well-formed file that holds nothing is told apart from a broken one."""
    song = tmp_path / "nothing.wav"
    soundfile.write(song, np.zeros((0, 2)), RATE_HZ, subtype="PCM_16")
    assert "no sound at all" in refusal(suite, song)


def test_a_pipe_is_refused_at_once(suite: CommandLine, tmp_path: Path) -> None:
    """A named pipe that nobody writes to does not hold a command up."""
    pipe = tmp_path / "song.wav"
    os.mkfifo(pipe)
    assert "is a pipe" in refusal(suite, pipe)


def test_what_is_no_file_is_refused(suite: CommandLine, tmp_path: Path) -> None:
    """A folder, a device and a link to itself are no songs."""
    (tmp_path / "round.mp3").symlink_to("round.mp3")
    (tmp_path / "folder.mp3").mkdir()
    assert "link that leads nowhere" in refusal(suite, tmp_path / "round.mp3")
    assert "is not a file" in refusal(suite, tmp_path / "folder.mp3")
    assert "is a pipe or a device" in refusal(suite, "/dev/zero", tmp_path)


# --- what is half a song ----------------------------------------------------------------------


@pytest.mark.parametrize("ending", FORMATS)
def test_a_song_that_is_cut_off_is_as_long_as_what_is_there(
    suite: CommandLine, whole: Path, tmp_path: Path, ending: str
) -> None:
    """Half a file gives the half that is there, or, with its index gone, a refusal."""
    data = (whole / f"song.{ending}").read_bytes()
    song = tmp_path / f"song.{ending}"
    song.write_bytes(data[: len(data) // 2])
    if ending == "m4a":
        assert "not a sound file that can be read" in refusal(suite, song)
        ffmpeg("-i", whole / "song.m4a", "-c", "copy", "-movflags", "+faststart", song)
        data = song.read_bytes()
        song.write_bytes(data[: len(data) // 2])
    assert 0.15 * LENGTH_S < heard_s(suite, song) < 0.7 * LENGTH_S


@pytest.mark.parametrize("ending", FORMATS)
def test_a_damaged_song_loses_its_damage_at_most(
    suite: CommandLine, whole: Path, tmp_path: Path, ending: str
) -> None:
    """Bytes overwritten here and there cost parts of the song, or all of it, and no more."""
    data = bytearray((whole / f"song.{ending}").read_bytes())
    dice = random.Random(5)
    for _ in range(40):
        data[dice.randrange(len(data) // 10, len(data))] = dice.randrange(256)
    song = tmp_path / f"song.{ending}"
    song.write_bytes(data)
    done = run(suite, "analyze", song, "-q", "--json", "-")
    if done.returncode == 0:
        assert 0 < json.loads(done.stdout)["audio"]["duration_s"] < LENGTH_S + 0.2
    else:
        assert "upload" in complaint(done)


def _claim_in_wav(data: bytearray) -> None:
    """The size of the chunk `data` (and of the file around it)."""
    start = data.index(b"data") + 4
    claimed = TEN_HOURS_S * RATE_HZ * 2
    data[start : start + 4] = struct.pack("<I", claimed)
    data[4:8] = struct.pack("<I", claimed + start)


def _claim_in_flac(data: bytearray) -> None:
    """The 36 bits of STREAMINFO that count samples (RFC 9639, 8.2)."""
    field = int.from_bytes(data[18:26])
    field = field >> 36 << 36 | TEN_HOURS_S * RATE_HZ
    data[18:26] = field.to_bytes(8)


def _claim_in_mp3(data: bytearray) -> None:
    """The number of frames in the header that LAME writes."""
    start = next(data.index(tag) for tag in (b"Xing", b"Info") if tag in data) + 8
    data[start : start + 4] = struct.pack(">I", TEN_HOURS_S * RATE_HZ // 1152)


@pytest.mark.parametrize(
    ("ending", "claim"), [("wav", _claim_in_wav), ("flac", _claim_in_flac), ("mp3", _claim_in_mp3)]
)
def test_a_header_that_claims_ten_hours_is_not_believed(
    suite: CommandLine,
    whole: Path,
    tmp_path: Path,
    ending: str,
    claim: Callable[[bytearray], None],
) -> None:
    """A song is as long as its samples, whatever its header says."""
    data = bytearray((whole / f"song.{ending}").read_bytes())
    claim(data)
    song = tmp_path / f"song.{ending}"
    song.write_bytes(data)
    assert abs(heard_s(suite, song) - LENGTH_S) < 0.1


def test_a_song_that_grows_is_taken_as_it_was(suite: CommandLine, tmp_path: Path) -> None:
    """A file that is still being written gives a video of what was there."""
    song, source = tmp_path / "song.mp3", tmp_path / "source.wav"
    soundfile.write(source, sound(1), RATE_HZ)
    # Without a header that says how much there is of it, as a recorder writes it.
    bare = ("-write_xing", "0", "-id3v2_version", "0", "-map_metadata", "-1")
    ffmpeg("-i", source, *FORMATS["mp3"], *bare, song)
    second = song.read_bytes()
    over = threading.Event()

    def write_on() -> None:
        with song.open("ab", buffering=0) as file:
            for start in itertools.cycle(range(0, len(second), 400)):
                file.write(second[start : start + 400])
                if over.wait(0.01):
                    return

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        facts = filmed(suite, song, "--fps", "1")
    finally:
        over.set()
        writer.join()
    heard_s = len(facts.sound) / facts.sample_rate_hz
    assert 1 <= heard_s < len(song.read_bytes()) / len(second)
    assert abs(facts.frames - heard_s) <= 1


# --- odd songs, which are songs ---------------------------------------------------------------


def _one_sample(path: Path) -> tuple[int, int]:
    soundfile.write(path, np.full((1, 2), 0.5), RATE_HZ, subtype="PCM_16")
    return 1, RATE_HZ


def _one_second(path: Path) -> tuple[int, int]:
    soundfile.write(path, sound(1), RATE_HZ, subtype="PCM_16")
    return RATE_HZ, RATE_HZ


def _silence(path: Path) -> tuple[int, int]:
    soundfile.write(path, np.zeros((RATE_HZ, 2)), RATE_HZ, subtype="PCM_16")
    return RATE_HZ, RATE_HZ


def _clipping_noise(path: Path) -> tuple[int, int]:
    noise = np.random.default_rng(1).standard_normal((RATE_HZ, 2)) * 4
    soundfile.write(path, noise.clip(-1, 1), RATE_HZ, subtype="PCM_16")
    return RATE_HZ, RATE_HZ


def _noise_beyond_full_scale(path: Path) -> tuple[int, int]:
    noise = np.random.default_rng(1).standard_normal((RATE_HZ, 2)) * 100
    noise[::97] = np.nan
    noise[::89] = np.inf
    soundfile.write(path, noise, RATE_HZ, subtype="FLOAT")
    return RATE_HZ, RATE_HZ


def _telephone(path: Path) -> tuple[int, int]:
    soundfile.write(path, sound(1, 8_000, 1), 8_000, subtype="PCM_16")
    return 8_000, 8_000


def _studio(path: Path) -> tuple[int, int]:
    soundfile.write(path, sound(1, 192_000), 192_000, subtype="PCM_24")
    return 48_000, 48_000


def _eight_channels(path: Path) -> tuple[int, int]:
    soundfile.write(path, sound(1, channels=8) / 8, RATE_HZ, subtype="PCM_16")
    return RATE_HZ, RATE_HZ


MakeSong = Callable[[Path], tuple[int, int]]
"""Writes a song; returns its samples and the rate that a video of it has."""

FILMED: list[MakeSong] = [_one_sample, _silence, _studio]
HEARD: list[MakeSong] = [
    _one_second,
    _clipping_noise,
    _noise_beyond_full_scale,
    _telephone,
    _eight_channels,
]


def film(suite: CommandLine, folder: Path, make: MakeSong) -> None:
    """Has a video made of an odd song, which must have its length and its sound."""
    song = folder / "song.wav"
    samples, rate_hz = make(song)
    facts = filmed(suite, song)
    assert facts.frames == max(1, int(Fraction(samples, rate_hz) * 24 + Fraction(1, 2)))
    assert facts.regular
    # A sound of few samples per second is brought to what all players know.
    assert facts.sample_rate_hz == (rate_hz if rate_hz >= 32_000 else 48_000)
    # The codec may add a block, and a frame of picture is the least there is.
    longer_s = len(facts.sound) / facts.sample_rate_hz - samples / rate_hz
    assert abs(longer_s) <= 1 / 24 + 1_024 / facts.sample_rate_hz
    assert np.isfinite(facts.sound).all()
    if make is _silence:
        assert np.abs(facts.sound).max() < 1e-3
    elif make is not _one_sample:
        assert np.abs(facts.sound).max() > 0.05


@pytest.fixture(scope="module")
def films(
    suite: CommandLine, processes: dict[int, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[MakeSong, Future[None]]]:
    """Videos of FILMED, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            make: pool.submit(film, suite, tmp_path_factory.mktemp("odd"), make) for make in FILMED
        }


@pytest.mark.parametrize("make", FILMED)
def test_an_odd_song_becomes_a_video(films: dict[MakeSong, Future[None]], make: MakeSong) -> None:
    """The shortest, the quietest and the finest song become videos of their length, and are heard
    in them."""
    films[make].result()


@pytest.mark.parametrize("make", HEARD)
def test_an_odd_song_is_a_song(suite: CommandLine, tmp_path: Path, make: MakeSong) -> None:
    """A second, noise, samples that are no numbers, few of them and many channels are listened to
    as others are."""
    song = tmp_path / "song.wav"
    samples, rate_hz = make(song)
    assert heard_s(suite, song) == samples / rate_hz


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("make", HEARD)
def test_every_odd_song_becomes_a_video(suite: CommandLine, tmp_path: Path, make: MakeSong) -> None:
    """They also become videos of their length, and are heard in them."""
    film(suite, tmp_path, make)


def test_a_cover_picture_is_no_film(suite: CommandLine, whole: Path, tmp_path: Path) -> None:
    """A song with its cover as a stream of pictures is a song like any other."""
    cover, song = tmp_path / "cover.png", tmp_path / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=600x600", "-frames:v", "1", cover)
    ffmpeg(
        *("-i", whole / "song.mp3", "-i", cover, "-map", "0:a", "-map", "1:v", "-c", "copy"),
        *("-disposition:v", "attached_pic", song),
    )
    facts = filmed(suite, song, "--to", "1")
    assert facts.frames == 24
    assert abs(facts.video_start_s - facts.audio_start_s) < 1 / 24


@pytest.mark.parametrize(
    "name",
    [
        b'it\'s "quoted".flac',
        b"two\nlines.flac",
        b"--output.flac",
        b"$(touch harm) `touch harm`; touch harm.flac",
        b"file:song.flac",
        b"[red]song.flac",
        b"caf\xe9.flac",
        b"\x1b[31mred.flac",
        "ноты 🎵.flac".encode(),
        b"x" * 250 + b".flac",
    ],
)
def test_any_name_will_do(suite: CommandLine, whole: Path, tmp_path: Path, name: bytes) -> None:
    """A song may have any name that a file can have, and so may its video. The command that is
    told at the end names it as a shell would take it."""
    song = tmp_path / os.fsdecode(name)
    song.write_bytes((whole / "song.flac").read_bytes())
    # The same song at the same size as before: nothing is filmed anew.
    done = run(suite, "render", *TINY, "--", name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(tmp_path.iterdir()) == {song, tmp_path / os.fsdecode(name[:-4] + b"mp4")}
    rows = done.stdout.splitlines()
    assert rows[0].startswith("video ")
    assert all(row.isprintable() for row in rows)
    [command] = [row.partition(" soundsight ")[2] for row in rows if row.startswith("storyboard ")]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True, cwd=tmp_path
    ).stdout.split(b"\0")
    assert (tmp_path / os.fsdecode(words[1])).samefile(song)


# --- long songs -------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_song_of_three_hours_is_refused_but_not_a_part_of_it(
    suite: CommandLine, tmp_path: Path
) -> None:
    """What is longer than a video may be is refused; any part of it that is not is taken."""
    song = tmp_path / "song.flac"
    ffmpeg("-f", "lavfi", "-i", "sine=220:sample_rate=8000:duration=10800", "-c:a", "flac", song)
    assert "longer than 120 minutes; choose an excerpt" in refusal(suite, song)
    assert heard_s(suite, song, "--from", "2:59:58") == 2
    assert heard_s(suite, song, "--from", "1:00:00", "--to", "1:00:01") == 1
    done = run(suite, "analyze", song, "-q", "--from", "3:00:01")
    assert "--from" in complaint(done, 2)


# --- and afterwards ---------------------------------------------------------------------------


def test_the_suite_goes_on_serving(suite: CommandLine, whole: Path) -> None:
    """After all of that a good song becomes a video as before."""
    facts = filmed(suite, whole / "song.ogg", "--from", "1", "--to", "2")
    assert facts.frames == 24
    assert not [path for path in (suite.state / "scratch").rglob("*") if path.is_file()]
    assert "Traceback" not in "".join(
        log.read_text() for log in (suite.state / "logs").glob("*.log")
    )
