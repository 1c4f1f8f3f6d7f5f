"""Which instrument leads at each moment, from the instruments that the taggers name.

An instrument's claim is its probability against how common its tag is in the training data, so that
a guitar does not win by being everywhere. The best path through the windows pays for every change:
instruments lead for phrases, not for moments (Viterbi, 1967).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.meaning.tags import MSD, MTT, TagWindows

SOURCE = "soundsight.instruments(musicnn)"

# Shares of clips with the tag in MagnaTagATune (Law et al., "Evaluation of algorithms using games:
# the case of music tagging", ISMIR 2009).
_SHARES = {
    "guitar": 0.19, "strings": 0.11, "drums": 0.10, "piano": 0.08, "violin": 0.07, "synth": 0.07,
    "harpsichord": 0.04, "flute": 0.04, "sitar": 0.04, "harp": 0.02, "cello": 0.02,
}  # fmt: skip
INSTRUMENTS = tuple(_SHARES)
_NOBODY = 0.12
"""An instrument less likely than this does not lead, were it common."""
_TYPICAL_SHARE = 0.1
_ACCOMPANIMENT = {"drums": 0.5}
"""What seldom leads, and how much of its claim is left."""
_CHANGE_COST = 1.5
_LEAST = 0.1
"""A span of a rare instrument that is less likely than this is left out."""


@dataclass(frozen=True)
class InstrumentSpan:
    """A stretch that an instrument leads; ``confidence`` is its mean probability."""

    start_s: float
    end_s: float
    instrument: str
    confidence: float


def hear_instruments(tags: TagWindows, duration_s: float) -> tuple[InstrumentSpan, ...]:
    """Who leads when, in order of time; nobody may."""
    heard = instrument_probabilities(tags)
    share = np.asarray(list(_SHARES.values()))
    part = np.asarray([_ACCOMPANIMENT.get(name, 1.0) for name in INSTRUMENTS])
    claims = np.log(np.maximum(heard * part, 1e-6)) - 0.5 * np.log(share / _TYPICAL_SHARE)
    nobody = np.full((len(heard), 1), np.log(_NOBODY))
    path = _best_path(np.hstack([claims, nobody]))
    edges = np.concatenate([[0.0], tags.middles_s[:-1] + tags.hop_s / 2, [duration_s]])
    changes = [0, *(np.flatnonzero(np.diff(path)) + 1), len(path)]
    spans = []
    for first, end in pairwise(changes):
        leader = path[first]
        if leader == len(INSTRUMENTS) or edges[end] <= edges[first]:
            continue
        mean = float(heard[first:end, leader].mean())
        if mean >= _LEAST:
            start_s, end_s = float(edges[first]), float(edges[end])
            spans.append(InstrumentSpan(start_s, end_s, INSTRUMENTS[leader], mean))
    return tuple(spans)


def instrument_probabilities(tags: TagWindows) -> Floats:
    """Probabilities (windows, instruments), by the tagger that is surer of each."""
    columns = []
    for name in INSTRUMENTS:
        column = tags.probabilities[MTT.id][:, MTT.labels.index(name)]
        if name in MSD.labels:
            column = np.maximum(column, tags.probabilities[MSD.id][:, MSD.labels.index(name)])
        columns.append(column)
    return np.stack(columns, axis=1).astype(np.float64)


def _best_path(scores: Floats) -> list[int]:
    """The states (windows,) of the best path through ``scores`` (windows, states)."""
    best = scores[0]
    came_from = []
    for row in scores[1:]:
        leader = int(best.argmax())
        changed = best[leader] - _CHANGE_COST
        came_from.append(np.where(best >= changed, np.arange(len(best)), leader))
        best = np.maximum(best, changed) + row
    path = [int(best.argmax())]
    for sources in reversed(came_from):
        path.append(int(sources[path[-1]]))
    return path[::-1]
