"""The song cut into windows with the words that are sung in each.

A recogniser hears half a minute at a time. It aligns well when a window holds the sound of its own
words and of no others: windows therefore end, where they can, between two neighbouring words that
were both recognised, and best where nobody sings for a while.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundsight_analyzer.words.syllables import Span, spread

LONGEST_S = 28.0
"""Longest window: Whisper hears 30 s, less the room that words at its edges need."""
MOST_TOKENS = 380
"""Most tokens of a window's words; Whisper reads 448, some of which are not words."""
_MARGIN_S = 0.6
_LONG_GAP_S = 2.5
_SHORTEST_S = 1e-3
_SLOWEST_S = 0.9
"""Seconds per syllable: unanchored words beside a long gap do not fill it."""

_PER_WINDOW = 1.0
_PER_LONG_GAP = 2.0
_BLIND_CUT = 4.0
_LINE_CUT = 1.0


@dataclass(frozen=True)
class Window:
    """Words ``first`` up to ``last`` (excluded), and the stretch of the song that holds them.

    ``sure`` says whether both edges are known rather than estimated.
    """

    first: int
    last: int
    start_s: float
    end_s: float
    sure: bool = True


@dataclass(frozen=True)
class Estimate:
    """When each word is sung, roughly: ``spans`` in order, and which of them are ``anchored``."""

    spans: tuple[Span, ...]
    anchored: tuple[bool, ...]


def estimate(
    weights: Sequence[float], anchors: Mapping[int, Span], voiced: Sequence[Span]
) -> Estimate:
    """Times for all words from those of some, the rest spread by weight over what is voiced.

    Args:
        weights: how long each word takes beside the others, such as its syllables.
        anchors: times of words by index, rising in both.
        voiced: where a voice may be, in order; at least one span.
    """
    spans: list[Span] = [(0.0, 0.0)] * len(weights)
    known = sorted(anchors)
    for index in known:
        spans[index] = anchors[index]
    bounds = [-1, *known, len(weights)]
    for before, after in pairwise(bounds):
        if after - before < 2:
            continue
        start = anchors[before][1] if before >= 0 else voiced[0][0]
        end = anchors[after][0] if after < len(weights) else voiced[-1][1]
        inside = weights[before + 1 : after]
        need_s = _SLOWEST_S * sum(inside) if known else np.inf
        room = _room(start, max(start, end), need_s, voiced, from_end=before < 0)
        spans[before + 1 : after] = spread(inside, room)
    return Estimate(tuple(spans), tuple(index in anchors for index in range(len(weights))))


def _room(
    start: float, end: float, need_s: float, voiced: Sequence[Span], *, from_end: bool
) -> list[Span]:
    """What is voiced between two moments, or all of it; no more than the words can need.

    Words stay close to a neighbour that is known, the one behind them when ``from_end``: nobody
    sings a syllable for minutes.
    """
    inside = [(max(a, start), min(b, end)) for a, b in voiced if b > start and a < end]
    inside = [span for span in inside if span[1] - span[0] > _SHORTEST_S]
    inside = inside or [(start, max(end, start + _SHORTEST_S))]
    kept: list[Span] = []
    for a, b in reversed(inside) if from_end else inside:
        take = min(b - a, need_s)
        kept.append((b - take, b) if from_end else (a, a + take))
        need_s -= take
        if need_s <= 0:
            break
    return kept[::-1] if from_end else kept


def plan_windows(
    guess: Estimate, tokens: Sequence[int], line_starts: frozenset[int], duration_s: float
) -> tuple[Window, ...]:
    """Cuts the words into windows, each word in exactly one, in order.

    Dynamic programming over the places where a window may end: blind cuts cost most, cuts between
    recognised neighbours little, and a cut in a long gap nothing at all.

    Args:
        guess: when the words are sung.
        tokens: what each word costs of the recogniser's room.
        line_starts: indices of words that begin a line.
        duration_s: length of the song.
    """
    count = len(guess.spans)
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    came_from = np.zeros(count + 1, dtype=np.int64)
    costs = [_cut_cost(guess, index, line_starts) for index in range(count + 1)]
    for first in range(count):
        room, silences = MOST_TOKENS, 0.0
        for last in range(first + 1, count + 1):
            room -= tokens[last - 1]
            length_s = guess.spans[last - 1][1] - guess.spans[first][0]
            if last > first + 1 and (room < 0 or length_s > LONGEST_S - 2 * _MARGIN_S):
                break
            cost = best[first] + _PER_WINDOW + costs[last] + silences
            if cost < best[last]:
                best[last], came_from[last] = cost, first
            if last < count and _gap(guess, last) > _LONG_GAP_S:
                silences += _PER_LONG_GAP
    edges = [count]
    while edges[-1]:
        edges.append(int(came_from[edges[-1]]))
    edges.reverse()
    return tuple(_window(guess, first, last, duration_s) for first, last in pairwise(edges))


def _gap(guess: Estimate, index: int) -> float:
    """Seconds of silence before a word."""
    return guess.spans[index][0] - guess.spans[index - 1][1]


def _known(guess: Estimate, index: int) -> bool:
    """Whether the words on both sides of a place were recognised."""
    return guess.anchored[index - 1] and guess.anchored[index]


def _cut_cost(guess: Estimate, index: int, line_starts: frozenset[int]) -> float:
    if index in (0, len(guess.spans)):
        return 0.0
    cost = 0.0 if index in line_starts else _LINE_CUT
    if not _known(guess, index):
        return cost + _BLIND_CUT
    return cost + 1.0 / (1.0 + 4.0 * max(0.0, _gap(guess, index)))


def _window(guess: Estimate, first: int, last: int, duration_s: float) -> Window:
    """The stretch of some words: to the middle of the gaps at its edges, at most a margin wide."""
    count = len(guess.spans)
    start, end = guess.spans[first][0], guess.spans[last - 1][1]
    before = _gap(guess, first) / 2 if first and _known(guess, first) else _MARGIN_S
    after = _gap(guess, last) / 2 if last < count and _known(guess, last) else _MARGIN_S
    start_s = max(0.0, start - min(max(before, 0.0), _MARGIN_S))
    end_s = min(duration_s, max(end, start) + min(max(after, 0.0), _MARGIN_S))
    end_s = min(max(end_s, start_s + 0.1), start_s + LONGEST_S)
    sure = (first == 0 or _known(guess, first)) and (last == count or _known(guess, last))
    return Window(first, last, start_s, end_s, sure)
