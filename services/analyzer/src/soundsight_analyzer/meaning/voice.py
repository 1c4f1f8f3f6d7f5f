"""Where somebody sings, speaks or growls, and how high: from what the taggers say of voices.

MagnaTagATune's listeners wrote down voices and their absence, under many names; the Million Song
Dataset's fans wrote `instrumental` on what has none, and their words for singers come up in soft
music whether anybody sings or not. The logarithms of these four, weighed, tell a window with a
voice from one without.

The numbers are two logistic regressions, over windows and over songs, on 132 excerpts of some 40
seconds: songs that were synthesised, and instrumental pieces of free games, each as it is and with
a synthetic voice mixed in, between 7 dB below it and 3 dB above, sung, spoken or growled (espeak-
ng, given a melody, or noise for a larynx, with the WORLD vocoder). Of songs left out, 94 % of sung
windows, 96 % of spoken ones and 86 % of growled ones are found, at 9 % false ones; the verdict on
the whole excerpt is right in 96 %. Real singers were not among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.meaning.tags import MSD, MTT, Tagger, TagWindows

SOURCE = "soundsight.voice(musicnn)"

_VOICE = ("vocal", "vocals", "voice", "singing")
_NO_VOICE = ("no vocals", "no vocal", "no voice")
_HIGH = ("female", "woman", "female vocal", "female voice")
_LOW = ("male", "man", "male vocal", "male voice")
_HARSH = ("metal", "heavy metal")
_RAP = ("hip-hop",)
_SINGERS = ("female vocalists", "male vocalists", "female vocalist")
_LEAST = 1e-3

_WEIGHTS = (1.394, -0.476, -1.897, -0.770)
_OFFSET = -5.985
_SMOOTH_WINDOWS = 1.0
_ENTER, _LEAVE = 0.5, 0.4
_SHORTEST_S = 1.5
_VOICED_PART = 90.0
"""Percentile: a song is judged by its tenth that is most like a voice."""
_SONG_WEIGHT, _SONG_OFFSET = 1.828, -1.748
_REGISTER_MARGIN = 0.3
_HARSH_SHARE = 0.4
_MOST_SURE_OF_REGISTER = 0.7


class Register(Enum):
    """The names are the contract's."""

    UNSPECIFIED = "UNSPECIFIED"
    LOW = "LOW"
    HIGH = "HIGH"
    UNPITCHED = "UNPITCHED"


@dataclass(frozen=True)
class Span:
    """A stretch with a voice, and the mean probability of it."""

    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Voice:
    """``probability`` (windows,) of a voice around the moments ``times_s`` (windows,)."""

    times_s: Floats
    probability: Floats
    spans: tuple[Span, ...]
    instrumental: bool
    confidence: float
    register: Register
    register_confidence: float


def hear_voice(tags: TagWindows, duration_s: float) -> Voice:
    """The voice of a song of ``duration_s`` with these tags."""
    logits = np.asarray(
        scipy.ndimage.gaussian_filter1d(voice_logits(tags), _SMOOTH_WINDOWS, mode="nearest")
    )
    probability = _logistic(logits)
    times_s = np.minimum(tags.middles_s, duration_s)
    strongest = float(np.percentile(logits, _VOICED_PART))
    sung = float(_logistic(_SONG_WEIGHT * strongest + _SONG_OFFSET))
    spans: tuple[Span, ...] = ()
    register, sure = Register.UNSPECIFIED, 0.0
    if sung > 0.5:
        spans = _spans(times_s, probability, tags.hop_s, duration_s)
        register, sure = _register(tags, probability)
    return Voice(
        times_s=times_s,
        probability=probability,
        spans=spans,
        instrumental=not spans,
        confidence=max(sung if spans else 1.0 - sung, 0.5),
        register=register,
        register_confidence=sure,
    )


def voice_logits(tags: TagWindows) -> Floats:
    """Log odds (windows,) of a voice in each window."""
    evidence = np.stack(
        [
            _log_sum(tags, MTT, _VOICE),
            _log_sum(tags, MTT, _NO_VOICE),
            _log_sum(tags, MSD, ("instrumental",)),
            _log_sum(tags, MSD, _SINGERS),
        ],
        axis=1,
    )
    return evidence @ np.asarray(_WEIGHTS) + _OFFSET


def _register(tags: TagWindows, probability: Floats) -> tuple[Register, float]:
    """The register of what is sung where there is a voice.

    That growls and rap have no pitch the taggers do not say; their genres do. Metal is growled or
    screamed where the listeners' words for singing, which fit clean voices alone, do not come up.
    """
    weight = probability * (probability >= _ENTER)
    if not weight.any():
        return Register.UNSPECIFIED, 0.0
    weight = weight / weight.sum()
    high = float(weight @ _sum(tags, MTT, _HIGH))
    low = float(weight @ _sum(tags, MTT, _LOW))
    harsh = float(weight @ _sum(tags, MSD, _HARSH))
    rap = float(weight @ _sum(tags, MSD, _RAP))
    sung = float(weight @ _sum(tags, MTT, _VOICE))
    unpitched = max(harsh - 4.0 * sung, rap)
    if unpitched >= _HARSH_SHARE:
        return Register.UNPITCHED, min(_MOST_SURE_OF_REGISTER, unpitched)
    balance = (high - low) / max(high + low, _LEAST)
    if abs(balance) < _REGISTER_MARGIN:
        return Register.UNSPECIFIED, 0.0
    chosen = Register.HIGH if balance > 0 else Register.LOW
    return chosen, min(_MOST_SURE_OF_REGISTER, abs(balance))


def _spans(
    times_s: Floats, probability: Floats, hop_s: float, duration_s: float
) -> tuple[Span, ...]:
    """Stretches in which the probability rises to _ENTER and stays above _LEAVE."""
    labels, count = scipy.ndimage.label(probability >= _LEAVE)
    found = []
    for number in range(1, count + 1):
        inside = np.flatnonzero(labels == number)
        if probability[inside].max() < _ENTER:
            continue
        # The first window stands for what comes before its middle, the last for what comes after.
        start_s = 0.0 if inside[0] == 0 else times_s[inside[0]] - hop_s / 2
        end_s = duration_s if inside[-1] == len(times_s) - 1 else times_s[inside[-1]] + hop_s / 2
        end_s = min(end_s, duration_s)
        if end_s - start_s >= min(_SHORTEST_S, duration_s):
            found.append(Span(float(start_s), float(end_s), float(probability[inside].mean())))
    return tuple(found)


def _logistic(values: Floats | float) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -50.0, 50.0))))


def _log_sum(tags: TagWindows, tagger: Tagger, labels: tuple[str, ...]) -> Floats:
    return np.log(np.maximum(_sum(tags, tagger, labels), _LEAST))


def _sum(tags: TagWindows, tagger: Tagger, labels: tuple[str, ...]) -> Floats:
    chosen = [tagger.labels.index(label) for label in labels]
    return np.asarray(tags.probabilities[tagger.id][:, chosen].sum(axis=1), dtype=np.float64)
