"""Chooses the cuts of one segment: the path through its candidates that costs least.

A shot costs by how far its length is from the wanted one (as a ratio), by whether it spans a
musical unit (a half, one, two or four bars), and by what its cut falls on. Dynamic programming
finds the best row of shots, so that no early choice forces a bad late one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.planning.pacing import Pacing
from soundsight_scenewriter.planning.types import Candidate, ClipLimits, Reason
from soundsight_scenewriter.song import Floats, Song
from soundsight_scenewriter.timeline import Timeline

_LENGTH_WEIGHT = 1.7
_JITTER = 0.3
_TAKE_COST = 0.3
_PADDED_COST = 1.0
# What a cut costs by what it falls on.
_DOWNBEAT_COST = 0.0
_PHRASE_COST = -0.15
_HALF_BAR_COST = 0.15
_BEAT_COST = 0.8
_SLOW_BEAT_COST = 1.2
_STAND_IN_COST = 0.2
_DRIVEN_BEAT_COST = 0.25
_EVENT_COST = -1.2
_LINE_COST = -0.25
_LENGTH_COST = 0.35
_LENGTH_GAIN = 0.5
# What a shot costs by the bars it spans.
_UNIT_COST = {0.5: 0.05, 1.0: 0.0, 2.0: 0.0, 4.0: 0.0, 3.0: 0.25}
_WHOLE_BARS_COST = 0.35
_HALF_BARS_COST = 0.5
_ODD_BEATS_COST = 0.6
_NO_PULSE_COST = 0.15
_TABLE_CELLS = 16_000_000
_PHRASE_BARS = 4


def _node_costs(song: Song, nodes: Sequence[Candidate], wanted_s: Floats, dice: Dice) -> Floats:
    """What cutting at each node costs, shape (n,). The ends are cut anyway."""
    bars_known = bool((song.positions == 1).any())
    first_beat = max(nodes[0].beat, 0)
    costs = np.zeros(len(nodes))
    for index, node in enumerate(nodes[1:-1], start=1):
        chance = dice.unit() * _JITTER
        # A build-up goes by its pulse alone.
        cost = 0.0 if node.driven else chance
        if node.opens_line:
            cost += _LINE_COST
        since = node.beat - first_beat
        on_bar = node.reason is Reason.DOWNBEAT or (
            not bars_known and since % song.beats_per_bar == 0
        )
        if node.reason is Reason.EVENT:
            cost += _EVENT_COST
        elif node.reason is Reason.LENGTH:
            cost += _LENGTH_COST - _LENGTH_GAIN * node.strength
        elif on_bar:
            phrase = since % (_PHRASE_BARS * song.beats_per_bar) == 0
            cost += _PHRASE_COST if phrase else _DOWNBEAT_COST
        elif node.stands_in:
            cost += _STAND_IN_COST
        elif node.driven:
            cost += 0.0 if node.half_bar else _DRIVEN_BEAT_COST
        else:
            cost += _HALF_BAR_COST if node.half_bar else _BEAT_COST
            # Off the downbeat only where the music is faster than its bars.
            cost += _SLOW_BEAT_COST if wanted_s[index] > song.bar_s else 0.0
        costs[index] = cost
    return costs


def _unit_costs(beats: Floats, beats_per_bar: int) -> Floats:
    """What a shot of so many beats costs; below 1 means that the count is not known."""
    bars = beats / beats_per_bar
    costs = np.full(bars.shape, _ODD_BEATS_COST)
    costs[np.mod(2.0 * bars, 1.0) == 0.0] = _HALF_BARS_COST
    costs[np.mod(bars, 1.0) == 0.0] = _WHOLE_BARS_COST
    for unit, cost in _UNIT_COST.items():
        costs[bars == unit] = cost
    costs[beats < 1.0] = _NO_PULSE_COST
    return costs


def _limit_costs(lengths: Floats, limits: ClipLimits) -> Floats:
    """What shots cost that need several takes, or a take filled up with frames nobody sees."""
    takes = np.ceil(lengths / limits.max_frames)
    padded = takes * limits.min_frames > lengths
    return np.asarray(_TAKE_COST * np.minimum(takes - 1.0, 3.0) + _PADDED_COST * padded)


def choose_cuts(
    nodes: Sequence[Candidate],
    *,
    song: Song,
    timeline: Timeline,
    pacing: Pacing,
    limits: ClipLimits,
    min_shot_frames: int,
    dice: Dice,
) -> list[Candidate]:
    """The cuts to make strictly between the first and the last node, in order.

    `nodes` ascend in frames; the first and last are the segment's ends. Every shot has at least
    `min_shot_frames` when the segment has them.
    """
    count = len(nodes)
    frames = np.array([node.frame for node in nodes], dtype=np.float64)
    if count < 3 or frames[-1] - frames[0] < 2 * min_shot_frames:
        return []
    beats = np.array([node.beat for node in nodes], dtype=np.float64)
    times = frames * timeline.frame_s
    around = np.full(count, max(1.0, 2.0 * song.beat_s))
    wanted = pacing.wanted_s(times - around, times + around)
    node_cost = _node_costs(song, nodes, wanted, dice)

    # Wide enough that a path exists: any node can be reached, and the end from any last node.
    gap = float(np.max(np.diff(frames)))
    window = max(2.2 * float(wanted.max()) / timeline.frame_s, 3.0 * min_shot_frames + 2.0 * gap)
    reach = np.arange(count) - np.searchsorted(frames, frames - window)
    width = int(min(max(1, reach.max()), max(1, _TABLE_CELLS // count)))

    table = np.full((count, width + 1), np.inf)
    for step in range(1, width + 1):
        lengths = frames[step:] - frames[:-step]
        asked = pacing.wanted_s(times[:-step], times[step:])
        cost = _LENGTH_WEIGHT * np.log(lengths * timeline.frame_s / asked) ** 2
        known = (beats[step:] >= 0.0) & (beats[:-step] >= 0.0)
        spanned = np.where(known, beats[step:] - beats[:-step], 0.0)
        cost += _unit_costs(spanned, song.beats_per_bar) + _limit_costs(lengths, limits)
        table[step:, step] = np.where(
            (lengths >= min_shot_frames) & (lengths <= window), cost + node_cost[step:], np.inf
        )

    best = np.full(count, np.inf)
    best[0] = 0.0
    back = np.zeros(count, dtype=np.int64)
    for index in range(1, count):
        near = min(index, width)
        totals = best[index - near : index] + table[index, near:0:-1]
        chosen = int(np.argmin(totals))
        best[index], back[index] = totals[chosen], index - near + chosen
    if not np.isfinite(best[-1]):
        return []
    path: list[Candidate] = []
    index = int(back[count - 1])
    while index > 0:
        path.append(nodes[index])
        index = int(back[index])
    return path[::-1]
