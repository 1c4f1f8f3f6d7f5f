"""What the analyzer says about itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files

from soundsight.common.v1.implementation_pb2 import GetInfoResponse, Limits, Model
from soundsight_analyzer.meaning.tags import TAGGERS
from soundsight_analyzer.offered import further_capabilities, further_models, offered_features
from soundsight_analyzer.quiet import essentia_version
from soundsight_analyzer.rhythm import crnn
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_kit.info import implementation_info

IMPLEMENTATION = "soundsight-analyzer-essentia"
REDUCED_IMPLEMENTATION = "soundsight-analyzer-reduced"
ESSENTIA_CAPABILITY = "beat-tracker:essentia"
_DISTRIBUTION = "soundsight-analyzer"
_LIBRARIES = ("numpy", "scipy", "soxr", "av")
_FULL = (
    "Listens with signal analysis, BeatNet's network for beats, the musicnn taggers and essentia's"
    " beat tracker (AGPL-3.0, loaded at run time by this service alone)"
)
_REDUCED = (
    "Reduced: listens with signal analysis, BeatNet's network for beats and the musicnn taggers;"
    " essentia, whose beat tracker has a say in how sure the beats are, is not installed"
)
_WORDS = "; words are heard only with a model of the user's."


def describe(settings: AnalyzerSettings) -> GetInfoResponse:
    """The answer to GetInfo."""
    features = [f"feature:{feature.name.lower()}" for feature in offered_features(settings)]
    further = further_models(settings)
    essentia = essentia_version()
    return implementation_info(
        _DISTRIBUTION,
        implementation=IMPLEMENTATION if essentia else REDUCED_IMPLEMENTATION,
        description=(_FULL if essentia else _REDUCED) + _WORDS,
        fingerprint=source_fingerprint(
            "soundsight_analyzer", extra=_library_versions(essentia) + _named(further)
        ),
        capabilities=[
            *features,
            *([ESSENTIA_CAPABILITY] if essentia else []),
            *further_capabilities(settings),
        ],
        limits=Limits(
            max_input_bytes=settings.max_input_bytes,
            max_duration_s=settings.max_duration_s,
            max_concurrent=settings.slots,
            max_queued=settings.queue_limit,
        ),
        models=[
            *([_essentia_model(essentia)] if essentia else []),
            *(Model(id=t.id, revision=_digest(t.file), licence="ISC") for t in TAGGERS),
            Model(id="beatnet", revision=_digest(crnn.WEIGHTS_FILE), licence="CC-BY-4.0"),
            *further,
        ],
    )


def _essentia_model(revision: str) -> Model:
    return Model(id="essentia", revision=revision, licence="AGPL-3.0-only")


def _library_versions(essentia: str) -> str:
    versions = {name: version(name) for name in _LIBRARIES}
    if essentia:
        versions["essentia"] = essentia
    return " ".join(f"{name}={number}" for name, number in versions.items())


def _named(models: Sequence[Model]) -> str:
    return "".join(f" {model.id}={model.revision}" for model in models)


def _digest(weights: str) -> str:
    data = (files("soundsight_analyzer") / "weights" / weights).read_bytes()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
