"""Where a cut may fall: beats, downbeats, section starts, events, and onsets where no pulse is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundsight_scenewriter.planning.types import Reason
from soundsight_scenewriter.song import CurveName, EventName, Floats, Song, steps
from soundsight_scenewriter.timeline import Timeline

# A hole in the pulse: longer than this many beats, and longer than this many seconds.
_HOLE_BEATS = 2.2
_HOLE_S = 2.0
_HOLE_STEP_S = 0.5
# How far over a cut's strength in the loudness curve is looked.
_NOVELTY_SPAN_S = 0.4
_CUT_EVENTS = (EventName.DROP, EventName.BREAK, EventName.CLIMAX)
_RANK = {
    Reason.SECTION: 0,
    Reason.EVENT: 1,
    Reason.DOWNBEAT: 2,
    Reason.BEAT: 3,
    Reason.LENGTH: 4,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame that a cut may fall on.

    `beat` counts the song's beats from 0; -1 where the cut is on none. `strength` (0 to 1) says
    how much happens there. `half_bar` marks the beat in the middle of an even bar.
    """

    frame: int
    reason: Reason
    beat: int = -1
    strength: float = 0.0
    half_bar: bool = False


def snap_to_pulse(song: Song, time_s: float) -> tuple[float, int]:
    """Moves a time onto the pulse: (seconds, index of the beat or -1).

    To the nearest downbeat within a quarter of a bar, else to the nearest beat within half a beat,
    else not at all: the analysis knows beats to some 20 ms but section starts to half a second.
    """
    if song.beats_s.size < 2:
        return time_s, -1
    downbeats = np.flatnonzero(song.positions == 1)
    if downbeats.size:
        near = downbeats[np.argmin(np.abs(song.beats_s[downbeats] - time_s))]
        if abs(song.beats_s[near] - time_s) <= song.bar_s / 4.0 + 1e-9:
            return float(song.beats_s[near]), int(near)
    beat = int(np.argmin(np.abs(song.beats_s - time_s)))
    if abs(song.beats_s[beat] - time_s) <= song.beat_s / 2.0 + 1e-9:
        return float(song.beats_s[beat]), beat
    return time_s, -1


def section_starts(song: Song, timeline: Timeline, anticipation_frames: int) -> list[Candidate]:
    """One candidate per section from the second on, in order; frames never run backwards."""
    starts: list[Candidate] = []
    before = 0
    for section in song.sections[1:]:
        time_s, beat = snap_to_pulse(song, section.start_s)
        frame = max(before, timeline.nearest_frame(time_s) - anticipation_frames)
        starts.append(Candidate(frame, Reason.SECTION, beat, 1.0))
        before = frame
    return starts


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


def gather(song: Song, timeline: Timeline, anticipation_frames: int) -> list[Candidate]:
    """All candidates inside the video in order of frame, the most meaningful one per frame."""
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
    return [best[frame] for frame in sorted(best)]
