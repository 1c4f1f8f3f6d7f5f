"""Cuts that are always made: where sections start, and on drops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from soundsight_scenewriter.planning.types import Candidate, Reason
from soundsight_scenewriter.planning.words import SungWords
from soundsight_scenewriter.song import EventName, Song
from soundsight_scenewriter.timeline import Timeline

SECTION_ERROR_S = 0.5
"""Analyses know where a section starts about so well; beats they know to some 20 ms."""


def snap_to_pulse(song: Song, time_s: float) -> tuple[float, int]:
    """Moves a time onto the pulse: (seconds, index of the beat or -1).

    To the nearest downbeat within a quarter of a bar, else to the nearest beat within half a beat,
    else not at all.
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


def drops(song: Song, timeline: Timeline, anticipation_frames: int) -> list[Candidate]:
    """One candidate per drop, in order: on its beat to the frame, word or no word.

    All of the music comes at once there; a cut beside it would miss it for good.
    """
    found = []
    for event in song.events:
        if event.name is EventName.DROP:
            time_s, beat = snap_to_pulse(song, event.time_s)
            frame = timeline.nearest_frame(time_s) - anticipation_frames
            found.append(Candidate(frame, Reason.EVENT, beat, 1.0))
    return found


def section_starts(
    song: Song, timeline: Timeline, anticipation_frames: int, words: SungWords
) -> list[Candidate]:
    """One candidate per section from the second on, in order; frames never run backwards.

    A section that starts within a bar of a drop starts on it: both are one moment of the music.
    """
    taken = _starts_on_drops(song, drops(song, timeline, anticipation_frames), timeline)
    starts: list[Candidate] = []
    before = 0
    for section in song.sections[1:]:
        drop = taken.get(section.index)
        if drop is None:
            frame, beat = _section_start(
                song, timeline, anticipation_frames, words, section.start_s
            )
        else:
            frame, beat = drop.frame, drop.beat
        frame = max(before, frame)
        starts.append(Candidate(frame, Reason.SECTION, beat, 1.0))
        before = frame
    return starts


def _starts_on_drops(
    song: Song, falls: Sequence[Candidate], timeline: Timeline
) -> dict[int, Candidate]:
    """Drops by the index of the section that starts on them: the nearest, if any is near."""
    reach_s = max(song.bar_s, SECTION_ERROR_S) + 1e-6
    starts_s = np.array([section.start_s for section in song.sections])
    taken: dict[int, Candidate] = {}
    for drop in falls:
        apart_s = np.abs(starts_s - timeline.start_s(drop.frame))
        nearest = int(np.argmin(apart_s))
        if nearest > 0 and apart_s[nearest] <= reach_s:
            taken.setdefault(nearest, drop)
    return taken


def _section_start(
    song: Song, timeline: Timeline, anticipation_frames: int, words: SungWords, start_s: float
) -> tuple[int, int]:
    """Frame and beat of the cut at a section's start: its downbeat, or a beat beside it that tears
    no word. Where each of them does, the downbeat after all: a new section looks new, and later
    than this its picture would lag behind the music."""
    time_s, beat = snap_to_pulse(song, start_s)
    frame = timeline.nearest_frame(time_s) - anticipation_frames
    if not words.torn_by(np.array([frame])).any():
        return frame, beat
    apart_s = np.abs(song.beats_s - start_s)
    near = np.flatnonzero(apart_s <= SECTION_ERROR_S)
    near = near[np.argsort(apart_s[near], kind="stable")]
    frames = timeline.nearest_frames(song.beats_s[near]) - anticipation_frames
    for index in np.flatnonzero(~words.torn_by(frames))[:1]:
        return int(frames[index]), int(near[index])
    return frame, beat


def anchors(
    starts: Sequence[Candidate], falls: Sequence[Candidate], frames: int, shortest_frames: int
) -> list[Candidate]:
    """The cuts that are always made, from the video's first frame to its end, both included.

    A section start that would leave a shot too short before or after it is not cut; sections that
    are long enough never lose theirs. Drops away from section starts are cut where they fit.
    """
    opening, closing = Candidate(0, Reason.START, 0), Candidate(frames, Reason.LENGTH)
    kept = [opening]
    for start in starts:
        fits_before = start.frame - kept[-1].frame >= shortest_frames
        if fits_before and frames - start.frame >= shortest_frames:
            kept.append(start)
    kept.append(closing)
    for drop in falls:
        if min(abs(drop.frame - other.frame) for other in kept) >= shortest_frames:
            kept.append(drop)
    return sorted((cut for cut in kept if 0 <= cut.frame <= frames), key=lambda cut: cut.frame)
