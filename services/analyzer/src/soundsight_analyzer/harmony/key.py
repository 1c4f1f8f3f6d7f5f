"""The key of a song, by several key profiles of essentia's KeyExtractor that vote."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.quiet import essentia_standard

SOURCE = "essentia.KeyExtractor"
PROFILES = ("bgate", "edma", "krumhansl", "shaath")
_SHARPS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
_WEAKEST, _STRONGEST = 0.55, 0.9
_SHORTEST_S = 1.0
_AUDIBLE = 1e-4


@dataclass(frozen=True)
class Key:
    """``tonic`` with sharps: C, C#, ... B."""

    tonic: str
    minor: bool
    confidence: float


def hear_key(samples: Floats, rate_hz: int) -> Key | None:
    """The key of ``samples`` (n,), or None when there is too little to hear.

    Confidence is the share of the profiles that agree, times how well the song fits the key: speech
    and noise fit none.
    """
    if len(samples) < _SHORTEST_S * rate_hz or float(np.abs(samples).max()) < _AUDIBLE:
        return None
    audio = np.ascontiguousarray(samples, dtype=np.float32)
    standard = essentia_standard()
    votes: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for profile in PROFILES:
        extractor = standard.KeyExtractor(profileType=profile, sampleRate=rate_hz)
        tonic, scale, strength = extractor(audio)
        if np.isfinite(strength):
            votes[_SHARPS.get(tonic, tonic), scale == "minor"].append(float(strength))
    if not votes:
        return None
    tonic, minor = max(votes, key=lambda key: sum(votes[key]))
    agreeing = votes[tonic, minor]
    clarity = (sum(agreeing) / len(agreeing) - _WEAKEST) / (_STRONGEST - _WEAKEST)
    share = len(agreeing) / len(PROFILES)
    return Key(tonic=tonic, minor=minor, confidence=share * float(np.clip(clarity, 0.0, 1.0)))
