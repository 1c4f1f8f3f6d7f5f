"""The whole plan: sections first, then the cuts inside them, then the clips."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.planning.anchors import anchors, drops, section_starts
from soundsight_scenewriter.planning.candidates import gather, pulse_holes
from soundsight_scenewriter.planning.cutting import choose_cuts
from soundsight_scenewriter.planning.pacing import Pacing, pacing
from soundsight_scenewriter.planning.passages import passages
from soundsight_scenewriter.planning.takes import film
from soundsight_scenewriter.planning.transitions import wanted_transitions
from soundsight_scenewriter.planning.types import (
    SHORTEST_SHOT_S,
    Candidate,
    ClipLimits,
    Pace,
    Plan,
    Shot,
)
from soundsight_scenewriter.planning.words import SungWords
from soundsight_scenewriter.song import Song
from soundsight_scenewriter.timeline import Timeline

LOW_CONFIDENCE = 0.35
# Beyond this many shots a storyboard would come near the suite's 4 MiB message limit.
MOST_SHOTS = 1200
_HOLE_WORTH_A_NOTE = 0.25


def plan(
    song: Song,
    timeline: Timeline,
    limits: ClipLimits,
    *,
    pace: Pace = Pace.STANDARD,
    anticipation_frames: int = 0,
    seed: int = 0,
) -> Plan:
    """Plans a video: shots contiguous from frame 0 that sum to exactly `timeline.frames`.

    A cut that belongs to a beat lies on the frame whose start is nearest to it, less
    `anticipation_frames`. No shot is shorter than 0.6 s or the backend's minimum unless the song
    is. No cut goes through a sung word but for those on drops and at section starts with no other
    beat near (see `anchors`). The same arguments give the same plan.
    """
    notes = _pulse_notes(song, timeline)
    dice = Dice(seed, "cuts", song.digest())
    stretches = passages(song)
    pace_curve = pacing(song, timeline, pace, dice.child("phrases"), stretches)
    crowd = _shots_wanted(pace_curve, timeline) / MOST_SHOTS
    if crowd > 1.0:
        pace_curve = pacing(song, timeline, pace, dice.child("phrases"), stretches, crowd)
        notes.append(
            f"The song is so long that its shots were made {crowd:.1f} times longer than usual, "
            f"to keep them to about {MOST_SHOTS}."
        )

    shortest = max(limits.min_frames, timeline.length_frames(SHORTEST_SHOT_S))
    words = SungWords(song.words_s, timeline)
    starts = section_starts(song, timeline, anticipation_frames, words)
    falls = drops(song, timeline, anticipation_frames)
    fixed = anchors(starts, falls, timeline.frames, shortest)
    inside = gather(song, timeline, anticipation_frames, words, stretches)
    inside_frames = np.array([candidate.frame for candidate in inside], dtype=np.int64)

    cuts: list[Candidate] = []
    for number, (opening, closing) in enumerate(pairwise(fixed)):
        low, high = np.searchsorted(inside_frames, [opening.frame + 1, closing.frame])
        nodes = [opening, *inside[low:high], closing]
        chosen = choose_cuts(
            nodes,
            song=song,
            timeline=timeline,
            pacing=pace_curve,
            limits=limits,
            min_shot_frames=shortest,
            dice=dice.child(number),
        )
        cuts += [opening, *chosen]

    shots = _shots(cuts, starts, timeline)
    takes = film(shots, wanted_transitions(song, timeline, shots), limits)
    return Plan(tuple(takes), tuple(shots), tuple(notes))


def _shots_wanted(pace_curve: Pacing, timeline: Timeline) -> float:
    """About how many shots the pacing asks for."""
    edges = np.linspace(0.0, timeline.duration_s, 257)
    return float(np.sum(np.diff(edges) / pace_curve.wanted_s(edges[:-1], edges[1:])))


def _shots(cuts: list[Candidate], starts: list[Candidate], timeline: Timeline) -> list[Shot]:
    """Shots between cuts; each belongs to the section that its middle lies in."""
    bounds = np.array([start.frame for start in starts], dtype=np.float64)
    ends = [*(cut.frame for cut in cuts[1:]), timeline.frames]
    shots = []
    for cut, end in zip(cuts, ends, strict=True):
        middle = (cut.frame + end) / 2.0
        section = int(np.searchsorted(bounds, middle, side="right"))
        shots.append(Shot(cut.frame, end, section, cut.reason))
    return shots


def _pulse_notes(song: Song, timeline: Timeline) -> list[str]:
    if song.beats_s.size < 2:
        return ["No beats were found: cuts follow onsets and changes of energy."]
    notes = []
    if song.beats_confidence is not None and song.beats_confidence < LOW_CONFIDENCE:
        notes.append(
            f"The pulse is weak (confidence {song.beats_confidence:.2f}): cuts are on the beats "
            "that were found, which may not be the ones that are felt."
        )
    silent = sum(end - start for start, end in pulse_holes(song, timeline.duration_s))
    if silent > _HOLE_WORTH_A_NOTE * timeline.duration_s:
        notes.append(
            f"{silent:.0f} s of the song have no pulse: cuts there follow onsets and changes of "
            "energy."
        )
    return notes
