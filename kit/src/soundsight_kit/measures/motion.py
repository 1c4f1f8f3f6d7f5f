"""Whether the picture moves when the music does.

Motion is the mean absolute difference of luma between a frame and the one before. The first frame
of a shot differs by the cut and says nothing about motion: it is NaN and left out everywhere.
Baselines shift the music against the picture, circular, by at least a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soundsight_kit.measures.chance import (
    DRAWS,
    AgainstChance,
    Floats,
    against_chance,
    frame_offsets,
)

LARGEST_LAG_S = 0.1
"""Within this, picture and sound are felt as one (ITU-R BT.1359 finds more noticeable)."""

LEAST_OFFSET_S = 1.0
"""Music shifted by less may still fit."""

AROUND_S = 0.5
"""A peak stands out from this much on either side."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class MotionFollowsOnsets:
    """How motion goes with the onset envelope."""

    correlation: AgainstChance
    """Pearson, at the best lag."""
    lag_s: float
    """The best lag: positive when the picture comes after the sound."""


@dataclass(frozen=True)
class AvAlign:
    """AV-Align (Yariv et al., 2023): onsets and peaks of motion that belong together."""

    score: AgainstChance
    """matched / (onsets + peaks - matched), 0 to 1."""
    onsets: int
    peaks: int
    matched: int


def frame_change(luma: NDArray[np.float32], before: NDArray[np.float32]) -> float:
    """Returns the mean absolute difference of two pictures of one shape, in their own unit."""
    return float(np.abs(luma - before).mean())


def leave_out_cuts(change: Floats, cut_frames: Ints) -> Floats:
    """Returns the motion of each frame, shape (frames,): its change, NaN where a shot begins.

    Args:
        change: difference of each frame to the one before, shape (frames,).
        cut_frames: first frames of shots.
    """
    motion = change.copy()
    motion[:1] = np.nan
    motion[cut_frames[(cut_frames >= 0) & (cut_frames < len(motion))]] = np.nan
    return motion


def curve_per_frame(values: Floats, hop_s: float, frames: int, fps: float) -> Floats:
    """Returns the mean of a curve over each frame's time, shape (frames,).

    Args:
        values: values[i] belongs to the moment i * hop_s; the last one stays.
        hop_s: seconds between values.
        frames: frames wanted.
        fps: frames per second.
    """
    if not values.size:
        return np.zeros(frames)
    # The integral of straight lines between the values, at each frame's edges.
    places = np.arange(frames + 1) / fps / hop_s
    before = places.astype(np.int64).clip(0, len(values) - 1)
    after = np.minimum(before + 1, len(values) - 1)
    along = places - before
    whole = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2)])
    part = along * values[before] + along**2 / 2 * (values[after] - values[before])
    integral = (whole[before] + part) * hop_s
    means: Floats = np.diff(integral) * fps
    return means


def motion_follows_onsets(
    motion: Floats, onsets: Floats, fps: float, *, seed: int = 0, draws: int = DRAWS
) -> MotionFollowsOnsets:
    """Correlates motion with the onset envelope at the best lag within 100 ms.

    The baseline takes its best lag as well, so that choosing gains nothing.

    Args:
        motion: shape (frames,), NaN where left out.
        onsets: onset envelope per frame, shape (frames,).
        fps: frames per second.
        seed: of the random offsets.
        draws: how many random offsets.
    """
    frames = len(motion)
    by_shift = _circular_correlation(motion, onsets)
    furthest = min(int(LARGEST_LAG_S * fps), max(0, (frames - 1) // 2))
    # Nearest first: of equals, the smallest lag is the best one.
    lags = np.array(sorted(range(-furthest, furthest + 1), key=abs), dtype=np.int64)
    here = by_shift[lags % frames]
    best = int(np.argmax(here))
    offsets = frame_offsets(frames, round(LEAST_OFFSET_S * fps) + furthest, seed, draws)
    shifted = by_shift[(offsets[:, None] + lags[None, :]) % frames].max(axis=1)
    return MotionFollowsOnsets(against_chance(float(here[best]), shifted), float(lags[best] / fps))


def av_align(
    motion: Floats,
    values: Floats,
    hop_s: float,
    fps: float,
    *,
    tolerance_frames: int = 1,
    seed: int = 0,
    draws: int = DRAWS,
) -> AvAlign:
    """Matches the onset curve's peaks with those of motion, one to one, in order of time.

    Args:
        motion: shape (frames,), NaN where left out.
        values: onset curve, shape (values,).
        hop_s: seconds between its values.
        fps: frames per second.
        tolerance_frames: how far apart a pair may be.
        seed: of the random offsets.
        draws: how many random offsets.
    """
    frames = len(motion)
    heard = (find_peaks(values, 1 / hop_s) * hop_s * fps).astype(np.int64)
    heard = np.unique(heard[heard < frames])
    seen = find_peaks(_bridged(motion), fps)

    def score(onsets: Ints) -> tuple[float, int]:
        pairs = count_matched(onsets, seen, tolerance_frames)
        either = len(onsets) + len(seen) - pairs
        return (pairs / either if either else float("nan")), pairs

    offsets = frame_offsets(frames, round(LEAST_OFFSET_S * fps), seed, draws)
    shifted = np.array([score(np.sort((heard + offset) % frames))[0] for offset in offsets])
    value, matched = score(heard)
    return AvAlign(against_chance(value, shifted), len(heard), len(seen), matched)


def find_peaks(curve: Floats, rate_hz: float) -> Ints:
    """Returns the places of a curve's peaks, ascending.

    A peak is higher than all within 50 ms, as onset detectors choose theirs (Böck et al., 2012),
    and a standard deviation above the mean of the second around it: calm and busy shots, quiet and
    loud passages have peaks alike.

    Args:
        curve: shape (n,), finite.
        rate_hz: values per second.
    """
    if not curve.size:
        return np.empty(0, dtype=np.int64)
    reach = max(1, round(0.05 * rate_hz))
    padded = np.pad(curve, reach, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    # Of a plateau the first value is the peak.
    highest = (curve >= windows.max(axis=1)) & (curve > windows[:, :reach].max(axis=1))
    around = round(AROUND_S * rate_hz)
    mean = _local_mean(curve, around)
    variance = _local_mean(curve**2, around) - mean**2
    # What rounding leaves of a flat curve is no variance.
    deviation = np.sqrt(np.maximum(variance, 1e-9 * (1e-9 + mean**2)))
    stands_out = curve - mean > deviation
    return np.flatnonzero(highest & stands_out)


def count_matched(a: Ints, b: Ints, tolerance: int) -> int:
    """Counts pairs of two ascending sequences at most `tolerance` apart, each member used once."""
    left, right = a.tolist(), b.tolist()
    i = j = pairs = 0
    while i < len(left) and j < len(right):
        apart = left[i] - right[j]
        if abs(apart) <= tolerance:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    return pairs


def _circular_correlation(motion: Floats, onsets: Floats) -> Floats:
    """Pearson's correlation at every circular shift of the music, shape (frames,): entry k for
    music that comes k frames later. Frames without motion are left out of every sum."""
    there = np.isfinite(motion)
    count = int(there.sum())
    if count < 2 or motion[there].std() < 1e-12 or onsets.std() < 1e-12:
        return np.full(len(motion), np.nan)
    centred = np.where(there, motion - motion[there].mean(), 0.0)
    level = onsets - onsets.mean()
    # Sums over frames of weight[t] * curve[t - k], for all k at once.
    weight, product = np.fft.rfft(there.astype(np.float64)), np.fft.rfft(centred)
    curve, square = np.fft.rfft(level), np.fft.rfft(level**2)

    def sums(of: NDArray[np.complex128], under: NDArray[np.complex128]) -> Floats:
        result: Floats = np.fft.irfft(under * of.conj(), len(motion))
        return result

    spread = sums(square, weight) - sums(curve, weight) ** 2 / count
    size = np.sqrt(np.maximum(spread, 1e-12) * (centred**2).sum())
    correlation: Floats = sums(curve, product) / size
    return correlation


def _bridged(motion: Floats) -> Floats:
    """Motion with straight lines over the frames left out, so that no peak lies in them."""
    there = np.isfinite(motion)
    if not there.any():
        return np.zeros(len(motion))
    places = np.arange(len(motion))
    bridged: Floats = np.interp(places, places[there], motion[there])
    return bridged


def _local_mean(curve: Floats, reach: int) -> Floats:
    """Mean over `reach` values on either side, fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(curve)])
    places = np.arange(len(curve))
    first, last = np.maximum(0, places - reach), np.minimum(len(curve), places + reach + 1)
    means: Floats = (sums[last] - sums[first]) / (last - first)
    return means
