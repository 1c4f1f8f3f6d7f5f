"""Valence and arousal, window by window, from tags and from the sound itself.

Tags are words, and words lie somewhere on Russell's circumplex ("A circumplex model of affect",
1980); a tag counts by how much more likely it is here than in music at large. Arousal also follows
loudness, onsets, brightness and tempo (Gomez and Danuser, "Relationships between musical structure
and psychophysiological measures of emotion", Emotion 2007); valence follows mode and tempo, a
little. Mode and tempo count by how sure they are.

All weights are set by hand and by that literature, none by listeners' ratings of songs: hence the
modest confidence, in valence above all, on which listeners themselves agree least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.harmony.key import Key
from soundsight_analyzer.meaning.tags import TAGGERS, Tagger, TagWindows
from soundsight_analyzer.onsets import band_onsets
from soundsight_analyzer.rhythm.tracking import Rhythm
from soundsight_analyzer.spectra import FRAME_HOP_S, Frames

SOURCE = "soundsight.circumplex(musicnn,loudness,onsets,brightness,tempo,mode)"
VALENCE_CONFIDENCE, AROUSAL_CONFIDENCE = 0.35, 0.6
UNTAGGED_VALENCE_CONFIDENCE, UNTAGGED_AROUSAL_CONFIDENCE = 0.15, 0.45
HOP_S = 1.5
_MOST_VALUES = 5_000

# Where words lie: (valence, arousal). Only words that speak of mood, and genres that lean one way.
_PLACES: dict[str, tuple[float, float]] = {
    "happy": (0.9, 0.5), "party": (0.7, 0.8), "dance": (0.6, 0.7), "catchy": (0.6, 0.4),
    "funk": (0.6, 0.5), "house": (0.5, 0.6), "pop": (0.4, 0.2), "soul": (0.4, 0.0),
    "country": (0.4, 0.0), "beautiful": (0.6, -0.3), "sexy": (0.5, 0.2),
    "easy listening": (0.5, -0.5), "indie pop": (0.4, 0.2), "jazz": (0.3, -0.2),
    "mellow": (0.2, -0.6), "chillout": (0.3, -0.6), "chill": (0.3, -0.6), "folk": (0.2, -0.3),
    "acoustic": (0.2, -0.4), "sad": (-0.8, -0.4), "blues": (-0.3, -0.2), "ambient": (0.0, -0.7),
    "experimental": (-0.2, 0.0), "metal": (-0.5, 0.9), "heavy metal": (-0.4, 0.9),
    "hard rock": (0.0, 0.8), "punk": (0.0, 0.9), "rock": (0.1, 0.5),
    "alternative rock": (0.0, 0.4), "electronic": (0.1, 0.2), "electro": (0.3, 0.6),
    "hip-hop": (0.1, 0.4), "techno": (0.2, 0.7), "slow": (-0.1, -0.6), "fast": (0.2, 0.7),
    "loud": (-0.1, 0.8), "quiet": (0.0, -0.8), "soft": (0.3, -0.6), "weird": (-0.4, 0.1),
    "new age": (0.4, -0.6), "opera": (0.0, 0.0), "choral": (0.0, -0.4), "harp": (0.3, -0.5),
    "classical": (0.1, -0.3), "cello": (-0.2, -0.4), "flute": (0.2, -0.4), "piano": (0.1, -0.3),
    "drums": (0.1, 0.4), "beat": (0.2, 0.4), "strings": (0.0, -0.2),
}  # fmt: skip

# Tags of a list ordered by frequency occur about as often as Zipf's law says: share of rank r is
# first * r ** -fall. First and last shares are those of the data sets' papers.
_COMMONNESS = {"musicnn-msd": (0.42, 0.65), "musicnn-mtt": (0.19, 0.60)}
_FEW = 2.0
_MAJOR_VALENCE = 0.25
_TEMPO_AROUSAL, _TEMPO_VALENCE = 0.15, 0.08
_MIDDLE_TEMPO_BPM = 110.0


@dataclass(frozen=True)
class EmotionOverTime:
    """``valence`` and ``arousal`` (n,), each in [-1, 1]; values[i] belongs to i * hop_s."""

    hop_s: float
    valence: Floats
    arousal: Floats
    valence_confidence: float = VALENCE_CONFIDENCE
    arousal_confidence: float = AROUSAL_CONFIDENCE

    def mean(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Mean valence and arousal of a stretch of the song."""
        first = min(int(start_s / self.hop_s), len(self.valence) - 1)
        end = max(first + 1, round(end_s / self.hop_s))
        return float(self.valence[first:end].mean()), float(self.arousal[first:end].mean())


def feel(
    frames: Frames,
    tags: TagWindows | None,
    keys: Sequence[Key] = (),
    rhythm: Rhythm | None = None,
) -> EmotionOverTime:
    """Emotion over a song of at least one frame; without tags the sound alone decides."""
    duration_s = len(frames) * FRAME_HOP_S
    hop_s = max(HOP_S, duration_s / _MOST_VALUES)
    moments = np.arange(max(1, int(np.ceil(duration_s / hop_s)))) * hop_s
    pace = _pace(rhythm)
    arousal = sound_arousal(frames, moments)
    valence = _mode_valence(keys, moments)
    if tags is not None:
        told = np.mean([_tag_emotion(tags, tagger, moments) for tagger in TAGGERS], axis=0)
        valence = valence + told[:, 0]
        arousal = 0.5 * arousal + 0.5 * told[:, 1]
    heard = tags is not None
    return EmotionOverTime(
        hop_s=hop_s,
        valence=np.clip(_smooth(valence + _TEMPO_VALENCE * pace), -1.0, 1.0),
        arousal=np.clip(_smooth(arousal + _TEMPO_AROUSAL * pace), -1.0, 1.0),
        valence_confidence=VALENCE_CONFIDENCE if heard else UNTAGGED_VALENCE_CONFIDENCE,
        arousal_confidence=AROUSAL_CONFIDENCE if heard else UNTAGGED_AROUSAL_CONFIDENCE,
    )


def sound_arousal(frames: Frames, moments: Floats) -> Floats:
    """Arousal (n,) in (-1, 1) at ``moments`` (n,) from three seconds of sound around each.

    The scales put quiet orchestral music near -0.5 and metal near 0.7.
    """
    width = round(3.0 / FRAME_HOP_S)
    at = np.clip(np.rint(moments / FRAME_HOP_S).astype(np.int64), 0, len(frames) - 1)

    def around(values: Floats) -> Floats:
        return scipy.ndimage.uniform_filter1d(values, width, mode="nearest")[at]

    level_db = 10.0 * np.log10(np.maximum(around(frames.power), 1e-8))
    rising = around(band_onsets(frames.mel).sum(axis=1))
    centroid_hz = around(frames.centroid_hz)
    level = (level_db + 16.0) / 8.0
    busy = (rising - 0.3) / 0.2
    bright = np.log2(np.maximum(centroid_hz, 100.0) / 2000.0)
    return np.tanh(0.5 * level + 0.2 * busy + 0.3 * bright)


def _tag_emotion(tags: TagWindows, tagger: Tagger, moments: Floats) -> Floats:
    """Valence and arousal (n, 2) at ``moments`` by the words of one tagger."""
    first, fall = _COMMONNESS[tagger.id]
    placed = [i for i, label in enumerate(tagger.labels) if label in _PLACES]
    places = np.asarray([_PLACES[tagger.labels[i]] for i in placed])
    common = first * (np.asarray(placed) + 1.0) ** -fall
    weights = tags.probabilities[tagger.id][:, placed] / common
    emotion = (weights @ places) / (weights.sum(axis=1, keepdims=True) + _FEW)
    at = tags.middles_s
    return np.stack([np.interp(moments, at, emotion[:, axis]) for axis in (0, 1)], axis=1)


def _mode_valence(keys: Sequence[Key], moments: Floats) -> Floats:
    """Valence (n,) by the mode that holds at ``moments`` (n,)."""
    if not keys:
        return np.zeros(len(moments))
    signs = np.asarray([-1.0 if key.minor else 1.0 for key in keys])
    told = _MAJOR_VALENCE * signs * np.asarray([key.confidence for key in keys])
    holding = np.searchsorted([key.start_s for key in keys], moments, side="right") - 1
    return np.asarray(told[np.maximum(holding, 0)])


def _pace(rhythm: Rhythm | None) -> float:
    """How fast the song is, in octaves from a middling tempo, between -1 and 1."""
    if rhythm is None or rhythm.tempo_bpm <= 0:
        return 0.0
    octaves = np.log2(rhythm.tempo_bpm / _MIDDLE_TEMPO_BPM)
    return float(np.clip(octaves, -1.0, 1.0) * rhythm.tempo_confidence)


def _smooth(values: Floats) -> Floats:
    return np.asarray(scipy.ndimage.gaussian_filter1d(values, 1.0, mode="nearest"))
