"""What a finished music video is worth, measured in its picture: docs/measures.md says how.

Decodes the video once. The song's analysis and the storyboard are the documents that `soundsight
analyze --json` and `soundsight storyboard --json` write.

    .venv/bin/python bench/film.py video.mp4 --analysis song.json --storyboard board.json
    .venv/bin/python bench/film.py ... --truth examples/first-light.json  # and against true beats
    .venv/bin/python bench/film.py ... --sheet shots.png               # a picture of every shot
    .venv/bin/python bench/film.py ... --sheet burst.png --burst 12.5  # 12 frames in a row
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray

from film_cuts import CutFinder
from film_truth import TrueBeats, moved, offset_s, read_true_beats
from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_kit.measures.chance import AgainstChance
from soundsight_kit.measures.correlation import Correlation
from soundsight_kit.measures.cuts import ShotLengths, cut_alignment, shot_lengths, shot_rates
from soundsight_kit.measures.documents import PlannedShots, SongFacts, planned_shots, song_facts
from soundsight_kit.measures.flashes import Flashes
from soundsight_kit.measures.look import look_follows_mood, pace_follows_energy
from soundsight_kit.measures.motion import (
    av_align,
    curve_per_frame,
    leave_out_cuts,
    motion_follows_onsets,
)
from soundsight_kit.measures.watch import Watched, Watcher
from soundsight_kit.timeline import check_storyboard

U8 = NDArray[np.uint8]

WIDTH = 256
"""The picture is measured at this width."""

BURST_FRAMES = 12
SHEET_COLUMNS = 6
BURST_COLUMNS = 4
SHEET_WIDTH = 1920


@dataclass(frozen=True)
class Seen:
    """What decoding the video gave."""

    size: tuple[int, int]
    fps: Fraction
    watched: Watched
    cut_frames: NDArray[np.int64]
    """First frames of shots, as they are found in the picture."""
    kept: Mapping[int, U8]
    """The pictures that were asked for, by frame: RGB."""

    @property
    def frames(self) -> int:
        """How many frames the video has."""
        return len(self.watched.change)


def see(video: Path, wanted: frozenset[int], kept_width: int) -> Seen:
    """Decodes a video once and measures every frame.

    Args:
        video: the file.
        wanted: frames whose pictures are kept.
        kept_width: width of those, in pixels.
    """
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        fps = stream.guessed_rate
        assert fps is not None
        width, height = stream.width, stream.height
        watcher = Watcher(float(fps))
        cuts = CutFinder(fps)
        kept: dict[int, U8] = {}
        for number, frame in enumerate(container.decode(stream)):
            picture = _scaled(frame, min(width, WIDTH))
            watcher.add(picture)
            cuts.add(picture)
            if number in wanted:
                kept[number] = _scaled(frame, kept_width)
    return Seen((width, height), fps, watcher.seen(), cuts.first_frames(), kept)


def _scaled(frame: av.VideoFrame, width: int) -> U8:
    """A frame as RGB of a width, each pixel the mean of those it stands for."""
    height = max(2, round(width * frame.height / frame.width))
    scaled = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return scaled.to_ndarray().astype(np.uint8, copy=False)


def report(
    seen: Seen, song: SongFacts, shots: PlannedShots, truth: TrueBeats | None = None
) -> Iterator[str]:
    """Yields the lines of the table."""
    fps, frames = float(seen.fps), seen.frames
    cuts_s = seen.cut_frames / fps
    planned = np.round(shots.cuts_s * fps).astype(np.int64)
    # Where either says a shot begins, the change says nothing about motion.
    motion = leave_out_cuts(seen.watched.change, np.union1d(seen.cut_frames, planned))
    bounds_s = np.concatenate([[0.0], cuts_s, [frames / fps]])

    yield f"{'':<34}{'value':>9}{'chance':>9}{'z':>7}"
    yield "cuts, found in the picture"
    cuts = cut_alignment(
        cuts_s,
        song.beats_s,
        song.downbeats_s,
        duration_s=song.duration_s,
        frame_s=1 / fps,
        anticipation_s=shots.anticipation_s,
    )
    yield _percent("on a beat", cuts.on_beat)
    yield _percent("on a downbeat", cuts.on_downbeat)
    yield _figure("beat alignment score", cuts.score)
    if truth is not None:
        yield from _against_truth(cuts_s, truth, song.duration_s, shots)
    if shots.anticipation_s:
        yield f"  cuts are meant to come {shots.anticipation_s * 1e3:.0f} ms before their beat"
    found = f"{_nearby(planned, seen.cut_frames)} of {len(planned)}"
    yield f"  {'planned cuts found':<32}{found:>9}   among {cuts.cuts} cuts found"
    yield f"  {'shot length':<32}{_lengths(shot_lengths(np.diff(bounds_s)))}"
    yield "motion follows music"
    onsets = curve_per_frame(song.onsets, song.onset_hop_s, frames, fps)
    follows = motion_follows_onsets(motion, onsets, fps)
    lag = f"   picture {abs(follows.lag_s) * 1e3:.0f} ms {'late' if follows.lag_s > 0 else 'early'}"
    yield _figure("correlation with onsets", follows.correlation) + (lag if follows.lag_s else "")
    align = av_align(motion, song.onsets, song.onset_hop_s, fps)
    yield _figure("AV-Align", align.score) + (
        f"   {align.onsets} onsets, {align.peaks} peaks, {align.matched} matched"
    )
    sections = len(song.names)
    yield ""
    yield f"{'':<34}{'Pearson':>9}{'Spearman':>9}   over {sections} sections"
    yield "pace follows energy"
    rates = shot_rates(bounds_s, song.sections_s)
    pace = pace_follows_energy(rates, motion, song.sections_s, fps, song.energy)
    yield _together("shot rate, energy", pace.shot_rate)
    yield _together("motion, energy", pace.motion)
    yield "look follows mood"
    mood = look_follows_mood(seen.watched.looks, song.sections_s, fps, song.valence, song.arousal)
    yield _together("brightness, valence", mood.brightness_valence)
    yield _together("brightness, arousal", mood.brightness_arousal)
    yield _together("saturation, valence", mood.saturation_valence)
    yield _together("saturation, arousal", mood.saturation_arousal)
    yield _together("warmth, valence", mood.warmth_valence)
    yield _together("warmth, arousal", mood.warmth_arousal)
    yield ""
    yield "flashes in the worst second, cuts included (3 are allowed)"
    yield _flashes("general", seen.watched.flashes.general)
    yield _flashes("red", seen.watched.flashes.red)


def _against_truth(
    cuts_s: NDArray[np.float64], truth: TrueBeats, duration_s: float, shots: PlannedShots
) -> Iterator[str]:
    """Yields the lines that compare cuts with what is known of the song, as far as it is known."""
    end_s = min(duration_s, truth.known_until_s)
    cuts = cut_alignment(
        cuts_s[cuts_s <= end_s],
        truth.beats_s[truth.beats_s <= end_s],
        truth.downbeats_s[truth.downbeats_s <= end_s],
        duration_s=end_s,
        frame_s=shots.frame_s,
        anticipation_s=shots.anticipation_s,
    )
    yield _percent("on a true beat", cuts.on_beat) + f"   {cuts.cuts} cuts up to {end_s:.0f} s"
    yield _percent("on a true downbeat", cuts.on_downbeat)
    yield _figure("true beat alignment score", cuts.score)


# What cannot be measured, such as cuts on the beats of a song without any.
_NONE = ("nan", "  -")


def _figure(name: str, figure: AgainstChance) -> str:
    return f"  {name:<32}{figure.value:>9.2f}{figure.chance:>9.2f}{figure.z:>7.1f}".replace(*_NONE)


def _percent(name: str, figure: AgainstChance) -> str:
    line = f"  {name:<32}{figure.value:>9.0%}{figure.chance:>9.0%}{figure.z:>7.1f}"
    return line.replace("nan%", "   -").replace(*_NONE)


def _together(name: str, found: Correlation) -> str:
    return f"  {name:<32}{found.pearson:>+9.2f}{found.spearman:>+9.2f}"


def _lengths(found: ShotLengths) -> str:
    return (
        f"mean {found.mean_s:.2f} s, median {found.median_s:.2f} s, "
        f"{found.shortest_s:.2f} to {found.longest_s:.2f} s"
    )


def _flashes(name: str, found: Flashes) -> str:
    where = f", first at {found.most_at_s:.1f} s" if found.most else ""
    line = f"  {name:<32}{found.most:>9}{where}"
    for start_s, end_s in found.too_many:
        line += f"\n    TOO MANY from {start_s:.1f} to {end_s:.1f} s"
    return line


def _nearby(planned: NDArray[np.int64], found: NDArray[np.int64]) -> int:
    """How many planned cuts were found, give or take a frame."""
    if not found.size:
        return 0
    return int((np.abs(planned[:, None] - found[None, :]).min(axis=1) <= 1).sum())


def shot_labels(board: Storyboard, shots: PlannedShots) -> dict[int, str]:
    """The middle frame of each planned shot, with the id of the scene it begins with."""
    names = [scene.id for scene in board.scenes if not scene.continues_previous]
    middles = (shots.bounds_s[:-1] + shots.bounds_s[1:]) / 2 / shots.frame_s
    return {int(middle): f"{name}  " for middle, name in zip(middles, names, strict=True)}


def sheet(kept: Mapping[int, U8], labels: Mapping[int, str], fps: float, columns: int) -> U8:
    """Pictures in rows, each with its label, time and frame below it."""
    tiles = []
    for number, picture in sorted(kept.items()):
        strip = np.full((22, picture.shape[1], 3), 24, dtype=np.uint8)
        text = f"{labels[number]}{_clock(number / fps)}  frame {number}"
        cv2.putText(
            strip, text, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA
        )
        tiles.append(np.vstack([picture, strip]))
    if not tiles:
        raise SystemExit("the video has none of the frames that the sheet should show")
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:05.2f}"


def read_documents(analysis: Path, storyboard: Path) -> tuple[SongAnalysis, Storyboard]:
    """Reads both documents and checks the storyboard."""
    song = json_format.Parse(analysis.read_bytes(), SongAnalysis(), ignore_unknown_fields=True)
    board = json_format.Parse(storyboard.read_bytes(), Storyboard(), ignore_unknown_fields=True)
    check_storyboard(board)
    return song, board


def main() -> None:
    """Measures a video and draws what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("video", type=Path, help="the finished video")
    parser.add_argument("--analysis", type=Path, required=True, metavar="FILE.json")
    parser.add_argument("--storyboard", type=Path, required=True, metavar="FILE.json")
    parser.add_argument(
        "--truth", type=Path, metavar="FILE.json", help="true beats: see film_truth"
    )
    parser.add_argument(
        "--truth-song", default="", metavar="NAME", help="the song's, where the truth has several"
    )
    parser.add_argument(
        "--truth-offset", action="store_true",
        help="the truth may be early or late by a constant: fit it to the heard beats first",
    )  # fmt: skip
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="write a contact sheet")
    parser.add_argument(
        "--burst", type=float, metavar="SECONDS",
        help=f"the sheet shows {BURST_FRAMES} frames in a row from here, instead of every shot",
    )  # fmt: skip
    words = parser.parse_args()
    analysis, board = read_documents(words.analysis, words.storyboard)
    song, shots = song_facts(analysis), planned_shots(board)

    truth = read_true_beats(words.truth, words.truth_song) if words.truth else None
    if truth is not None and words.truth_offset:
        by_s = offset_s(truth, song.beats_s)
        truth = moved(truth, by_s)
        print(
            f"true beats moved by a constant {by_s * 1e3:+.0f} ms, which fits the heard ones best"
        )

    columns = SHEET_COLUMNS
    labels = shot_labels(board, shots)
    if words.burst is not None:
        columns = BURST_COLUMNS
        first = math.floor(words.burst / shots.frame_s)
        labels = dict.fromkeys(range(first, first + BURST_FRAMES), "")
    wanted = frozenset(labels) if words.sheet else frozenset()
    began = time.monotonic()
    seen = see(words.video, wanted, SHEET_WIDTH // columns)
    taken_s = time.monotonic() - began

    width, height = seen.size
    print(f"{words.video}: {width}x{height}, {float(seen.fps):g} fps, {seen.frames} frames")
    if seen.frames != board.frames:
        print(f"note: the storyboard has {board.frames} frames; is it this video's?")
    print("\n".join(report(seen, song, shots, truth)))
    print(f"decoded and measured in {taken_s:.0f} s")
    if words.sheet:
        picture = sheet(seen.kept, labels, float(seen.fps), columns)
        cv2.imwrite(str(words.sheet), picture[..., ::-1])
        print(f"contact sheet: {words.sheet}")


if __name__ == "__main__":
    main()
