"""Word boundaries moved to where the voice really sets in.

Cross-attention says which word is being sung, but not to the tenth of a second when it begins: it
runs ahead of the sound, and a pause is counted to the word behind it. With Whisper base on
synthetic voices of known words, the boundaries lie 0.06 s (connected speech) to 0.12 s (words
apart) before the end of the word in front of them, over music and without: `LEAD_S` lies between.
From there the word's onset is sought in the voice's own band: silence may be skipped for nothing,
sound hardly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import stft

from soundsight_analyzer.arrays import Floats

LEAD_S = 0.09
HOP_S = 0.01
_FRAME_S = 0.032
_BAND_HZ = (250.0, 4_000.0)
_QUIET, _LOUD = 10, 90
_SIDE_FRAMES = 5
_SKIPPING, _TURNING_BACK = 3.0, 3.0
_BACK_S = 0.06
_SHORTEST_WORD_S = 0.05


def voice_level(sound: Floats, rate_hz: int) -> Floats:
    """How much sounds in the voice's band, (frames,) in [0, 1], every HOP_S.

    0 and 1 are the 10th and 90th percentile of the level in dB within ``sound``.
    """
    hop = round(HOP_S * rate_hz)
    frame = round(_FRAME_S * rate_hz)
    frequencies, _, spectrum = stft(sound, rate_hz, nperseg=frame, noverlap=frame - hop)
    band = (frequencies >= _BAND_HZ[0]) & (frequencies <= _BAND_HZ[1])
    level = 10.0 * np.log10(1e-10 + (np.abs(spectrum[band]) ** 2).sum(axis=0))
    low, high = np.percentile(level, (_QUIET, _LOUD))
    return np.clip((level - low) / max(high - low, 1e-6), 0.0, 1.0)


def snap(boundaries: Sequence[float], level: Floats) -> tuple[list[float], list[float]]:
    """Starts and ends of words, in seconds, from the boundaries that attention gave.

    Args:
        boundaries: n + 1 rising moments: the start of each word, and the end of the last.
        level: what `voice_level` says of the same stretch.
    """
    nominal = [boundary + LEAD_S for boundary in boundaries]
    rise = _rise(level)
    starts: list[float] = []
    for index, boundary in enumerate(nominal[:-1]):
        after = nominal[index + 1] - _SHORTEST_WORD_S
        before = boundary - _BACK_S
        if starts:
            before = max(before, starts[-1] + _SHORTEST_WORD_S)
        starts.append(_onset(boundary, before, max(after, before), level, rise))
    ends = [min(end, start) for end, start in zip(nominal[1:-1], starts[1:], strict=True)]
    ends.append(nominal[-1])
    return starts, [max(end, start) for start, end in zip(starts, ends, strict=True)]


def _rise(level: Floats) -> Floats:
    """How much louder the next frames are than the last ones, (frames,) in [-1, 1]."""
    sums = np.concatenate([[0.0], np.cumsum(level)])
    at = np.arange(len(level))
    later = np.minimum(at + _SIDE_FRAMES, len(level))
    earlier = np.maximum(at - _SIDE_FRAMES, 0)
    ahead = (sums[later] - sums[at]) / np.maximum(later - at, 1)
    behind = (sums[at] - sums[earlier]) / np.maximum(at - earlier, 1)
    return ahead - np.where(at > earlier, behind, 0.0)


def _onset(boundary: float, first_s: float, last_s: float, level: Floats, rise: Floats) -> float:
    first, last = (min(max(round(s / HOP_S), 0), len(level) - 1) for s in (first_s, last_s))
    if last <= first:
        return max(first_s, min(boundary, last_s))
    at = np.arange(first, last + 1)
    middle = min(max(round(boundary / HOP_S), first), last)
    skipped = np.concatenate([[0.0], np.cumsum(level[first:last])])
    ahead = np.maximum(skipped - skipped[middle - first], 0.0) * HOP_S
    back = np.maximum(middle - at, 0) * HOP_S
    score = rise[first : last + 1] - _SKIPPING * ahead - _TURNING_BACK * back
    return float(at[int(np.argmax(score))] * HOP_S)
