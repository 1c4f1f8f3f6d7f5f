"""Which shots flow into each other: dissolves in quiet music, dips where it falls away. Pure.

A hard cut is the rule; a cut that means something is heard. Dissolves belong to slow, quiet
passages, and a film opens out of black when its song begins quietly.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from soundsight_scenewriter.planning.types import CUT, Reason, Shot, Transition, TransitionKind
from soundsight_scenewriter.song import CurveName, Function, Song
from soundsight_scenewriter.timeline import Timeline

# How much of the music on either side of a cut is heard, in seconds, and in how many steps.
_AROUND_S = 2.0
_GRAIN = 16
# Energy at and below which music is quiet, and how far it falls where the picture goes black.
_QUIET = 0.5
_CALM_AROUSAL = 0.0
_SILENT = 0.12
_FALL = 0.4
# Lengths in seconds.
_LONG_SHOT_S = 3.5
# Half of it is seen: nothing lies before the film.
_FADE_IN_S = 2.0
_DIP_S = 0.9
_DISSOLVE_S = (0.5, 1.6)
_DISSOLVE_BEATS = 2.0
_PLAIN_DISSOLVE_S = 1.0


def wanted_transitions(song: Song, timeline: Timeline, shots: Sequence[Shot]) -> list[Transition]:
    """One transition per shot: entry i leads into shot i, entry 0 opens the film."""
    between = [_between(song, timeline, before, shot) for before, shot in pairwise(shots)]
    return [_opening(song, timeline), *between]


def _opening(song: Song, timeline: Timeline) -> Transition:
    if _energy(song, 0.0, _AROUND_S) > _QUIET:
        return CUT
    return Transition(TransitionKind.DIP_TO_BLACK, timeline.length_frames(_FADE_IN_S))


def _between(song: Song, timeline: Timeline, before: Shot, shot: Shot) -> Transition:
    cut_s = shot.start_frame * timeline.frame_s
    left = _energy(song, cut_s - _AROUND_S, cut_s)
    right = _energy(song, cut_s, cut_s + _AROUND_S)
    new_section = shot.reason is Reason.SECTION
    falls = left - right > _FALL and right < _QUIET
    silent = song.sections[shot.section_index].function is Function.SILENCE or right < _SILENT
    if new_section and (falls or (silent and left >= _SILENT)):
        return Transition(TransitionKind.DIP_TO_BLACK, timeline.length_frames(_DIP_S))
    shortest_s = min(before.frames, shot.frames) * timeline.frame_s
    calm = max(left, right) <= _QUIET and song.arousal <= _CALM_AROUSAL
    if calm and shortest_s >= _LONG_SHOT_S:
        return Transition(TransitionKind.CROSS_FADE, timeline.length_frames(_dissolve_s(song)))
    return CUT


def _dissolve_s(song: Song) -> float:
    """Two beats, within what reads as a dissolve."""
    if song.beat_s <= 0.0:
        return _PLAIN_DISSOLVE_S
    return min(max(_DISSOLVE_BEATS * song.beat_s, _DISSOLVE_S[0]), _DISSOLVE_S[1])


def _energy(song: Song, start_s: float, end_s: float) -> float:
    """The music's mean energy over a stretch, 0 to 1; the sections' where there is no curve."""
    times = np.linspace(max(0.0, start_s), min(end_s, song.duration_s), _GRAIN, endpoint=False)
    curve = song.curves.get(CurveName.ENERGY)
    if curve is not None and curve.values.size:
        return float(curve.at(times).mean())
    starts = np.array([section.start_s for section in song.sections])
    index = np.maximum(0, np.searchsorted(starts, times, side="right") - 1)
    return float(np.mean([song.sections[i].energy for i in index]))
