"""The form of a song: contiguous sections on downbeats, labelled by what repeats.

Bars are compared by harmony, timbre and rhythm; the song is divided at the bar lines where they
change; sections that sound alike get the same letter, and neighbours with one letter become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import scipy.cluster.hierarchy
import scipy.spatial.distance

from soundsight_analyzer.arrays import Floats, Ints
from soundsight_analyzer.form.barfeatures import BarFeatures, bar_features, unit_edges
from soundsight_analyzer.form.boundaries import divide, novelty
from soundsight_analyzer.rhythm.tracking import Rhythm
from soundsight_analyzer.spectra import Frames

SOURCE = "soundsight.bar-form"
_TRUSTED_DOWNBEATS = 0.02
_LOSS = 0.6
_FARTHEST = 4.0
_ALIKE, _UNLIKE = 0.5, 1.2
"""Distances between sections below which they always share a label, and above which never. Bars
picked at random lie about 2 apart."""


@dataclass(frozen=True)
class Section:
    """A part of the song. Confidences lie in [0, 1]."""

    start_s: float
    end_s: float
    label: str
    occurrence: int
    boundary_confidence: float
    label_confidence: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


def hear_form(
    frames: Frames, chroma_frames: Floats, rhythm: Rhythm, duration_s: float
) -> tuple[Section, ...]:
    """Sections from 0 to ``duration_s``; at least one."""
    trusted = rhythm.beats_confidence * rhythm.downbeat_confidence >= _TRUSTED_DOWNBEATS**2
    downbeats = rhythm.downbeats_s if trusted else np.zeros(0)
    edges = unit_edges(downbeats, duration_s)
    if len(edges) < 5:
        return (Section(0.0, duration_s, "A", 1, 1.0, 0.0),)
    change, likeness = bar_distances(bar_features(frames, chroma_frames, edges))
    lines_novelty = novelty(change, likeness)
    bar_s = float(np.median(np.diff(edges)))
    lines = divide(lines_novelty, bar_s, bars_are_real=len(downbeats) >= 4)
    distances = section_distances(likeness, lines)
    letters = cluster(distances, lines_novelty[lines[1:-1]])
    lines, letters, distances = _merge_neighbours(lines, letters, likeness)
    return _describe(edges, lines, letters, distances, lines_novelty, duration_s)


def bar_distances(features: BarFeatures) -> tuple[Floats, Floats]:
    """Distances (n, n) between bars that tell of change, up to 1, and of likeness, about 2 apart.

    Change listens to timbre first; likeness weighs harmony and timbre alike.
    """
    norms = np.linalg.norm(features.harmony, axis=1, keepdims=True)
    directions = features.harmony / np.maximum(norms, 1e-6)
    harmony = _relative(1.0 - np.clip(directions @ directions.T, -1.0, 1.0))
    timbre = _relative(_squared_distances(features.timbre))
    rhythm = _relative(_squared_distances(features.rhythm))
    # Beyond some distance, more of it says nothing new: silence at an end shall not hide the rest.
    change = 1.0 - np.exp(-(timbre + 0.5 * rhythm + 0.3 * harmony))
    return change, harmony + timbre


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


def cluster(distances: Floats, between: Floats) -> Ints:
    """Cluster numbers (k,) by average linkage, cut where the silhouette is best.

    Neighbours in one cluster are no longer divided: a cut pays for the novelty ``between`` (k - 1,)
    sections that it gives up.
    """
    count = len(distances)
    if count < 2:
        return np.zeros(count, dtype=np.int64)
    condensed = scipy.spatial.distance.squareform(distances, checks=False)
    tree = scipy.cluster.hierarchy.linkage(condensed, "average")
    heights = tree[:, 2]
    cuts = [_ALIKE, *(h + 1e-9 for h in heights if _ALIKE < h < _UNLIKE)]
    best = np.arange(count)
    best_score = -np.inf
    for cut in cuts:
        labels = scipy.cluster.hierarchy.fcluster(tree, cut, "distance")
        lost = float(between[labels[1:] == labels[:-1]].sum()) / count
        score = float(_silhouettes(distances, labels).mean()) - _LOSS * lost
        if score > best_score + 1e-9:
            best, best_score = labels, score
    return np.asarray(best)


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


def _merge_neighbours(lines: Ints, letters: Ints, likeness: Floats) -> tuple[Ints, Ints, Floats]:
    starts = np.flatnonzero(np.concatenate([[True], letters[1:] != letters[:-1]]))
    merged = np.append(lines[starts], lines[-1])
    return merged, letters[starts], section_distances(likeness, merged)


def _describe(
    edges: Floats,
    lines: Ints,
    letters: Ints,
    distances: Floats,
    lines_novelty: Floats,
    duration_s: float,
) -> tuple[Section, ...]:
    names: dict[int, str] = {}
    seen: dict[int, int] = {}
    widths = _silhouettes(distances, letters)
    sections = []
    for index, letter in enumerate(letters.tolist()):
        names.setdefault(letter, label_name(len(names)))
        seen[letter] = seen.get(letter, 0) + 1
        same = (letters == letter) & (np.arange(len(letters)) != index)
        likeness = 1.0 - distances[index, same].mean() / _UNLIKE if same.any() else 0.3
        first, end = lines[index], lines[index + 1]
        at_start = 1.0 if index == 0 else float(np.tanh(lines_novelty[first]))
        sections.append(
            Section(
                start_s=float(edges[first]) if index else 0.0,
                end_s=float(edges[end]) if index + 1 < len(letters) else duration_s,
                label=names[letter],
                occurrence=seen[letter],
                boundary_confidence=at_start,
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
