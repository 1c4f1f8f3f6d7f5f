"""How long a storyboard takes: the planner and the rules writer, without the call around them.

Songs are made up, with beats, sections, events, curves and words like those of real ones; songs of
your own are the documents that `soundsight analyze --json` writes. Each is written several times,
of which the median is printed, and each time must give the same bytes.

    .venv/bin/python bench/storyboard.py
    .venv/bin/python bench/storyboard.py song.json --pace fast --anticipation 2
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf import json_format

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight.common.v1.common_pb2 import FrameRate, Resolution
from soundsight.scenewriter.v1.scenewriter_pb2 import Brief, Pace, WriteStoryboardRequest
from soundsight.scenewriter.v1.storyboard_pb2 import Authorship
from soundsight.videogen.v1.profile_pb2 import VideoGenProfile
from soundsight_kit.timeline import video_frames
from soundsight_scenewriter.requests import read_write_request
from soundsight_scenewriter.storyboards import write_storyboard

RATE = FrameRate(num=24, den=1)
# A backend with the limits of Wan 2.1: 4k + 1 frames, 81 at most.
VIDEO = VideoGenProfile(frame_step=4, frame_offset=1, min_frames=5, max_frames=81)
LENGTHS_S = (30.0, 240.0, 600.0, 3600.0, 7200.0)
SAMPLE_RATE_HZ = 44_100
RUNS = 5
_HEADS = ("song", "length", "shots", "scenes", "read ms", "planner ms", "writer ms", "all ms")

BPM = 126.0
BAR_S = 240.0 / BPM
PART_BARS = 16
# Energy, function and event of the parts that a made-up song goes through again and again.
PARTS = (
    (0.3, a.SECTION_FUNCTION_INTRO, None),
    (0.55, a.SECTION_FUNCTION_VERSE, None),
    (0.2, a.SECTION_FUNCTION_BREAK, a.MUSIC_EVENT_KIND_BREAK),
    (0.6, a.SECTION_FUNCTION_PRE_CHORUS, a.MUSIC_EVENT_KIND_BUILD_UP),
    (0.95, a.SECTION_FUNCTION_CHORUS, a.MUSIC_EVENT_KIND_DROP),
)


def made_up(duration_s: float) -> a.SongAnalysis:
    """A song of electronic music with words, as an analyzer would describe it."""
    song = a.SongAnalysis()
    song.audio.samples = round(duration_s * SAMPLE_RATE_HZ)
    song.audio.sample_rate_hz = SAMPLE_RATE_HZ
    song.audio.duration_s = duration_s
    song.rhythm.tempo_bpm = BPM
    song.rhythm.beats_evidence.confidence = 0.9
    for beat in range(int(duration_s / BAR_S * 4)):
        song.rhythm.beats.add(time_s=beat * BAR_S / 4, position=beat % 4 + 1, confidence=0.9)
    song.emotion.overall.arousal = 0.6
    for label in ("electronic", "dance"):
        song.tags.add(group="genre", label=label, score=0.8).evidence.source = "made up"
    part_s = PART_BARS * BAR_S
    for number in range(max(1, round(duration_s / part_s))):
        energy, function, event = PARTS[number % len(PARTS)]
        start_s = number * part_s
        song.sections.add(
            start_s=start_s,
            end_s=min(duration_s, start_s + part_s),
            label="ABCDE"[number % len(PARTS)],
            occurrence=number // len(PARTS) + 1,
            function=function,
            energy=energy,
        )
        if event is not None:
            lasts_s = 0.0 if event == a.MUSIC_EVENT_KIND_DROP else part_s
            song.dynamics.events.add(kind=event, time_s=start_s, duration_s=lasts_s)
    song.sections[-1].end_s = duration_s
    _add_curves(song, duration_s)
    _add_words(song)
    return song


def _add_curves(song: a.SongAnalysis, duration_s: float) -> None:
    """Energy by section, with a swell and noise on it; the others follow it."""
    hop_s = max(0.02, duration_s / 50_000)
    times = np.arange(int(duration_s / hop_s)) * hop_s
    starts = [section.start_s for section in song.sections]
    level = np.array([section.energy for section in song.sections])
    noise = np.random.default_rng(1).normal(0.0, 0.04, times.size)
    energy = level[np.searchsorted(starts, times, side="right") - 1] + noise
    pulse = np.exp(-6.0 * np.mod(times, BAR_S / 4) / (BAR_S / 4))
    for kind, values in (
        (a.CURVE_KIND_ENERGY, energy),
        (a.CURVE_KIND_BASS, energy * pulse),
        (a.CURVE_KIND_ONSET, pulse),
        (a.CURVE_KIND_BRIGHTNESS, 0.3 + 0.5 * energy),
    ):
        song.dynamics.curves.add(kind=kind, hop_s=hop_s, values=np.clip(values, 0, 1).tolist())


def _add_words(song: a.SongAnalysis) -> None:
    """A line of six words every two bars of the verses and choruses, beginning before the bar."""
    for section in song.sections:
        if section.function not in (a.SECTION_FUNCTION_VERSE, a.SECTION_FUNCTION_CHORUS):
            continue
        for line in np.arange(section.start_s + BAR_S, section.end_s - 2 * BAR_S, 2 * BAR_S):
            sung = song.lyrics.lines.add(start_s=line - 0.1, end_s=line + 2.3, text="la " * 6)
            for word in range(6):
                start_s = sung.start_s + 0.4 * word
                sung.words.add(start_s=start_s, end_s=start_s + 0.35, text="la", confidence=0.9)


def request(song: a.SongAnalysis, brief: Brief) -> WriteStoryboardRequest:
    """What is asked of the scene writer."""
    audio = song.audio
    return WriteStoryboardRequest(
        analysis=song,
        frames=video_frames(audio.samples, audio.sample_rate_hz, RATE),
        frame_rate=RATE,
        resolution=Resolution(width=1280, height=720),
        video=VIDEO,
        brief=brief,
        seed=1,
    )


def measure(name: str, asked: WriteStoryboardRequest) -> tuple[str, ...]:
    """One row of the table.

    Raises SystemExit when the same request gives two storyboards.
    """
    times_ms, boards = [], []
    for _ in range(RUNS):
        marks = [time.perf_counter()]
        order = read_write_request(asked)
        marks.append(time.perf_counter())

        def report(
            stage: str, done: int, total: int, message: str, at: list[float] = marks
        ) -> None:
            if stage == "plan" and done == total:
                at.append(time.perf_counter())

        boards.append(write_storyboard(order, Authorship(), report))
        marks.append(time.perf_counter())
        times_ms.append(np.diff(marks) * 1e3)
    if len({board.SerializeToString(deterministic=True) for board in boards}) > 1:
        sys.exit(f"{name}: the same request gave different storyboards")
    read_ms, plan_ms, write_ms = np.median(times_ms, axis=0)
    minutes, seconds = divmod(order.timeline.duration_s, 60)
    scenes = boards[0].scenes
    return (
        name,
        f"{minutes:.0f}:{seconds:02.0f}",
        str(sum(not scene.continues_previous for scene in scenes)),
        str(len(scenes)),
        *(f"{ms:.0f}" for ms in (read_ms, plan_ms, write_ms, read_ms + plan_ms + write_ms)),
    )


def songs(documents: list[Path]) -> Iterator[tuple[str, a.SongAnalysis]]:
    """The songs by their names: those of the documents, or made-up ones."""
    for path in documents:
        yield path.stem, json_format.Parse(path.read_bytes(), a.SongAnalysis())
    if not documents:
        for length_s in LENGTHS_S:
            yield "made up", made_up(length_s)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("analysis", type=Path, nargs="*", help="analyses; none: made-up songs")
    parser.add_argument("--pace", choices=["calm", "standard", "fast"], default="standard")
    parser.add_argument("--anticipation", type=int, default=0, metavar="FRAMES", help="0 to 3")
    words = parser.parse_args()
    brief = Brief(
        pace=Pace.Value(f"PACE_{words.pace.upper()}"), cut_anticipation_frames=words.anticipation
    )
    widths = (26, *(max(8, len(head)) for head in _HEADS[1:]))

    def line(cells: tuple[str, ...]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return " ".join([cells[0].ljust(widths[0]), *padded[1:]])

    print(line(_HEADS))
    for name, song in songs(words.analysis):
        print(line(measure(name, request(song, brief))), flush=True)
    print(f"medians of {RUNS} runs, which gave the same bytes")


if __name__ == "__main__":
    main()
