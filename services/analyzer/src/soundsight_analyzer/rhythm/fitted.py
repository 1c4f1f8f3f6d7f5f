"""Numbers that were fitted to synthetic songs, read from a file that names its origin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from soundsight_analyzer.arrays import Floats

FITTED_FILE = "rhythm.json"


@dataclass(frozen=True)
class PlaceClassifier:
    """Softmax regression from evidence to kinds of places: ``weights`` (kinds, columns), ``bias``
    (kinds,), and ``prior`` (kinds,), how common each kind was."""

    weights: Floats
    bias: Floats
    prior: Floats


@dataclass(frozen=True)
class Fitted:
    """``with_network`` reads all columns of the evidence, ``without_network`` those that are heard;
    ``weighing`` maps the names of `weighing.FEATURES` to their weights."""

    with_network: PlaceClassifier
    without_network: PlaceClassifier
    weighing: dict[str, float]


@lru_cache(maxsize=1)
def fitted() -> Fitted:
    """The numbers in the package."""
    text = (files("soundsight_analyzer") / "weights" / FITTED_FILE).read_text(encoding="utf-8")
    stored = json.loads(text)
    return Fitted(
        with_network=_classifier(stored["with_network"]),
        without_network=_classifier(stored["without_network"]),
        weighing=stored["weighing"],
    )


def _classifier(stored: dict[str, list[float]]) -> PlaceClassifier:
    return PlaceClassifier(*(np.asarray(stored[key]) for key in ("weights", "bias", "prior")))
