"""How near what was heard in a song comes to what is so: the field's measures, by mir_eval.

A measure is nan where the truth or the listener says nothing about it.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
from numpy.typing import NDArray

from songsmith import Truth

Floats = NDArray[np.float64]
NOTHING = math.nan

BEAT_TOLERANCE_S = 0.07
TEMPO_TOLERANCE = 0.04
# More written tempi than these are one that wanders.
MOST_TEMPI = 3


@dataclass(frozen=True)
class Spans:
    """Stretches of a song that follow each other: times (n + 1,) and labels (n,)."""

    bounds_s: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def intervals(self) -> Floats:
        """Shape (n, 2)."""
        return np.stack([self.bounds_s[:-1], self.bounds_s[1:]], axis=1)


@dataclass(frozen=True)
class Hearing:
    """What is so or was heard; None is not known.

    Beats after `known_until_s` are not scored. A song may have several tempi, of which a listener
    names one. `key` is such as "F# minor", `metre` such as "6/8"; sections carry repetition labels,
    chords Harte's.
    """

    beats_s: tuple[float, ...] | None = None
    known_until_s: float = math.inf
    downbeats_s: tuple[float, ...] | None = None
    tempi_bpm: tuple[float, ...] | None = None
    metre: str | None = None
    key: str | None = None
    sections: Spans | None = None
    chords: tuple[tuple[float, float, str], ...] | None = None


@dataclass(frozen=True)
class Scores:
    """One song's measures, from 0 to 1; the field names are the columns of a table."""

    beats_f: float = NOTHING
    beats_cmlt: float = NOTHING
    beats_amlt: float = NOTHING
    downbeats_f: float = NOTHING
    metre: float = NOTHING
    tempo: float = NOTHING
    key: float = NOTHING
    key_mirex: float = NOTHING
    bounds_half_s: float = NOTHING
    bounds_3s: float = NOTHING
    labels_f: float = NOTHING
    chords: float = NOTHING


def truth_to_hearing(truth: Truth) -> Hearing:
    """The truth about a song of the catalogue. A tempo that wanders is its median."""
    written = tuple(span.bpm for span in truth.tempi)
    median_bpm = 60.0 / float(np.median(np.diff(truth.beats_s)))
    return Hearing(
        beats_s=truth.beats_s,
        downbeats_s=truth.downbeats_s,
        tempi_bpm=written if len(written) <= MOST_TEMPI else (median_bpm,),
        metre=truth.metre,
        key=f"{truth.key.tonic} {truth.key.mode}",
        sections=Spans(
            (*(s.start_s for s in truth.sections), truth.duration_s),
            tuple(s.label for s in truth.sections),
        ),
        chords=tuple((c.start_s, c.end_s, c.label) for c in truth.chords),
    )


def beats_file_to_hearings(path: Path) -> dict[str, Hearing]:
    """Truths by the names of songs, from JSON with `beats_s`, `bpm` and perhaps `last_note_s`."""
    facts: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Hearing(
            beats_s=tuple(song["beats_s"]),
            known_until_s=song.get("last_note_s", math.inf),
            tempi_bpm=(song["bpm"],) if "bpm" in song else None,
        )
        for name, song in facts.items()
    }


def score(truth: Hearing, heard: Hearing) -> Scores:
    """All measures that both sides allow."""
    truth, heard = (_until(side, truth.known_until_s) for side in (truth, heard))
    with warnings.catch_warnings():
        # mir_eval warns where a listener found nothing; the score says so.
        warnings.simplefilter("ignore")
        return Scores(
            **_both(truth.beats_s, heard.beats_s, _beats),
            **_both(truth.downbeats_s, heard.downbeats_s, _downbeats),
            **_both(truth.metre, heard.metre, lambda so, said: {"metre": float(so == said)}),
            **_both(truth.tempi_bpm, heard.tempi_bpm, _tempo),
            **_both(truth.key, heard.key, _key),
            **_both(truth.sections, heard.sections, _sections),
            **_both(truth.chords, heard.chords, _chords),
        )


def _until(hearing: Hearing, end_s: float) -> Hearing:
    """A hearing without the beats after a moment."""
    if hearing.beats_s is None or math.isinf(end_s):
        return hearing
    return replace(hearing, beats_s=tuple(b for b in hearing.beats_s if b <= end_s))


def without_offset(truth: Hearing, heard: Hearing) -> Hearing:
    """What was heard, moved by the one constant that fits it best to the true beats.

    For charts that are as a whole early or late by up to 70 ms: it cannot mend a wrong tempo.
    """
    if truth.beats_s is None or heard.beats_s is None:
        return heard
    beats_s = np.asarray(heard.beats_s)
    moves_s = np.arange(-0.07, 0.0701, 0.005)
    best_s = max(moves_s, key=lambda move_s: _close(np.asarray(truth.beats_s), beats_s + move_s))
    return replace(heard, beats_s=tuple(beats_s + best_s))


def mean(all_scores: list[Scores]) -> Scores:
    """The mean of each measure over the songs that have it."""
    means = {}
    for field in fields(Scores):
        values = [getattr(scores, field.name) for scores in all_scores]
        known = [value for value in values if not math.isnan(value)]
        means[field.name] = float(np.mean(known)) if known else NOTHING
    return Scores(**means)


def _both(
    truth: Any, heard: Any, measure: Callable[[Any, Any], dict[str, float]]
) -> dict[str, float]:
    return {} if truth is None or heard is None else measure(truth, heard)


def _trimmed(beats_s: tuple[float, ...]) -> Floats:
    """Without the first five seconds, as MIREX does: trackers may take that long to settle."""
    return np.asarray(mir_eval.beat.trim_beats(np.asarray(beats_s, dtype=np.float64)))


def _beats(truth: tuple[float, ...], heard: tuple[float, ...]) -> dict[str, float]:
    so, said = _trimmed(truth), _trimmed(heard)
    _, cmlt, _, amlt = mir_eval.beat.continuity(so, said)
    return {
        "beats_f": float(mir_eval.beat.f_measure(so, said, BEAT_TOLERANCE_S)),
        "beats_cmlt": float(cmlt),
        "beats_amlt": float(amlt),
    }


def _close(truth_s: Floats, heard_s: Floats) -> float:
    """How closely heard beats lie at true ones; a soft measure, for finding an offset."""
    if not len(heard_s):
        return 0.0
    apart_s = np.abs(truth_s[:, None] - heard_s).min(axis=1)
    return float(np.exp(-0.5 * (apart_s / 0.02) ** 2).sum())


def _downbeats(truth: tuple[float, ...], heard: tuple[float, ...]) -> dict[str, float]:
    so, said = _trimmed(truth), _trimmed(heard)
    return {"downbeats_f": float(mir_eval.beat.f_measure(so, said, BEAT_TOLERANCE_S))}


def _tempo(truth: tuple[float, ...], heard: tuple[float, ...]) -> dict[str, float]:
    return {"tempo": float(any(abs(heard[0] - bpm) <= TEMPO_TOLERANCE * bpm for bpm in truth))}


def _key(truth: str, heard: str) -> dict[str, float]:
    weighted = float(mir_eval.key.weighted_score(truth, heard))
    return {"key": float(weighted == 1.0), "key_mirex": weighted}


def _sections(truth: Spans, heard: Spans) -> dict[str, float]:
    """Boundaries without the song's two ends, which are no finding; labels frame by frame."""
    end_s = truth.bounds_s[-1]
    said, labels = mir_eval.util.adjust_intervals(
        heard.intervals, list(heard.labels), t_min=0.0, t_max=end_s
    )
    so = truth.intervals
    segment = mir_eval.segment
    return {
        "bounds_half_s": float(segment.detection(so, said, window=0.5, trim=True)[2]),
        "bounds_3s": float(segment.detection(so, said, window=3.0, trim=True)[2]),
        "labels_f": float(segment.pairwise(so, list(truth.labels), said, labels)[2]),
    }


def _chords(
    truth: tuple[tuple[float, float, str], ...], heard: tuple[tuple[float, float, str], ...]
) -> dict[str, float]:
    """The share of the time at which major or minor triads agree."""
    so = np.asarray([span[:2] for span in truth])
    if not heard:
        return {"chords": 0.0}
    said, labels = mir_eval.util.adjust_intervals(
        np.asarray([span[:2] for span in heard]),
        [span[2] for span in heard],
        t_min=float(so.min()),
        t_max=float(so.max()),
        start_label=mir_eval.chord.NO_CHORD,
        end_label=mir_eval.chord.NO_CHORD,
    )
    intervals, true_labels, said_labels = mir_eval.util.merge_labeled_intervals(
        so, [span[2] for span in truth], said, labels
    )
    agree = mir_eval.chord.majmin(true_labels, said_labels)
    lengths_s = mir_eval.util.intervals_to_durations(intervals)
    return {"chords": float(mir_eval.chord.weighted_accuracy(agree, lengths_s))}
