"""What the analyzer says about itself."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from importlib.resources import files

from soundsight.common.v1.implementation_pb2 import GetInfoResponse, Limits, Model
from soundsight_analyzer.listening import Feature
from soundsight_analyzer.meaning.tags import TAGGERS
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.fingerprint import source_fingerprint
from soundsight_kit.info import implementation_info

IMPLEMENTATION = "soundsight-analyzer-essentia"
_DISTRIBUTION = "soundsight-analyzer"
_ESSENTIA = "essentia-tensorflow"
_LIBRARIES = (_ESSENTIA, "numpy", "scipy", "soxr", "av")


def describe(settings: AnalyzerSettings) -> GetInfoResponse:
    """The answer to GetInfo."""
    features = [f"feature:{feature.name.lower()}" for feature in Feature]
    return implementation_info(
        _DISTRIBUTION,
        implementation=IMPLEMENTATION,
        description=(
            "Listens with signal analysis, essentia (AGPL-3.0, loaded at run time by this service "
            "alone) and the musicnn taggers; metre is assumed to be 4/4, and it hears no words."
        ),
        fingerprint=source_fingerprint("soundsight_analyzer", extra=_library_versions()),
        capabilities=features,
        limits=Limits(
            max_input_bytes=settings.max_input_bytes,
            max_duration_s=settings.max_duration_s,
            max_concurrent=settings.slots,
            max_queued=settings.queue_limit,
        ),
        models=[
            Model(id="essentia", revision=version(_ESSENTIA), licence="AGPL-3.0-only"),
            *(Model(id=t.id, revision=_digest(t.file), licence="ISC") for t in TAGGERS),
        ],
    )


def _library_versions() -> str:
    return " ".join(f"{name}={version(name)}" for name in _LIBRARIES)


def _digest(weights: str) -> str:
    data = (files("soundsight_analyzer") / "weights" / weights).read_bytes()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
