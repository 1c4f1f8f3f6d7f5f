"""Fits the numbers by which rhythms are weighed to synthetic songs, and writes `rhythm.json`.

    PYTHONPATH=examples python services/analyzer/tools/fit_rhythm.py --processes 16

The songs are invented for this purpose: bands, metres, keys, forms and tempi at random, some
swinging, drifting, distorted, without drums, or with double-bass drumming. None of them is in the
catalogue that the analyzer is measured with, and no recording is used. Two models are fitted:

- which kind of place in a bar a grid point is, given what is heard there: softmax regression;
- which reading of a song is right, given what each has to say for itself: a conditional logit
  model, in which the weights of the priors on tempo are held at 1.

With one process it takes an hour or two, most of it spent rendering.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mir_eval.beat
import numpy as np
import scipy.optimize

from songsmith import Key, TempoMark, compose, render, truth_of
from songsmith.catalogue import ACOUSTIC, FORMS, LOUD, METAL, drifting, shaped
from songsmith.score import Feel, Finish, Song, Truth
from songsmith.theory import PITCH_NAMES
from soundsight_analyzer.harmony.chroma import chroma
from soundsight_analyzer.onsets import band_onsets, onset_strength
from soundsight_analyzer.rhythm import evidence, metres, weighing
from soundsight_analyzer.rhythm.beattrack import track_half_beats
from soundsight_analyzer.rhythm.crnn import hear_activations
from soundsight_analyzer.rhythm.fitted import Fitted, PlaceClassifier
from soundsight_analyzer.rhythm.tempo import DEFAULT_BOUNDS_BPM, find_periodicity
from soundsight_analyzer.spectra import FRAME_HOP_S, analyse_frames

TARGET = Path(__file__).parents[1] / "src/soundsight_analyzer/weights/rhythm.json"
KINDS = ("plain", "plain", "swing", "drift", "distorted", "metal", "metal", "no drums")
BANDS = {
    "plain": ("dawn", "chapel", "workshop", "garage", "club"),
    "swing": ("club", "garage"),
    "drift": ("garage", "chapel", "dawn", "club", "workshop"),
    "distorted": ("garage", "dawn", "workshop"),
    "metal": ("forge", "tempest", "anvil"),
    "no drums": ("hall", "salon"),
}
PLACE_PENALTY = 2.5e-4
READING_PENALTY = 3e-3
GOOD_F = 0.93
NEARLY_BEST = 0.15
HELD = {"tempo": 1.0, "compound_tempo": 1.0}


@dataclass(frozen=True)
class Example:
    """A song's grids and the network's activations on it, with its truth."""

    truth: Truth
    grids: tuple[evidence.GridEvidence, ...]
    activations: np.ndarray


def invent(seed: int) -> Song:
    """A song at random."""
    rng = np.random.default_rng([7777, seed])
    kind = KINDS[seed % len(KINDS)]
    band = str(rng.choice(BANDS[kind]))
    metre = "4/4"
    if kind in {"plain", "drift", "no drums"}:
        metre = str(rng.choice(["4/4", "4/4", "3/4", "6/8", "4/4"]))
    slowest, fastest = {"metal": (140, 200), "swing": (90, 200)}.get(kind, (60, 200))
    bpm = round(float(rng.uniform(slowest, 130 if metre == "6/8" else fastest)), 1)
    form = shaped(str(rng.choice(list(FORMS))), metre, bpm)
    bars = sum(count for _, count in form)
    later: tuple[TempoMark, ...] = ()
    if kind == "drift" or (kind in {"metal", "no drums"} and rng.random() < 0.3):
        later = drifting(bpm, bars, seed)
    elif kind == "plain" and rng.random() < 0.3:
        later = (TempoMark(bars // 2, round(bpm * float(rng.choice([0.8, 0.88, 1.12, 1.2])), 1)),)
    finish = {
        "metal": (METAL, LOUD)[rng.integers(2)],
        "distorted": (LOUD, Finish(drive_db=18.0, loudness_lufs=-7.0))[rng.integers(2)],
        "no drums": ACOUSTIC,
        "swing": ACOUSTIC,
    }.get(kind)
    swing = float(rng.uniform(0.58, 0.68)) if kind == "swing" else 0.5
    return compose(
        900 + seed,
        tempo_bpm=bpm,
        metre=metre,
        form=form,
        key=Key(str(rng.choice(PITCH_NAMES)), str(rng.choice(["major", "minor"]))),
        timbre=band,
        later_tempi=later,
        lead_in_s=(seed % 6) / 10,
        feel=None if kind == "plain" else Feel(swing=swing, jitter_s=0.004),
        finish=finish,
    )


def listen(seed: int) -> Example:
    """Renders a song and lays grids over it, as the analyzer does."""
    song = invent(seed)
    samples = render(song).astype(np.float32).mean(axis=1) / 32768.0
    bands = band_onsets(analyse_frames(samples).mel)
    onsets = onset_strength(bands)
    activations = evidence.activations_at_frames(hear_activations(samples), len(onsets))
    listening = evidence.Listening(onsets, bands, chroma(samples), activations)
    found = find_periodicity(onsets, np.clip(activations.sum(axis=1), 0.0, 1.0))
    grids = tuple(
        evidence.gather(listening, track_half_beats(listening.pulse, period=2.0 * s), s)
        for s in found.spacings
    )
    return Example(truth_of(song), grids, activations)


def labelled_points(examples: list[Example]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence (n, columns), kinds of places (n,) and weights (n,) of all points of grids that fit
    the truth; all metres weigh alike."""
    values, kinds, names = [], [], []
    for example in examples:
        truth = example.truth
        beats_s = np.asarray(truth.beats_s)
        metre = next(m for m in metres.METRES if str(m) == truth.metre)
        for grid in example.grids:
            times_s = grid.points * FRAME_HOP_S
            for division in metre.divisions:
                if max(_f(beats_s, times_s[p::division]) for p in range(division)) < GOOD_F:
                    continue
                kind = np.full(len(times_s), metres.BETWEEN)
                per_bar = metre.kinds(1)
                for index, beat_s in enumerate(beats_s):
                    kind[np.abs(times_s - beat_s).argmin()] = per_bar[index % metre.beats]
                inside = (times_s > beats_s[0] - 0.1) & (times_s < beats_s[-1] + 0.1)
                values.append(grid.values[inside])
                kinds.append(kind[inside])
                names += [truth.metre] * int(inside.sum())
    labels = np.asarray(names)
    weights = 1.0 / np.asarray([np.mean(labels == name) for name in labels])
    return np.concatenate(values), np.concatenate(kinds), weights / weights.mean()


def fit_places(values: np.ndarray, kinds: np.ndarray, weights: np.ndarray) -> PlaceClassifier:
    """Softmax regression with a quadratic penalty."""
    truth = np.eye(metres.KINDS)[kinds] * weights[:, None] / len(kinds)
    shape = (metres.KINDS, values.shape[1] + 1)
    extended = np.column_stack([values, np.ones(len(values))])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        matrix = flat.reshape(shape)
        logits = extended @ matrix.T
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        likely = np.exp(logits - total)
        penalised = matrix.copy()
        penalised[:, -1] = 0.0
        value = -float((truth * (logits - total)).sum()) + PLACE_PENALTY * float(
            (penalised**2).sum()
        )
        slope = (likely * truth.sum(axis=1, keepdims=True) - truth).T @ extended
        return value, (slope + 2 * PLACE_PENALTY * penalised).ravel()

    matrix = _minimum(loss, np.zeros(shape).size).reshape(shape)
    prior = truth.sum(axis=0) / truth.sum()
    return PlaceClassifier(matrix[:, :-1], matrix[:, -1], prior)


def fit_weighing(examples: list[Example], numbers: Fitted) -> dict[str, float]:
    """Conditional logit over the readings of each song."""
    groups = []
    for example in examples:
        readings = [
            reading
            for grid in example.grids
            for reading in weighing.read_grid(
                grid, example.activations, numbers, DEFAULT_BOUNDS_BPM
            )
        ]
        worth = np.asarray([_worth(reading, example.truth) for reading in readings])
        if len(worth) and worth.max() > 1.7:
            features = np.stack([reading.features for reading in readings])
            groups.append((features, worth > worth.max() - NEARLY_BEST))
    scale = np.concatenate([features for features, _ in groups]).std(axis=0) + 1e-9
    free = np.asarray([name not in HELD for name in weighing.FEATURES])
    held = np.asarray([HELD.get(name, 0.0) for name in weighing.FEATURES])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = 0.0, np.zeros(len(weights))
        for features, right in groups:
            own = features[:, free] / scale[free]
            scores = own @ weights + features @ held
            likely = np.exp(scores - scores.max())
            likely /= likely.sum()
            chosen = likely * right
            mass = chosen.sum() + 1e-12
            value -= np.log(mass)
            slope -= (chosen / mass - likely) @ own
        value = value / len(groups) + READING_PENALTY * float(weights @ weights)
        return value, slope / len(groups) + 2 * READING_PENALTY * weights

    weights = held.copy()
    weights[free] = _minimum(loss, int(free.sum())) / scale[free]
    return dict(zip(weighing.FEATURES, weights.tolist(), strict=True))


def _worth(reading: weighing.Reading, truth: Truth) -> float:
    """How right a reading is: 2 when beats, downbeats and metre are."""
    beats_s = reading.grid.points[reading.on_beat] * FRAME_HOP_S
    downbeats_s = reading.grid.points[reading.places == 0] * FRAME_HOP_S
    metre = 0.5 if str(reading.metre) == truth.metre else 0.0
    right = _f(np.asarray(truth.beats_s), beats_s)
    return right + 0.5 * _f(np.asarray(truth.downbeats_s), downbeats_s) + metre


def _f(truth_s: np.ndarray, found_s: np.ndarray) -> float:
    found_s = found_s[found_s >= 0]
    return float(mir_eval.beat.f_measure(truth_s, found_s)) if len(found_s) else 0.0


def _minimum(loss: Callable[[np.ndarray], tuple[float, np.ndarray]], parameters: int) -> np.ndarray:
    found = scipy.optimize.minimize(loss, np.zeros(parameters), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=160)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--target", type=Path, default=TARGET)
    args = parser.parse_args()
    with multiprocessing.Pool(args.processes) as pool:
        examples = pool.map(listen, range(args.songs), chunksize=1)
    values, kinds, weights = labelled_points(examples)
    with_network = fit_places(values, kinds, weights)
    without_network = fit_places(values[:, : evidence.HEARD], kinds, weights)
    numbers = Fitted(with_network, without_network, dict.fromkeys(weighing.FEATURES, 0.0))
    stored = {
        "origin": f"tools/fit_rhythm.py on {args.songs} synthetic songs",
        "with_network": _plain(with_network),
        "without_network": _plain(without_network),
        "weighing": {
            name: round(weight, 4) for name, weight in fit_weighing(examples, numbers).items()
        },
    }
    args.target.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def _plain(classifier: PlaceClassifier) -> dict[str, list[float]]:
    return {
        "weights": np.round(classifier.weights, 4).tolist(),
        "bias": np.round(classifier.bias, 4).tolist(),
        "prior": np.round(classifier.prior, 4).tolist(),
    }


if __name__ == "__main__":
    main()
