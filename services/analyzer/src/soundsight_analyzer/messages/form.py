"""Sections as the contract's messages."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.form import functions, sections
from soundsight_analyzer.form.sections import Section
from soundsight_analyzer.listening import Heard
from soundsight_analyzer.messages.evidence import evidence
from soundsight_analyzer.messages.meaning import emotion_message, tag_messages


def section_message(heard: Heard, index: int) -> pb.Section:
    section: Section = heard.sections[index]
    guess = heard.section_functions[index]
    message = pb.Section(
        start_s=section.start_s,
        end_s=section.end_s,
        label=section.label,
        occurrence=section.occurrence,
        function=pb.SectionFunction.Value(f"SECTION_FUNCTION_{guess.function.value}"),
        boundary_evidence=evidence(section.boundary_confidence, sections.SOURCE),
        label_evidence=evidence(section.label_confidence, sections.SOURCE),
        function_evidence=evidence(guess.confidence, functions.SOURCE),
        energy=heard.section_energies[index],
    )
    if heard.emotion is not None:
        message.emotion.CopyFrom(emotion_message(heard.emotion, section.start_s, section.end_s))
    if heard.tags is not None:
        message.tags.extend(tag_messages(heard, section.start_s, section.end_s))
    return message
