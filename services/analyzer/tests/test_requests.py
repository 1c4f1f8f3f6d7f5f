"""Requests: what is refused, and how the refusal names the field."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from soundsight.analyzer.v1.analyzer_pb2 import (
    FEATURE_CONCEPT,
    FEATURE_LYRICS,
    FEATURE_RHYTHM,
    FEATURE_TAGS,
    FEATURE_UNSPECIFIED,
    AnalyzeOptions,
    AnalyzeRequest,
)
from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight_analyzer.frames import Request
from soundsight_analyzer.listening import ALL_FEATURES, Feature, Options
from soundsight_analyzer.requests import DEFAULT_MAX_TAGS, Offer, check_request, job_key
from soundsight_analyzer.rhythm.tempo import DEFAULT_BOUNDS_BPM
from soundsight_analyzer.song import SongFile
from soundsight_analyzer.words.asking import Words
from soundsight_analyzer.words.lyrics import Model
from soundsight_kit.errors import InvalidArgument, Unimplemented

SONG = ArtifactRef(uri="file:///store/projects/p/song.flac", sha256="ab" * 32)


def request(**changes: object) -> AnalyzeRequest:
    return AnalyzeRequest(**{"project": "p", "song": SONG, **changes})  # type: ignore[arg-type]


def test_defaults() -> None:
    """An empty list of features means all that are offered; options have their defaults."""
    options = check_request(request())
    assert options.features == ALL_FEATURES
    assert options.tempo_bounds_bpm == DEFAULT_BOUNDS_BPM
    assert options.max_tags == DEFAULT_MAX_TAGS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"project": ""}, "project"),
        ({"project": "a/b"}, "project"),
        ({"song": ArtifactRef()}, "song.uri"),
        ({"features": [FEATURE_RHYTHM, FEATURE_UNSPECIFIED]}, "features[1]"),
        ({"features": [4711]}, "features[0]"),
        ({"options": AnalyzeOptions(min_tempo_bpm=-1)}, "options.min_tempo_bpm"),
        ({"options": AnalyzeOptions(min_tempo_bpm=math.nan)}, "options.min_tempo_bpm"),
        ({"options": AnalyzeOptions(max_tempo_bpm=math.inf)}, "options.max_tempo_bpm"),
        (
            {"options": AnalyzeOptions(min_tempo_bpm=120, max_tempo_bpm=121)},
            "options.max_tempo_bpm",
        ),
        ({"options": AnalyzeOptions(max_tags=-1)}, "options.max_tags"),
        ({"options": AnalyzeOptions(max_tags=101)}, "options.max_tags"),
        (
            {"features": [FEATURE_LYRICS], "options": AnalyzeOptions(lyrics="[Intro]")},
            "options.lyrics",
        ),
        (
            {"features": [FEATURE_LYRICS], "options": AnalyzeOptions(language="no language")},
            "options.language",
        ),
    ],
)
def test_wrong_fields_are_named(changes: dict[str, object], field: str) -> None:
    """Each wrong value is refused with the path of its field."""
    with pytest.raises(InvalidArgument) as caught:
        check_request(request(**changes))
    assert [path for path, _ in caught.value.field_violations] == [field]


@pytest.mark.parametrize("feature", [FEATURE_CONCEPT])
def test_features_that_are_not_offered(feature: int) -> None:
    """A feature that this analyzer lacks is refused, and the message says which it has."""
    with pytest.raises(Unimplemented, match="it offers DYNAMICS, EMOTION"):
        check_request(request(features=[feature]))


def test_words_are_asked_for_with_what_they_need() -> None:
    """Lyrics need their feature to count, transcription a model, and a concept an endpoint."""
    words = AnalyzeOptions(lyrics="la la", language="en", transcribe=True)
    assert check_request(request(options=words)).words == Words()
    model = Model(Path("whisper"))
    asked = request(features=[FEATURE_LYRICS, FEATURE_CONCEPT], options=words)
    options = check_request(asked, Offer(concept=True, words_model=model))
    assert options.features == {Feature.LYRICS, Feature.CONCEPT}
    assert options.words == Words("la la", "en", True, model)
    with pytest.raises(Unimplemented) as caught:
        check_request(request(features=[FEATURE_LYRICS], options=words))
    assert caught.value.reason == "TRANSCRIPTION_NOT_OFFERED"


def test_equal_work_has_equal_keys() -> None:
    """Requests with the same answer share a key, whatever their spelling; others do not."""

    def key(**changes: object) -> str:
        asked = request(**changes)
        return job_key(asked, check_request(asked))

    both = key(features=[FEATURE_RHYTHM, FEATURE_TAGS])
    assert both == key(features=[FEATURE_TAGS, FEATURE_RHYTHM, FEATURE_TAGS])
    assert key() == key(options=AnalyzeOptions(max_tags=DEFAULT_MAX_TAGS))
    others = {
        both,
        key(),
        key(project="q"),
        key(song=ArtifactRef(uri=SONG.uri, sha256="cd" * 32)),
        key(options=AnalyzeOptions(max_tags=3)),
        key(options=AnalyzeOptions(min_tempo_bpm=60)),
        key(features=[FEATURE_LYRICS], options=AnalyzeOptions(lyrics="la la")),
        key(features=[FEATURE_LYRICS], options=AnalyzeOptions(lyrics="la la", language="fr")),
    }
    assert len(others) == 8


def test_a_request_survives_the_pipe() -> None:
    """What the listening process reads is what the server wrote."""
    song = SongFile(path=Path("x.flac"), samples=7, sample_rate_hz=8000, channels=2)
    words = Words("line\nline", "en", True, Model(Path("whisper"), "cpu"))
    sent = Request(song, Options(frozenset({Feature.TAGS}), (60.0, 180.0), 5, words=words))
    line = sent.to_json()
    assert line.count(b"\n") == 1
    assert Request.from_json(line) == sent
