"""The form of a song: contiguous sections on downbeats, labelled by what repeats.

Bars are compared by harmony, timbre and rhythm; the song is divided at the bar lines where they
change; sections that sound alike get the same letter, and neighbours with one letter become one. A
section that has the music of an earlier one but plainly another sound is its variation: A'.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import scipy.cluster.hierarchy
import scipy.spatial.distance

from soundsight_analyzer.arrays import Floats, Ints
from soundsight_analyzer.form.barfeatures import (
    FEWEST_DOWNBEATS,
    BarFeatures,
    bar_features,
    unit_edges,
)
from soundsight_analyzer.form.boundaries import divide, novelty
from soundsight_analyzer.harmony.notes import Notes
from soundsight_analyzer.rhythm.tracking import Rhythm
from soundsight_analyzer.spectra import Frames

SOURCE = "soundsight.bar-form"
_TRUSTED_BEATS = 0.05
_FARTHEST = 4.0
_ALIKE, _ALIKE_WITHOUT_BARS, _UNLIKE = 0.65, 1.0, 1.2
"""Distances between sections below which they share a label, the same where units that are no bars
fall differently into each repetition, and that from which on they have nothing in common. Bars
picked at random lie about 2 apart. From 0.5 to 0.8 the labels of synthetic songs are equally right.
"""
_VARIED = 0.75
"""Distance in sound, about 1.5 for bars picked at random, beyond which a repetition is a variation.
Sections of synthetic songs that are played again as they were lie at most 0.7 apart."""
_MOST_PRIMES = 3


@dataclass(frozen=True)
class Section:
    """A part of the song; ``label`` is a letter, with primes for variations. Confidences lie in [0,
    1]."""

    start_s: float
    end_s: float
    label: str
    occurrence: int
    boundary_confidence: float
    label_confidence: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def letter(self) -> str:
        """The label without primes: what a variation is a variation of."""
        return self.label.rstrip("'")


@dataclass(frozen=True)
class BarDistances:
    """Distances (n, n) between bars.

    ``change`` tells of changes of sound, up to 1, and listens to timbre first; ``likeness`` weighs
    harmony and timbre alike, about 2 for bars picked at random; ``sound`` leaves harmony out, about
    1.5.
    """

    change: Floats
    likeness: Floats
    sound: Floats


def hear_form(
    frames: Frames, notes: Notes, rhythm: Rhythm, duration_s: float
) -> tuple[Section, ...]:
    """Sections from 0 to ``duration_s``; at least one."""
    # Bars of the right length serve even where their first beat is a guess: every bar is off alike.
    downbeats = rhythm.downbeats_s if rhythm.beats_confidence >= _TRUSTED_BEATS else np.zeros(0)
    edges = unit_edges(downbeats, duration_s)
    if len(edges) < 5:
        return (Section(0.0, duration_s, "A", 1, 1.0, 0.0),)
    distances = bar_distances(bar_features(frames, notes, edges))
    bars_are_real = len(downbeats) >= FEWEST_DOWNBEATS
    lines_novelty = novelty(distances.change, distances.likeness, bars_are_real=bars_are_real)
    bar_s = float(np.median(np.diff(edges)))
    lines = divide(lines_novelty, bar_s, bars_are_real=bars_are_real)
    alike = _ALIKE if bars_are_real else _ALIKE_WITHOUT_BARS
    letters = cluster(section_distances(distances.likeness, lines), alike)
    starts = np.flatnonzero(np.concatenate([[True], letters[1:] != letters[:-1]]))
    lines, letters = np.append(lines[starts], lines[-1]), letters[starts]
    names = label_names(letters, section_distances(distances.sound, lines))
    return _describe(
        np.append(edges[lines[:-1]], duration_s),
        names,
        letters,
        section_distances(distances.likeness, lines),
        _boundary_confidence(lines_novelty[lines[:-1]], bars_are_real=bars_are_real),
    )


def bar_distances(features: BarFeatures) -> BarDistances:
    """How far the bars lie from each other."""
    norms = np.linalg.norm(features.harmony, axis=1, keepdims=True)
    directions = (features.harmony / np.maximum(norms, 1e-6)).astype(np.float32)
    harmony = _relative(1.0 - np.clip(directions @ directions.T, -1.0, 1.0))
    timbre = _relative(_squared_distances(features.timbre))
    rhythm = _relative(_squared_distances(features.rhythm))
    # Beyond some distance, more of it says nothing new: silence at an end shall not hide the rest.
    change = 1.0 - np.exp(-(timbre + 0.5 * rhythm + 0.3 * harmony))
    return BarDistances(change, harmony + timbre, timbre + 0.5 * rhythm)


def _squared_distances(values: Floats) -> Floats:
    """Distances (n, n) in units of each column's usual spread, which a few odd bars do not move."""
    low, middle, high = np.percentile(values, [15, 50, 85], axis=0)
    # A normal distribution has two deviations between these; what hardly varies says nothing.
    spread = np.maximum((high - low) / 2.07, 1e-3)
    scaled = np.clip((values - middle) / spread, -_FARTHEST, _FARTHEST)
    return np.asarray(scipy.spatial.distance.cdist(scaled, scaled, "sqeuclidean"))


def _relative(distances: Floats) -> Floats:
    """Distances in units of their median over bars that are not neighbours."""
    apart = distances[np.triu_indices(len(distances), 2)]
    typical = float(np.median(apart)) if len(apart) else 0.0
    return (distances / max(typical, 1e-6)).astype(np.float32)


def section_distances(likeness: Floats, lines: Ints) -> Floats:
    """Distances (k, k) between sections: the shorter laid along the longer where it fits best."""
    count = len(lines) - 1
    result = np.zeros((count, count))
    for one in range(count):
        for other in range(one):
            block = likeness[lines[one] : lines[one + 1], lines[other] : lines[other + 1]]
            if block.shape[0] > block.shape[1]:
                block = block.T
            shorter, longer = block.shape
            fits = [np.diagonal(block, shift).mean() for shift in range(longer - shorter + 1)]
            result[one, other] = result[other, one] = float(min(fits))
    return result


def cluster(distances: Floats, alike: float) -> Ints:
    """Cluster numbers (k,) of sections by average linkage, cut at the distance ``alike``."""
    if len(distances) < 2:
        return np.zeros(len(distances), dtype=np.int64)
    condensed = scipy.spatial.distance.squareform(distances, checks=False)
    tree = scipy.cluster.hierarchy.linkage(condensed, "average")
    return np.asarray(scipy.cluster.hierarchy.fcluster(tree, alike, "distance"))


def _silhouettes(distances: Floats, labels: Ints) -> Floats:
    """Silhouettes (k,); 0 for what is alone in its cluster, as Rousseeuw defines it."""
    members = labels[:, None] == np.unique(labels)
    sizes = members.sum(axis=0)
    sums = distances @ members
    own = members.argmax(axis=1)
    rows = np.arange(len(labels))
    within = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    nearest = means.min(axis=1)
    if members.shape[1] == 1:
        return np.zeros(len(labels))
    widths = (nearest - within) / np.maximum(np.maximum(nearest, within), 1e-9)
    return np.where(sizes[own] > 1, widths, 0.0)


def _boundary_confidence(values: Floats, *, bars_are_real: bool) -> Floats:
    """How sure boundaries of some novelty (k,) are: somewhat less than what synthetic songs show,
    since songs that people made say less plainly where they divide."""
    return np.asarray((0.85 if bars_are_real else 0.4) * np.tanh(0.75 * values))


def label_names(letters: Ints, sound: Floats) -> list[str]:
    """Labels (k,) of sections in clusters ``letters`` (k,): A, B, ... in order of appearance, and
    primes where the distance in ``sound`` (k, k) to every earlier variant is large."""
    names: list[str] = []
    variants: dict[int, list[int]] = {}
    for index, letter in enumerate(letters.tolist()):
        if letter not in variants:
            variants[letter] = []
        known = variants[letter]
        nearest = min(known, key=lambda earlier: sound[index, earlier], default=None)
        varied = nearest is None or sound[index, nearest] > _VARIED
        if varied and len(known) <= _MOST_PRIMES:
            known.append(index)
            number = list(variants).index(letter)
            names.append(label_name(number) + "'" * (len(known) - 1))
        else:
            names.append(names[nearest or 0])
    return names


def _describe(
    edges_s: Floats, names: list[str], letters: Ints, distances: Floats, change: Floats
) -> tuple[Section, ...]:
    """Sections between ``edges_s`` (k + 1,); ``change`` (k,) tells how sure each start is."""
    seen: dict[str, int] = {}
    widths = _silhouettes(distances, letters)
    sections = []
    for index, (letter, name) in enumerate(zip(letters.tolist(), names, strict=True)):
        seen[name] = seen.get(name, 0) + 1
        same = (letters == letter) & (np.arange(len(letters)) != index)
        likeness = 1.0 - distances[index, same].mean() / _UNLIKE if same.any() else 0.3
        sections.append(
            Section(
                start_s=float(edges_s[index]),
                end_s=float(edges_s[index + 1]),
                label=name,
                occurrence=seen[name],
                boundary_confidence=float(change[index]) if index else 1.0,
                label_confidence=float(np.clip(0.5 * likeness + 0.5 * widths[index], 0.0, 1.0)),
            )
        )
    return tuple(sections)


def label_name(index: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = ascii_uppercase[letter] + name
    return name
