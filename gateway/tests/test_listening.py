"""What is wished of the analysis becomes what the analyzer is asked."""

from __future__ import annotations

import pytest

from soundsight.analyzer.v1 import analyzer_pb2 as a
from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import scenewriter_pb2 as w
from soundsight_gateway.listening import Question, as_asked, question
from soundsight_kit.errors import InvalidArgument, Unimplemented

EVERYTHING = [f"feature:{name.removeprefix('FEATURE_').lower()}" for name in a.Feature.keys()[1:]]
BY_ITSELF = [
    a.FEATURE_RHYTHM,
    a.FEATURE_HARMONY,
    a.FEATURE_DYNAMICS,
    a.FEATURE_STRUCTURE,
    a.FEATURE_TAGS,
    a.FEATURE_EMOTION,
    a.FEATURE_VOICE,
]


def ask(spec: r.RenderSpec, capabilities: list[str] | None = None) -> Question:
    """The question for a spec to an analyzer that offers everything, or what is given."""
    offered = EVERYTHING if capabilities is None else capabilities
    return question("demo", ArtifactRef(uri="file:///song"), spec, offered)


def test_no_wish_leaves_the_choice_to_the_analyzer() -> None:
    """Without wishes nothing is named, so that an analyzer with more features gives more."""
    asked = ask(r.RenderSpec())
    assert asked.request == a.AnalyzeRequest(project="demo", song=ArtifactRef(uri="file:///song"))
    assert asked.notes == ()


def test_words_are_aligned_beside_all_that_is_offered() -> None:
    """Lyrics add their feature to the default ones, in the brief's language."""
    asked = ask(r.RenderSpec(lyrics="la", brief=w.Brief(language="fr"))).request
    assert list(asked.features) == [*BY_ITSELF, a.FEATURE_LYRICS]
    assert (asked.options.lyrics, asked.options.language) == ("la", "fr")


def test_a_language_of_the_words_wins_over_that_of_the_brief() -> None:
    """A song may be sung in another language than its storyboard is written in."""
    spec = r.RenderSpec(lyrics="la", brief=w.Brief(language="fr"))
    spec.analysis.options.language = "it"
    assert ask(spec).request.options.language == "it"


def test_a_concept_is_added_to_what_was_named() -> None:
    """Named features stay the only ones beside the concept."""
    spec = r.RenderSpec()
    spec.analysis.features.append(a.FEATURE_RHYTHM)
    spec.analysis.concept = True
    assert list(ask(spec).request.features) == [a.FEATURE_RHYTHM, a.FEATURE_CONCEPT]


@pytest.mark.parametrize("pipeline", [w.PIPELINE_CONCEPT, w.PIPELINE_BOTH])
def test_a_writer_that_is_to_read_a_concept_gets_one_where_there_can_be(
    pipeline: w.Pipeline.ValueType,
) -> None:
    """The brief's pipeline asks for the concept, but does not insist on it."""
    spec = r.RenderSpec(brief=w.Brief(pipeline=pipeline))
    assert a.FEATURE_CONCEPT in ask(spec).request.features
    assert not ask(spec, ["feature:rhythm"]).request.features


def test_words_that_cannot_be_aligned_are_left_out_and_told_of() -> None:
    """A video can be made without: the rest is asked for as ever."""
    asked = ask(r.RenderSpec(lyrics="la"), ["feature:rhythm"])
    assert not asked.request.options.lyrics
    assert not asked.request.features
    assert "does not align lyrics" in asked.notes[0]


@pytest.mark.parametrize(
    ("wishes", "path"),
    [
        (
            r.AnalysisWishes(features=[a.FEATURE_RHYTHM, a.FEATURE_VOICE]),
            "render.spec.analysis.features[1]",
        ),
        (r.AnalysisWishes(concept=True), "render.spec.analysis.concept"),
        (
            r.AnalysisWishes(options=a.AnalyzeOptions(transcribe=True)),
            "render.spec.analysis.options.transcribe",
        ),
    ],
)
def test_what_is_not_offered_is_refused_with_what_is(wishes: r.AnalysisWishes, path: str) -> None:
    """The refusal names the wish by its path, and all that could have been asked for."""
    offered = ["feature:tags", "gpu", "feature:rhythm", "feature:of-a-later-contract"]
    with pytest.raises(Unimplemented, match=r"it offers rhythm, tags$") as refused:
        ask(r.RenderSpec(analysis=wishes), offered)
    assert [named for named, _ in refused.value.field_violations] == [path]
    assert refused.value.reason == "FEATURE_NOT_OFFERED"


def test_an_analyzer_that_tells_of_no_features_is_asked_all_the_same() -> None:
    """It says itself what it cannot do."""
    spec = r.RenderSpec(analysis=r.AnalysisWishes(concept=True))
    assert list(ask(spec, ["gpu"]).request.features) == [*BY_ITSELF, a.FEATURE_CONCEPT]


def test_answers_name_the_fields_of_the_spec() -> None:
    """The analyzer's own field paths mean nothing to a caller of the render API."""
    theirs = ["features[1]", "options.max_tags", "options.lyrics", "song", "optionsX"]
    answer = as_asked(InvalidArgument("no", field_violations=[(one, "no") for one in theirs]))
    assert [path for path, _ in answer.field_violations] == [
        "render.spec.analysis.features[1]",
        "render.spec.analysis.options.max_tags",
        "render.spec.lyrics",
        "song",
        "optionsX",
    ]
    assert isinstance(as_asked(Unimplemented("no")), Unimplemented)
