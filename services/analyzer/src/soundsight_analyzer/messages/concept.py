"""The concept as the contract's message, and the sections that it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.concept.windows import Part
from soundsight_analyzer.concept.writer import FilmConcept
from soundsight_analyzer.messages.evidence import evidence

_PREFIX = "SECTION_FUNCTION_"


def parts_of_analysis(analysis: pb.SongAnalysis) -> tuple[Part, ...]:
    """The sections of an analysis, each named by what it does in the song."""
    return tuple(Part(s.start_s, s.end_s, _name(s.function)) for s in analysis.sections)


def concept_message(concept: FilmConcept, parts: Sequence[Part], source: str) -> pb.Concept:
    return pb.Concept(
        summary=concept.summary,
        sections=[
            pb.SectionConcept(
                section_index=index, text=text, start_s=part.start_s, end_s=part.end_s
            )
            for index, (part, text) in enumerate(zip(parts, concept.parts, strict=True))
        ],
        evidence=evidence(concept.confidence, source),
    )


def _name(function: pb.SectionFunction.ValueType) -> str:
    if function == pb.SECTION_FUNCTION_UNSPECIFIED:
        return ""
    name = pb.SectionFunction.Name(function).removeprefix(_PREFIX)
    return name.lower().replace("_", "-")
