"""A song goes in, a music video comes out: what is promised of the finished file.

Everything is measured by decoding the file; nothing is taken from the storyboard.
"""

from __future__ import annotations

import signal
import subprocess
from fractions import Fraction
from itertools import pairwise
from math import floor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import CommandLine, Example
from video_measures import (
    VideoFacts,
    cut_times_s,
    luma,
    read_sound,
    sound_offset_s,
    video_facts,
)

from songsmith import compose
from songsmith.files import write_song


def frames_of(samples: int, sample_rate_hz: int, rate: Fraction) -> int:
    """The suite's formula, written down a second time."""
    return max(1, floor(Fraction(samples, sample_rate_hz) * rate + Fraction(1, 2)))


def assert_the_song_is_whole(facts: VideoFacts, song: Path) -> None:
    """The song is heard from its first to its last sample, within one frame of the picture."""
    sound, rate_hz, _ = read_sound(song)
    assert facts.sample_rate_hz == rate_hz
    frame_s = float(1 / facts.frame_rate)
    assert abs(facts.audio_start_s - facts.video_start_s) < frame_s
    assert abs(sound_offset_s(facts.sound, sound, rate_hz)) < 0.001
    assert abs(len(facts.sound) - len(sound)) / rate_hz < frame_s
    overlap = min(len(facts.sound), len(sound))
    assert np.corrcoef(facts.sound[:overlap], sound[:overlap])[0, 1] > 0.99


def test_the_example_becomes_a_whole_video(example: Example) -> None:
    """The example song's video has the frames of the formula and the whole song in sync."""
    facts = video_facts(example.video)
    sound, rate_hz, _ = read_sound(example.song)
    assert facts.frames == frames_of(len(sound), rate_hz, facts.frame_rate)
    assert facts.frame_rate == 24
    assert facts.regular
    assert facts.faststart
    assert facts.audio_codec == "aac"
    assert_the_song_is_whole(facts, example.song)


def test_the_example_is_cut_on_its_beats(example: Example) -> None:
    """At least 95 % of the cuts found in the picture fall on true beats."""
    cuts = np.array(cut_times_s(example.video))
    beats = np.array(example.beats_s)
    distance_s = np.abs(cuts[:, None] - beats[None, :]).min(axis=1)
    on_beat = distance_s <= 0.5 / 24 + 0.020
    assert len(cuts) >= 5  # at least where the six sections meet
    assert on_beat.mean() >= 0.95, sorted(zip(distance_s.round(3), cuts.round(2), strict=True))[-5:]


def test_every_shot_of_the_example_is_worth_seeing(example: Example) -> None:
    """No shot is black, white, flat or frozen, and a cut changes the picture."""
    pictures = luma(example.video).astype(np.float32)
    edges = [0, *(round(cut * 24) for cut in cut_times_s(example.video)), len(pictures)]
    for start, end in pairwise(edges):
        shot = pictures[start:end]
        assert 8 < shot.mean() < 235, (start, end)
        assert shot[len(shot) // 2].std() > 6, (start, end)
        changes = np.abs(np.diff(shot, axis=0)).mean(axis=(1, 2))
        assert np.median(changes) > 0.05, (start, end)


def test_the_same_command_again_makes_nothing_anew(example: Example, tmp_path: Path) -> None:
    """The same command finds its finished render and gives the same file, filming nothing."""
    again = tmp_path / "again.mp4"
    clips = set((example.command_line.state / "artifacts").rglob("clip.mp4"))
    example.command_line.ok(
        "render", example.song, "-o", again, "--width", "640", "--height", "360"
    )
    assert again.read_bytes() == example.video.read_bytes()
    assert set((example.command_line.state / "artifacts").rglob("clip.mp4")) == clips


def test_an_interrupted_render_goes_on(
    suite: CommandLine, example: Example, tmp_path: Path
) -> None:
    """After Ctrl-C in mid-filming the same command keeps what was filmed."""
    video = tmp_path / "video.mp4"
    words = (
        "render",
        example.song,
        "-o",
        video,
        "--width",
        "640",
        "--height",
        "360",
        "--seed",
        "7",
    )
    artifacts = suite.state / "artifacts"
    before = set(artifacts.rglob("clip.json"))
    with subprocess.Popen(
        suite.arguments(*words), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "filming" in line and set(artifacts.rglob("clip.json")) - before:
                running.send_signal(signal.SIGINT)
                break
        _, told = running.communicate(timeout=400)
    assert running.returncode == 130, told
    assert "goes on where this one stopped" in told
    assert not video.exists()
    printed = suite.ok(*words)
    kept = int(printed.split(" kept from before")[0].rsplit("(", 1)[1])
    assert kept >= 1
    assert video_facts(video).frames == video_facts(example.video).frames


@pytest.mark.parametrize(
    ("kind", "bars", "fps", "rate"),
    [
        ("ogg", 3, "30000/1001", Fraction(30000, 1001)),
        ("mp3", 4, "25", Fraction(25)),
        ("wav", 2, "24", Fraction(24)),
    ],
)
def test_any_song_becomes_a_whole_video(
    suite: CommandLine, tmp_path: Path, kind: str, bars: int, fps: str, rate: Fraction
) -> None:
    """Songs of other formats and lengths, at other frame rates, keep every promise."""
    flac, _ = write_song(compose(seed=bars, form=[("verse", bars)]), tmp_path, "song")
    song = flac.with_suffix(f".{kind}")
    convert(flac, song)
    video = tmp_path / "video.mp4"
    suite.ok("render", song, "-o", video, "--width", "256", "--height", "144", "--fps", fps)
    facts = video_facts(video)
    sound, rate_hz, _ = read_sound(song)
    assert facts.frame_rate == rate
    assert facts.frames == frames_of(len(sound), rate_hz, rate)
    assert facts.regular
    assert_the_song_is_whole(facts, song)


def test_an_excerpt_is_cut_to_the_sample(suite: CommandLine, example: Example) -> None:
    """`--from` and `--to` give exactly that part of the song."""
    video = example.video.with_name("excerpt.mp4")
    part = ("--from", "10.5", "--to", "0:13.25")
    suite.ok("render", example.song, "-o", video, *part, "--width", "256", "--height", "144")
    facts = video_facts(video)
    sound, rate_hz, _ = read_sound(example.song)
    wanted = sound[round(10.5 * rate_hz) : round(13.25 * rate_hz)]
    assert facts.frames == frames_of(len(wanted), rate_hz, Fraction(24)) == 66
    assert abs(sound_offset_s(facts.sound, wanted, rate_hz)) < 0.001


@pytest.mark.parametrize("content", [b"", b"this is no song, whatever its name says\n" * 50])
def test_what_is_no_song_is_refused_in_one_line(
    suite: CommandLine, tmp_path: Path, content: bytes
) -> None:
    """A file that is no song ends the command with one clear line."""
    song = tmp_path / "song.mp3"
    song.write_bytes(content)
    done = suite("render", song, "-o", tmp_path / "video.mp4")
    assert done.returncode == 1
    complaint = [line for line in done.stderr.splitlines() if line.startswith("soundsight:")]
    assert len(complaint) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "video.mp4").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--fps", "0"), "--fps"),
        (("--fps", "1000"), "--fps"),
        (("--width", "641", "--height", "360"), "--width"),
        (("--width", "999998", "--height", "360"), "--width"),
        (("--from", "5", "--to", "2"), "--to"),
        (("--from", "500"), "excerpt"),
        (("--style", "x" * 100_000), "--style"),
    ],
)
def test_a_bad_option_is_named(
    suite: CommandLine, example: Example, tmp_path: Path, words: tuple[str, ...], named: str
) -> None:
    """A value out of range ends the command with one line that names the option."""
    done = suite("render", example.song, "-o", tmp_path / "video.mp4", *words)
    assert done.returncode in (1, 2)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("soundsight:"), done.stderr
    assert named in last
    assert "Traceback" not in done.stderr


def convert(source: Path, destination: Path) -> None:
    """Writes a song anew in the format of the destination's name (libsndfile)."""
    samples, rate_hz = soundfile.read(source)
    soundfile.write(destination, samples, rate_hz)


def test_analysis_and_storyboard_are_documents(
    suite: CommandLine, example: Example, tmp_path: Path
) -> None:
    """`analyze` and `storyboard` print summaries and write the whole documents."""
    assert "tempo" in suite.ok("analyze", example.song)
    board = tmp_path / "board.json"
    suite.ok("storyboard", example.song, "--json", board)
    assert b'"treatment"' in board.read_bytes()
    told = subprocess.run(
        suite.arguments("info"), capture_output=True, text=True, timeout=400, check=True
    ).stdout
    assert "AGPL" in told
    assert "videogen" in told
