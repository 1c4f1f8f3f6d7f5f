"""Whether the look follows the mood, and the pace follows the energy: section by section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundsight_kit.measures.chance import Floats
from soundsight_kit.measures.correlation import Correlation, correlate
from soundsight_kit.measures.pictures import PictureLook


@dataclass(frozen=True)
class LookFollowsMood:
    """Correlations over sections: the look's side by side with the mood's."""

    brightness_valence: Correlation
    brightness_arousal: Correlation
    saturation_valence: Correlation
    saturation_arousal: Correlation
    warmth_valence: Correlation
    warmth_arousal: Correlation


@dataclass(frozen=True)
class PaceFollowsEnergy:
    """Correlations over sections with their energy."""

    shot_rate: Correlation
    """Shots per second."""
    motion: Correlation
    """Mean motion within shots."""


def section_means(per_frame: Floats, sections_s: Floats, fps: float) -> Floats:
    """Returns the mean of what is known of each frame, per section; NaN for none.

    Args:
        per_frame: shape (frames,), NaN where not known.
        sections_s: start of each section and the end of the last, shape (sections + 1,).
        fps: frames per second.
    """
    bounds = np.ceil(sections_s * fps - 1e-6).astype(np.int64).clip(0, len(per_frame))
    means = np.full(len(sections_s) - 1, np.nan)
    for i in range(len(means)):
        part = per_frame[bounds[i] : bounds[i + 1]]
        known = part[np.isfinite(part)]
        if known.size:
            means[i] = known.mean()
    return means


def look_follows_mood(
    looks: Sequence[PictureLook],
    sections_s: Floats,
    fps: float,
    valence: Floats,
    arousal: Floats,
) -> LookFollowsMood:
    """Correlates how sections look with how they feel.

    Args:
        looks: of each frame.
        sections_s: start of each section and the end of the last, shape (sections + 1,).
        fps: frames per second.
        valence: of each section, -1 to 1, NaN where not known, shape (sections,).
        arousal: the same of arousal.
    """
    brightness = section_means(np.array([look.brightness for look in looks]), sections_s, fps)
    saturation = section_means(np.array([look.saturation for look in looks]), sections_s, fps)
    warmth = section_means(np.array([look.warmth for look in looks]), sections_s, fps)
    return LookFollowsMood(
        brightness_valence=correlate(brightness, valence),
        brightness_arousal=correlate(brightness, arousal),
        saturation_valence=correlate(saturation, valence),
        saturation_arousal=correlate(saturation, arousal),
        warmth_valence=correlate(warmth, valence),
        warmth_arousal=correlate(warmth, arousal),
    )


def pace_follows_energy(
    shot_rates: Floats, motion: Floats, sections_s: Floats, fps: float, energy: Floats
) -> PaceFollowsEnergy:
    """Correlates the pace of sections with their energy.

    Args:
        shot_rates: shots per second of each section, shape (sections,).
        motion: of each frame, NaN where a shot begins, shape (frames,).
        sections_s: start of each section and the end of the last, shape (sections + 1,).
        fps: frames per second.
        energy: of each section, shape (sections,).
    """
    return PaceFollowsEnergy(
        shot_rate=correlate(shot_rates, energy),
        motion=correlate(section_means(motion, sections_s, fps), energy),
    )
