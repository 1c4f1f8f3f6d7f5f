"""What the settings add to what the analyzer can do: words heard, a concept written."""

from __future__ import annotations

from soundsight.common.v1.implementation_pb2 import Model
from soundsight_analyzer.concept.models import window_limit_s
from soundsight_analyzer.concept.prompting import read_prompts
from soundsight_analyzer.listening import Feature
from soundsight_analyzer.meaning.clap import ClapModel, choose_model
from soundsight_analyzer.rhythm.beatthis import find_beat_model
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_analyzer.words.revision import whisper_revision

# What lies in a user's folder, or behind an endpoint, has whatever licence it has there.
_LICENCE = "LicenseRef-as-supplied"


def configured_clap(settings: AnalyzerSettings) -> ClapModel | None:
    """The CLAP model that the settings name.

    Raises:
        FailedPrecondition, InvalidArgument: when it cannot be used, in a line for a person.
    """
    if not settings.clap_model:
        return None
    return choose_model(
        settings.clap_model,
        revision=settings.clap_revision,
        models_dir=settings.models_dir,
        device=settings.device,
        label_dir=settings.label_dir,
    )


def offered_features(settings: AnalyzerSettings) -> list[Feature]:
    """The features that may be asked for."""
    return [f for f in Feature if settings.concept_url or f is not Feature.CONCEPT]


def further_capabilities(settings: AnalyzerSettings) -> list[str]:
    """Tokens beside the features: `clap-labels` (tags in the groups style, content and emotion),
    `lyrics` (given ones are aligned), `lyrics-by-voice` (with a
    model that hears words), `transcription`, and how many seconds of sound the concept's model
    hears at a time."""
    tokens = ["lyrics"]
    if settings.clap_model:
        tokens.append("clap-labels")
    if settings.whisper_folder:
        tokens += ["lyrics-by-voice", "transcription"]
    if settings.concept_url:
        window_s = window_limit_s(settings.concept_model, settings.concept_window_s)
        tokens.append(f"concept-window-s:{window_s:g}")
    return tokens


def further_models(settings: AnalyzerSettings) -> list[Model]:
    """The models that the settings name for labels, words and concept."""
    models = []
    clap = configured_clap(settings)
    if clap is not None:
        models.append(Model(id=clap.id, revision=clap.revision, licence=_LICENCE))
    beats = find_beat_model(settings.models_dir, settings.device)
    if beats is not None:
        models.append(Model(id="beat_this", revision=beats.revision, licence=_LICENCE))
    folder = settings.whisper_folder
    if folder is not None:
        revision = whisper_revision(folder)
        models.append(Model(id=f"whisper/{folder.name}", revision=revision, licence=_LICENCE))
    if settings.concept_url:
        revision = f"prompts-{read_prompts(settings.concept_prompts).version}"
        models.append(Model(id=settings.concept_model, revision=revision, licence=_LICENCE))
    return models
