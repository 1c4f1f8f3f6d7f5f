"""What the measures need from an analysis and a storyboard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundsight.analyzer.v1.analysis_pb2 import CurveKind, SectionFunction, SongAnalysis
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_kit.measures.chance import Floats


@dataclass(frozen=True)
class SongFacts:
    """A song as the measures see it."""

    duration_s: float
    beats_s: Floats
    """Ascending, shape (beats,)."""
    downbeats_s: Floats
    """Ascending, shape (downbeats,)."""
    sections_s: Floats
    """Start of each section and the end of the last, shape (sections + 1,)."""
    names: tuple[str, ...]
    """What a person calls each section: `A verse`."""
    energy: Floats
    """Of each section, 0 to 1."""
    valence: Floats
    """Of each section, -1 to 1; NaN where it is not known."""
    arousal: Floats
    """As `valence`."""
    onsets: Floats
    """Onset envelope; onsets[i] belongs to i * onset_hop_s. Empty when it was not asked for."""
    onset_hop_s: float


@dataclass(frozen=True)
class PlannedShots:
    """The shots of a storyboard. Takes of one shot are one: nothing is cut between them."""

    bounds_s: Floats
    """Start of each shot and the end of the last, shape (shots + 1,)."""
    frame_s: float
    """Length of a frame."""
    anticipation_s: float
    """By how much cuts are meant to come before their beat."""

    @property
    def cuts_s(self) -> Floats:
        """Times of the cuts, shape (shots - 1,)."""
        return self.bounds_s[1:-1]


def song_facts(analysis: SongAnalysis) -> SongFacts:
    """Reads an analysis."""
    beats = analysis.rhythm.beats
    sections = analysis.sections
    starts = [section.start_s for section in sections] or [0.0]
    last_s = sections[-1].end_s if sections else analysis.audio.duration_s
    onset = next(
        (curve for curve in analysis.dynamics.curves if curve.kind == CurveKind.CURVE_KIND_ONSET),
        None,
    )
    known = [section.HasField("emotion") for section in sections]
    nan = float("nan")
    return SongFacts(
        duration_s=analysis.audio.duration_s,
        beats_s=np.array([beat.time_s for beat in beats]),
        downbeats_s=np.array([beat.time_s for beat in beats if beat.position == 1]),
        sections_s=np.array([*starts, last_s]),
        names=tuple(
            f"{section.label} {_function_name(section.function)}".strip() for section in sections
        )
        or ("song",),
        energy=np.array([section.energy for section in sections] or [nan]),
        valence=np.array(
            [s.emotion.valence if there else nan for s, there in zip(sections, known, strict=True)]
            or [nan]
        ),
        arousal=np.array(
            [s.emotion.arousal if there else nan for s, there in zip(sections, known, strict=True)]
            or [nan]
        ),
        onsets=np.array(onset.values if onset else [], dtype=np.float64),
        onset_hop_s=onset.hop_s if onset else 1.0,
    )


def planned_shots(storyboard: Storyboard) -> PlannedShots:
    """Reads a storyboard that fulfils its invariant."""
    frame_s = storyboard.frame_rate.den / storyboard.frame_rate.num
    starts = [scene.start_frame for scene in storyboard.scenes if not scene.continues_previous]
    return PlannedShots(
        bounds_s=np.array([*starts, storyboard.frames]) * frame_s,
        frame_s=frame_s,
        anticipation_s=storyboard.cut_anticipation_frames * frame_s,
    )


def _function_name(function: SectionFunction.ValueType) -> str:
    if function == SectionFunction.SECTION_FUNCTION_UNSPECIFIED:
        return ""
    name = SectionFunction.Name(function)
    return name.removeprefix("SECTION_FUNCTION_").lower().replace("_", "-")
