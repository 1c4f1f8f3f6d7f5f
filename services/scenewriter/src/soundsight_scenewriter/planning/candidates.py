"""Where else a cut may fall: beats, breaks, the climax, and onsets where no pulse is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from soundsight_scenewriter.planning.anchors import snap_to_pulse
from soundsight_scenewriter.planning.passages import Passage, PassageKind
from soundsight_scenewriter.planning.types import Candidate, Reason
from soundsight_scenewriter.planning.words import SungWords
from soundsight_scenewriter.song import CurveName, EventName, Floats, Song, steps
from soundsight_scenewriter.timeline import Timeline

Frames = NDArray[np.int64]
Flags = NDArray[np.bool_]

# A hole in the pulse: longer than this many beats, and longer than this many seconds.
_HOLE_BEATS = 2.2
_HOLE_S = 2.0
_HOLE_STEP_S = 0.5
# How far over a cut's strength in the loudness curve is looked.
_NOVELTY_SPAN_S = 0.4
_CUT_EVENTS = (EventName.BREAK, EventName.CLIMAX)
_RANK = {Reason.EVENT: 0, Reason.DOWNBEAT: 1, Reason.BEAT: 2, Reason.LENGTH: 3}


def _beats(song: Song, timeline: Timeline, anticipation_frames: int) -> list[Candidate]:
    frames = timeline.nearest_frames(song.beats_s) - anticipation_frames
    middle = song.beats_per_bar // 2 + 1 if song.beats_per_bar % 2 == 0 else 0
    return [
        Candidate(
            int(frame),
            Reason.DOWNBEAT if position == 1 else Reason.BEAT,
            index,
            half_bar=bool(middle and position == middle),
        )
        for index, (frame, position) in enumerate(zip(frames, song.positions, strict=True))
    ]


def _events(song: Song, timeline: Timeline, anticipation_frames: int) -> list[Candidate]:
    found = []
    for event in song.events:
        if event.name in _CUT_EVENTS:
            time_s, beat = snap_to_pulse(song, event.time_s)
            frame = timeline.nearest_frame(time_s) - anticipation_frames
            found.append(Candidate(frame, Reason.EVENT, beat, 1.0))
    return found


def novelty(song: Song, times_s: Floats) -> Floats:
    """How much happens at given times, 0 to 1: onsets and changes of energy."""
    zero = np.zeros(times_s.shape)
    onset, energy = song.curves.get(CurveName.ONSET), song.curves.get(CurveName.ENERGY)
    onsets = onset.at(times_s) if onset else zero
    if energy is None:
        return onsets
    change = np.abs(energy.at(times_s + _NOVELTY_SPAN_S) - energy.at(times_s - _NOVELTY_SPAN_S))
    return np.asarray(0.5 * onsets + 0.5 * np.minimum(1.0, 2.0 * change))


def pulse_holes(song: Song, duration_s: float) -> list[tuple[float, float]]:
    """Stretches without a pulse, in seconds; the whole song when there are no beats."""
    marks = song.beats_s[(song.beats_s > 0.0) & (song.beats_s < duration_s)]
    edges = np.concatenate([[0.0], marks, [duration_s]])
    longest = max(_HOLE_S, _HOLE_BEATS * song.beat_s)
    wide = np.flatnonzero(np.diff(edges) > longest)
    return [(float(edges[i]), float(edges[i + 1])) for i in wide]


def _by_length(song: Song, timeline: Timeline) -> list[Candidate]:
    """About two candidates a second in the holes of the pulse, each where most happens."""
    found: list[Candidate] = []
    step_s = max(_HOLE_STEP_S, timeline.frame_s)
    grain = 8 if timeline.frame_s * 8 <= step_s else 1
    for start_s, end_s in pulse_holes(song, timeline.duration_s):
        cells = int((end_s - start_s) / step_s)
        if cells < 2:
            continue
        edges = start_s + steps(cells, step_s)[1:]
        times = edges[:, None] + (np.arange(grain) / grain - 0.5) * step_s
        strength = novelty(song, times)
        best = np.argmax(strength, axis=1) if strength.any() else np.full(len(edges), grain // 2)
        rows = np.arange(len(edges))
        frames = timeline.nearest_frames(times[rows, best])
        found.extend(
            Candidate(int(frame), Reason.LENGTH, strength=float(power))
            for frame, power in zip(frames, strength[rows, best], strict=True)
        )
    return found


def gather(
    song: Song,
    timeline: Timeline,
    anticipation_frames: int,
    words: SungWords,
    stretches: Sequence[Passage],
) -> list[Candidate]:
    """All candidates inside the video in order of frame, the most meaningful one per frame.

    None of them goes through a sung word.
    """
    best: dict[int, Candidate] = {}
    for candidate in (
        *_beats(song, timeline, anticipation_frames),
        *_events(song, timeline, anticipation_frames),
        *_by_length(song, timeline),
    ):
        if not 0 < candidate.frame < timeline.frames:
            continue
        held = best.get(candidate.frame)
        if held is None or _RANK[candidate.reason] < _RANK[held.reason]:
            best[candidate.frame] = candidate
    frames = np.array(sorted(best), dtype=np.int64)
    torn = words.torn_by(frames)
    lost, frames = frames[torn], frames[~torn]
    for gone in lost:
        _stand_in(best, best[int(gone)], frames, 0.5 * song.bar_s / timeline.frame_s)
    opening = _opening_lines(song, timeline, frames)
    driven = _driven(timeline, frames, stretches)
    return [
        replace(best[int(frame)], opens_line=bool(opens), driven=bool(drives))
        for frame, opens, drives in zip(frames, opening, driven, strict=True)
    ]


def _stand_in(
    best: dict[int, Candidate], gone: Candidate, frames: Frames, reach_frames: float
) -> None:
    """Lets the nearest beat within half a bar take the place of a downbeat that tears a word."""
    if gone.reason not in (Reason.DOWNBEAT, Reason.EVENT):
        return
    low, high = np.searchsorted(frames, [gone.frame - reach_frames, gone.frame + reach_frames + 1])
    near = [best[int(frame)] for frame in frames[low:high]]
    beats = [candidate for candidate in near if candidate.reason is Reason.BEAT]
    if beats:
        nearest = min(beats, key=lambda candidate: abs(candidate.frame - gone.frame))
        best[nearest.frame] = replace(nearest, beat=gone.beat, stands_in=True)


def _opening_lines(song: Song, timeline: Timeline, frames: Frames) -> Flags:
    """Which frames are the last before a line of the lyrics begins, at most a beat ahead of it."""
    marked = np.zeros(frames.size, dtype=bool)
    if not frames.size:
        return marked
    edge = song.lines_s / timeline.frame_s + 0.5
    last = np.searchsorted(frames, edge, side="right") - 1
    ahead_s = song.lines_s - frames[np.maximum(last, 0)] * timeline.frame_s
    marked[last[(last >= 0) & (ahead_s <= song.beat_s)]] = True
    return marked


def _driven(timeline: Timeline, frames: Frames, stretches: Sequence[Passage]) -> Flags:
    """Which frames lie in a build-up."""
    times_s = frames * timeline.frame_s
    driven = np.zeros(frames.size, dtype=bool)
    for passage in stretches:
        if passage.kind is PassageKind.BUILD_UP:
            driven |= (times_s > passage.start_s) & (times_s < passage.end_s)
    return driven
