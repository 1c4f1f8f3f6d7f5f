"""From a spec to the call that has a song analysed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from soundsight.analyzer.v1 import analyzer_pb2 as a
from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import scenewriter_pb2
from soundsight_kit.errors import InvalidArgument, Unimplemented

OFFER: Final = "feature:"
"""What a capability begins with by which an analyzer tells of a feature that it offers."""

ON_REQUEST: Final = frozenset({a.FEATURE_LYRICS, a.FEATURE_CONCEPT})
"""Features that are heard only when there is something to hear them by."""

WISHES: Final = "render.spec.analysis"

_WITH_CONCEPT: Final = (scenewriter_pb2.PIPELINE_CONCEPT, scenewriter_pb2.PIPELINE_BOTH)
_PATHS: Final = (
    ("options.lyrics", "render.spec.lyrics"),
    ("options", f"{WISHES}.options"),
    ("features", f"{WISHES}.features"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """What an analyzer is asked, and what a user should know about it."""

    request: a.AnalyzeRequest
    notes: tuple[str, ...] = ()


def question(
    project: str, song: common_pb2.ArtifactRef, spec: r.RenderSpec, capabilities: Iterable[str]
) -> Question:
    """What the analyzer is asked for a spec.

    Args:
        project: the project's id.
        song: the canonical song.
        spec: what was asked for.
        capabilities: what the analyzer says it can do. One that names no feature at all is asked
            for what is wished; it says itself what it does not offer.

    Raises Unimplemented, naming the wish, for a feature that the analyzer does not offer. Words
    that it cannot align are left out and told of instead: a video can be made without.
    """
    offered = _offered(capabilities)
    wishes, options = spec.analysis, a.AnalyzeOptions()
    options.CopyFrom(wishes.options)
    for number, feature in enumerate(wishes.features):
        _require(feature, offered, f"{WISHES}.features[{number}]")
    wished: set[int] = set(wishes.features)
    notes = []
    if spec.lyrics:
        if a.FEATURE_LYRICS in offered:
            options.lyrics = spec.lyrics
            wished_lyrics = True
        else:
            notes.append("the analyzer here does not align lyrics: those given were not used")
            wished_lyrics = False
    else:
        wished_lyrics = options.transcribe
        if wished_lyrics:
            _require(a.FEATURE_LYRICS, offered, f"{WISHES}.options.transcribe")
    if wished_lyrics:
        options.language = options.language or spec.brief.language
    concept = wishes.concept
    if concept:
        _require(a.FEATURE_CONCEPT, offered, f"{WISHES}.concept")
    elif spec.brief.pipeline in _WITH_CONCEPT:
        concept = a.FEATURE_CONCEPT in offered
    extra = {
        feature
        for feature, wanted in (
            (a.FEATURE_LYRICS, wished_lyrics),
            (a.FEATURE_CONCEPT, concept),
        )
        if wanted
    }
    if extra:
        # With anything named, what the analyzer would offer by itself must be named too.
        wished = {*(wished or (offered or _all()) - ON_REQUEST), *extra}
    request = a.AnalyzeRequest(
        project=project,
        song=song,
        features=map(a.Feature.ValueType, sorted(wished)),
        options=options if options.ListFields() else None,
    )
    return Question(request, tuple(notes))


def as_asked(error: InvalidArgument | Unimplemented) -> InvalidArgument | Unimplemented:
    """An analyzer's refusal of a request, with the fields named as they stand in a spec."""
    violations = [(_in_spec(path), why) for path, why in error.field_violations]
    return type(error)(
        error.message,
        field_violations=violations,
        reason=error.reason,
        metadata=error.metadata,
    )


def _in_spec(path: str) -> str:
    for theirs, ours in _PATHS:
        if path == theirs or path.startswith((f"{theirs}.", f"{theirs}[")):
            return ours + path.removeprefix(theirs)
    return path


def _all() -> frozenset[int]:
    return frozenset(a.Feature.values()) - {a.FEATURE_UNSPECIFIED}


def _offered(capabilities: Iterable[str]) -> frozenset[int]:
    """The features among an analyzer's capabilities; those of a later contract are left out."""
    named = (one.removeprefix(OFFER) for one in capabilities if one.startswith(OFFER))
    known = {_word(feature): feature for feature in _all()}
    return frozenset(known[name] for name in named if name in known)


def _require(feature: int, offered: frozenset[int], path: str) -> None:
    if not offered or feature in offered:
        return
    words = ", ".join(sorted(map(_word, offered)))
    why = f"the analyzer here does not offer {_word(feature)}; it offers {words}"
    raise Unimplemented(why, reason="FEATURE_NOT_OFFERED", field_violations=[(path, why)])


def _word(feature: int) -> str:
    return a.Feature.Name(a.Feature.ValueType(feature)).removeprefix("FEATURE_").lower()
