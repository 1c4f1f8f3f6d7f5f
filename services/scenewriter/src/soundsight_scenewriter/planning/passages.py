"""Stretches in which the music asks for a way of cutting: it builds up, or it holds its breath.

An editor cuts faster and faster into a drop, and holds one picture where the music falls away, so
that what comes then is seen as it is heard: all at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from soundsight_scenewriter.song import CurveName, EventName, Section, Song, steps

# Bars stand in for the song's own where it has no pulse.
_PLAIN_BAR_S = 2.0
# How far before the climax quiet is looked for, and how quiet that is beside the climax.
_LOOK_BACK_BARS = 8
_CLIMAX_BARS = 4
_QUIET_SHARE = 0.6
_LOUDER_BY = 0.12


class PassageKind(StrEnum):
    """How a passage is cut."""

    BUILD_UP = "build_up"
    BREATH = "breath"


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of the song.

    `leads` tells a build-up into a drop, a break or the climax from one into a louder section, or
    into nothing.
    """

    kind: PassageKind
    start_s: float
    end_s: float
    leads: bool = False


def passages(song: Song) -> tuple[Passage, ...]:
    """The song's build-ups and breaths, in order of time and without overlap."""
    bar_s = song.bar_s or _PLAIN_BAR_S
    found: list[Passage] = []
    for event in song.events:
        end_s = event.time_s + event.duration_s
        if event.name is EventName.BUILD_UP:
            found.append(_build_up(song, event.time_s, end_s, bar_s))
        elif event.name is EventName.BREAK:
            found.append(Passage(PassageKind.BREATH, event.time_s, end_s))
    for quiet in _quiet_before_climax(song, bar_s):
        if not any(known.start_s < quiet.end_s and quiet.start_s < known.end_s for known in found):
            found.append(quiet)
    return _apart(found, song.duration_s)


def is_louder(section: Section, before: Section) -> bool:
    """Whether a section is heard to be louder than the one before it."""
    return section.energy > before.energy + _LOUDER_BY


def _build_up(song: Song, start_s: float, end_s: float, bar_s: float) -> Passage:
    """A build-up until what it leads to, which may come up to a bar after its last rising bar."""
    moments = [event.time_s for event in song.events if event.name is not EventName.BUILD_UP]
    louder = [
        after.start_s for before, after in pairwise(song.sections) if is_louder(after, before)
    ]
    for goals, leads in ((moments, True), (louder, False)):
        near = [goal for goal in goals if start_s + bar_s < goal <= end_s + bar_s + 1e-6]
        if near:
            goal_s = min(near, key=lambda goal: abs(goal - end_s))
            return Passage(PassageKind.BUILD_UP, start_s, goal_s, leads)
    return Passage(PassageKind.BUILD_UP, start_s, end_s)


def _quiet_before_climax(song: Song, bar_s: float) -> Iterable[Passage]:
    """The bars before the climax that are quiet beside it: one passage or none."""
    energy = song.curves.get(CurveName.ENERGY)
    climax = next((event for event in song.events if event.name is EventName.CLIMAX), None)
    if energy is None or climax is None:
        return
    ways = (steps(16, 1.0) + 0.5) / 16.0
    loud = energy.at(climax.time_s + ways * _CLIMAX_BARS * bar_s).mean()
    bars = 0
    while bars < _LOOK_BACK_BARS:
        start_s = climax.time_s - (bars + 1) * bar_s
        if start_s < 0.0 or energy.at(start_s + ways * bar_s).mean() >= _QUIET_SHARE * loud:
            break
        bars += 1
    if bars:
        yield Passage(PassageKind.BREATH, climax.time_s - bars * bar_s, climax.time_s)


def _apart(found: Iterable[Passage], duration_s: float) -> tuple[Passage, ...]:
    """Passages within the song, each ending where the next begins at the latest."""
    inside = [
        replace(passage, start_s=max(0.0, passage.start_s), end_s=min(duration_s, passage.end_s))
        for passage in found
    ]
    # Of two that begin together the build-up counts, being the later one: it asks for more.
    order = sorted(inside, key=lambda p: (p.start_s, p.kind is PassageKind.BUILD_UP))
    cut = [
        replace(passage, end_s=min(passage.end_s, following.start_s))
        for passage, following in pairwise(order)
    ]
    kept = [passage for passage in [*cut, *order[-1:]] if passage.end_s > passage.start_s]
    return tuple(kept)
