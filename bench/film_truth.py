"""What is known of a song besides its analysis: true beats to judge a film's cuts by."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from soundsight_kit.measures.chance import Floats

MOST_OFFSET_S = 0.07
"""A chart is early or late by no more; further away the next beat is meant."""

_OFFSET_STEP_S = 0.002
_OFFSET_SIGMA_S = 0.02


@dataclass(frozen=True)
class TrueBeats:
    """When the beats of a song are."""

    beats_s: Floats
    """Ascending, shape (beats,)."""
    downbeats_s: Floats
    """Ascending, shape (downbeats,); empty where nobody wrote them down."""
    known_until_s: float
    """Nothing is said about what comes later."""


def read_true_beats(path: Path, name: str) -> TrueBeats:
    """Reads what songsmith writes beside a song, or a `beats.json` of several songs.

    Args:
        path: JSON with `beats_s` and perhaps `downbeats_s` and `last_note_s`, or such objects by
            the names of songs.
        name: the song's, where there are several.

    Raises:
        SystemExit: when the file is no such file or does not know the song.
    """
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path} cannot be read: {error}") from error
    if "beats_s" not in facts:
        if name not in facts:
            raise SystemExit(f"{path} knows {', '.join(facts)}; name one with --truth-song")
        facts = facts[name]
    return TrueBeats(
        np.array(facts["beats_s"], dtype=np.float64),
        np.array(facts.get("downbeats_s", []), dtype=np.float64),
        facts.get("last_note_s", math.inf),
    )


def offset_s(truth: TrueBeats, heard_s: Floats) -> float:
    """The one constant by which true beats are moved so that they fit best to the heard ones."""
    heard_s = heard_s[heard_s <= truth.known_until_s]
    if not heard_s.size or not truth.beats_s.size:
        return 0.0
    moves_s = np.arange(-MOST_OFFSET_S, MOST_OFFSET_S + 1e-9, _OFFSET_STEP_S)
    fits = []
    for move_s in moves_s:
        apart_s = np.abs(truth.beats_s[:, None] + move_s - heard_s).min(axis=1)
        fits.append(np.exp(-0.5 * (apart_s / _OFFSET_SIGMA_S) ** 2).sum())
    return float(moves_s[int(np.argmax(fits))])


def moved(truth: TrueBeats, by_s: float) -> TrueBeats:
    """The truth, later by a constant."""
    return replace(truth, beats_s=truth.beats_s + by_s, downbeats_s=truth.downbeats_s + by_s)
