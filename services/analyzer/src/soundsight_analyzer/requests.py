"""Requests checked and turned into what the listeners understand."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass

from soundsight.analyzer.v1.analyzer_pb2 import AnalyzeOptions, AnalyzeRequest
from soundsight.analyzer.v1.analyzer_pb2 import Feature as PbFeature
from soundsight_analyzer.listening import ALL_FEATURES, Feature, Options
from soundsight_analyzer.rhythm.tempo import DEFAULT_BOUNDS_BPM
from soundsight_analyzer.words.asking import Words
from soundsight_analyzer.words.given import UnreadableLyrics, read_lyrics
from soundsight_analyzer.words.lyrics import Model
from soundsight_kit.errors import InvalidArgument, Unimplemented

DEFAULT_MAX_TAGS = 12
MOST_TAGS = 100
LOWEST_TEMPO_BPM, HIGHEST_TEMPO_BPM = 30.0, 400.0
_NARROWEST_TEMPO_RANGE = 1.2
_PREFIX = "FEATURE_"
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_WORDY = frozenset({Feature.LYRICS, Feature.CONCEPT})
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True)
class Offer:
    """What the settings add to what is always offered."""

    concept: bool = False
    words_model: Model | None = None


def check_request(request: AnalyzeRequest, offer: Offer = Offer()) -> Options:
    """The options of a valid request.

    Raises:
        InvalidArgument: with the path of the field that is wrong.
        Unimplemented: for a feature that this implementation does not offer.
    """
    if not _PROJECT.fullmatch(request.project):
        raise InvalidArgument("name the project whose song this is", field="project")
    if not request.song.uri:
        raise InvalidArgument("name the song: its uri is empty", field="song.uri")
    features = _features(request, offer)
    return Options(
        features=features,
        tempo_bounds_bpm=_tempo_bounds(request.options),
        max_tags=_max_tags(request.options),
        words=_words(request.options, offer) if features & _WORDY else Words(),
    )


def job_key(request: AnalyzeRequest, options: Options) -> str:
    """Names the work: equal for requests with the same answer."""
    facts = {
        "project": request.project,
        "song": request.song.sha256 or request.song.uri,
        "features": sorted(feature.value for feature in options.features),
        "tempo_bounds_bpm": options.tempo_bounds_bpm,
        "max_tags": options.max_tags,
        "words": options.words.facts(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _features(request: AnalyzeRequest, offer: Offer) -> frozenset[Feature]:
    if not request.features:
        return ALL_FEATURES
    offered = [feature for feature in Feature if offer.concept or feature is not Feature.CONCEPT]
    asked = set()
    for index, number in enumerate(request.features):
        field = f"features[{index}]"
        if number not in PbFeature.values() or not number:
            raise InvalidArgument(f"{number} is no feature", field=field)
        name = PbFeature.Name(number).removeprefix(_PREFIX)
        if name not in [feature.name for feature in offered]:
            names = ", ".join(sorted(feature.name for feature in offered))
            raise Unimplemented(
                f"{field}: this analyzer does not offer {name}; it offers {names}",
                reason="FEATURE_NOT_OFFERED",
            )
        asked.add(Feature[name])
    return frozenset(asked)


def _words(options: AnalyzeOptions, offer: Offer) -> Words:
    if options.language and not _LANGUAGE.fullmatch(options.language):
        raise InvalidArgument(
            "a language is a BCP 47 tag, such as en or pt-BR", field="options.language"
        )
    if options.lyrics.strip():
        try:
            read_lyrics(options.lyrics)
        except UnreadableLyrics as error:
            raise InvalidArgument(
                str(error), field="options.lyrics", reason="LYRICS_UNREADABLE"
            ) from None
    if options.transcribe and offer.words_model is None:
        raise Unimplemented(
            "this analyzer cannot transcribe: it has no model that hears words; give the lyrics, "
            "or set SOUNDSIGHT_ANALYZER_WHISPER_MODEL",
            reason="TRANSCRIPTION_NOT_OFFERED",
        )
    return Words(options.lyrics, options.language, options.transcribe, offer.words_model)


def _tempo_bounds(options: AnalyzeOptions) -> tuple[float, float]:
    low = options.min_tempo_bpm or DEFAULT_BOUNDS_BPM[0]
    high = options.max_tempo_bpm or DEFAULT_BOUNDS_BPM[1]
    for value, field in ((low, "min_tempo_bpm"), (high, "max_tempo_bpm")):
        if not (math.isfinite(value) and LOWEST_TEMPO_BPM <= value <= HIGHEST_TEMPO_BPM):
            raise InvalidArgument(
                f"a tempo must lie between {LOWEST_TEMPO_BPM:g} and {HIGHEST_TEMPO_BPM:g} BPM",
                field=f"options.{field}",
            )
    if high < _NARROWEST_TEMPO_RANGE * low:
        raise InvalidArgument(
            "the highest tempo must be at least a fifth above the lowest",
            field="options.max_tempo_bpm",
        )
    return low, high


def _max_tags(options: AnalyzeOptions) -> int:
    if not 0 <= options.max_tags <= MOST_TAGS:
        raise InvalidArgument(
            f"max_tags must lie between 0 and {MOST_TAGS}", field="options.max_tags"
        )
    return options.max_tags or DEFAULT_MAX_TAGS
