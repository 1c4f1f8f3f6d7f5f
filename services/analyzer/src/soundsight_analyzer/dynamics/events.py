"""What happens in the dynamics of a song: breaks, build-ups, drops and the climax.

Bars are compared by their strength, which is energy, bass and onsets together. A break is where
most of it falls away and returns later; a build-up is where it rises bar by bar; a drop is where it
is back at once after either; the climax is the strongest stretch, the later one of equals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.dynamics.curves import Curves

SOURCE = "soundsight.bar-strength"
_FALLS_TO, _RETURNS_TO = 0.6, 0.75
"""Shares of the strength before a break, in the break and after it."""
_LEAST_FALL = 0.15
_LOOK_BACK_BARS = 8
_LONGEST_BREAK_BARS = 24
_SHORTEST_RISE_BARS, _LONGEST_RISE_BARS = 3, 16
_LEAST_RISE = 0.15
_STRAYS = 0.25
"""Share of its rise by which a build-up may stray from a straight line."""
_LEAP = 2.2
"""Times its mean step that no single step of a build-up exceeds: a drop is no part of it."""
_LEAST_JUMP = 0.2
_STRONG_SHARE = 0.8
"""A drop reaches this share of the song's strong bars."""
_CLIMAX_BARS = 4
_LATE_BONUS = 0.05
_LEAST_CLIMAX_LEAD = 0.05
_FEWEST_BARS = 6
_AUDIBLE_STRENGTH = 0.05
_TRUST_WITHOUT_BARS = 0.6


class EventKind(Enum):
    """Kinds of events; the values are the contract's names."""

    DROP = "DROP"
    BUILD_UP = "BUILD_UP"
    BREAK = "BREAK"
    CLIMAX = "CLIMAX"


@dataclass(frozen=True)
class Event:
    """Something that happens; ``duration_s`` is 0 for a moment, confidence lies in [0, 1]."""

    kind: EventKind
    time_s: float
    duration_s: float
    confidence: float


def find_events(curves: Curves, edges_s: Floats, *, bars_are_real: bool) -> tuple[Event, ...]:
    """Events in order of time, on ``edges_s`` (n + 1,): bar lines from 0 to the end of the song.

    Where other units stand in for bars, everything is less sure.
    """
    strength = bar_strength(curves, edges_s)
    if len(strength) < _FEWEST_BARS or strength.max() < _AUDIBLE_STRENGTH:
        return ()
    breaks, rises = _breaks(strength), _rises(strength)
    spans = [
        *((EventKind.BREAK, first, end, sure) for first, end, sure in breaks),
        *((EventKind.BUILD_UP, first, end, sure) for first, end, sure in rises),
        *((EventKind.DROP, bar, bar, sure) for bar, sure in _drops(strength, breaks, rises)),
        *((EventKind.CLIMAX, bar, bar, sure) for bar, sure in _climax(strength)),
    ]
    trust = 1.0 if bars_are_real else _TRUST_WITHOUT_BARS
    events = [
        Event(kind, float(edges_s[first]), float(edges_s[end] - edges_s[first]), trust * sure)
        for kind, first, end, sure in spans
    ]
    return tuple(sorted(events, key=lambda event: event.time_s))


def bar_strength(curves: Curves, edges_s: Floats) -> Floats:
    """Strength (n,) of each bar, about 0 to 1."""
    energy = _bar_means(curves.energy, curves.hop_s, edges_s)
    bass = _bar_means(curves.bass, curves.hop_s, edges_s)
    onset = _bar_means(curves.onset, curves.hop_s, edges_s)
    busy = float(np.percentile(onset, 95)) if len(onset) else 0.0
    return 0.5 * energy + 0.25 * bass + 0.25 * np.minimum(onset / max(busy, 0.02), 1.0)


def _bar_means(values: Floats, hop_s: float, edges_s: Floats) -> Floats:
    at = np.clip(np.rint(edges_s / hop_s).astype(np.int64), 0, len(values))
    first = np.minimum(at[:-1], len(values) - 1)
    end = np.maximum(at[1:], first + 1)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray((sums[end] - sums[first]) / (end - first))


def _breaks(strength: Floats) -> list[tuple[int, int, float]]:
    """First bar, bar of the return, confidence. What never returns is an ending, not a break."""
    found = []
    bar = 2
    while bar < len(strength) - 1:
        before = float(np.median(strength[max(0, bar - _LOOK_BACK_BARS) : bar]))
        fallen = strength[bar] < _FALLS_TO * before
        at_once = min(strength[bar - 1], before) - strength[bar] >= _LEAST_FALL
        end = _return_of(strength, bar, _RETURNS_TO * before)
        if fallen and at_once and end is not None:
            depth = 1.0 - float(strength[bar:end].mean()) / before
            found.append((bar, end, _between(depth, 0.2, 0.8)))
            bar = end
        bar += 1
    return found


def _return_of(strength: Floats, bar: int, level: float) -> int | None:
    ahead = strength[bar : bar + _LONGEST_BREAK_BARS + 1] >= level
    return bar + int(ahead.argmax()) if ahead.any() else None


def _rises(strength: Floats) -> list[tuple[int, int, float]]:
    """First bar, end, confidence of stretches that rise steadily into something at least as strong;
    the best of those that overlap."""
    candidates = []
    for end in range(_SHORTEST_RISE_BARS, len(strength)):
        for bars in range(_SHORTEST_RISE_BARS, min(_LONGEST_RISE_BARS, end) + 1):
            part = strength[end - bars : end]
            if strength[end] >= part[-1] and _rises_steadily(part):
                rise = float(part[-1] - part[0])
                sure = _between(rise, 0.0, 0.5) * _between(bars, 0.0, 6.0)
                candidates.append((sure, end - bars, end))
    found: list[tuple[int, int, float]] = []
    for sure, first, end in sorted(candidates, reverse=True):
        if all(end <= other or first >= other_end for other, other_end, _ in found):
            found.append((first, end, sure))
    return sorted(found)


def _rises_steadily(part: Floats) -> bool:
    """Whether all of a stretch rises: one leap among level bars, or a rise to a level, does not."""
    rise = float(part[-1] - part[0])
    line = np.linspace(part[0], part[-1], len(part))
    straight = float(np.abs(part - line).max()) <= _STRAYS * rise
    even = float(np.diff(part).max()) <= _LEAP * rise / (len(part) - 1)
    return rise >= _LEAST_RISE and straight and even


def _drops(
    strength: Floats,
    breaks: Sequence[tuple[int, int, float]],
    rises: Sequence[tuple[int, int, float]],
) -> list[tuple[int, float]]:
    """Bars at which the strength is back at once."""
    strong = float(np.percentile(strength, 90))
    found: dict[int, float] = {}
    for first, end, sure in (*breaks, *rises):
        for bar in range(max(first + 1, end - 1), min(end + 2, len(strength) - 1)):
            after = float(strength[bar : bar + 2].mean())
            jump = after - float(strength[bar - 1])
            if jump >= _LEAST_JUMP and after >= _STRONG_SHARE * strong:
                found[bar] = max(found.get(bar, 0.0), _between(jump, 0.0, 0.6) * (0.5 + 0.5 * sure))
    # Of neighbours only the surest counts.
    return [
        (bar, sure)
        for bar, sure in sorted(found.items())
        if sure >= max(found.get(bar - 1, 0.0), found.get(bar + 1, 0.0))
    ]


def _climax(strength: Floats) -> list[tuple[int, float]]:
    """The bar at which the strongest stretch begins; none when nothing stands out."""
    bars = min(_CLIMAX_BARS, len(strength))
    means = np.convolve(strength, np.full(bars, 1.0 / bars), mode="valid")
    late = means * (1.0 + _LATE_BONUS * np.linspace(0.0, 1.0, len(means)))
    bar = int(late.argmax())
    lead = float(means[bar] - np.median(strength))
    if lead < _LEAST_CLIMAX_LEAD:
        return []
    return [(bar, _between(lead, 0.0, 0.4) * 0.8)]


def _between(value: float, low: float, high: float) -> float:
    """0 at ``low``, 1 at ``high``, straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
