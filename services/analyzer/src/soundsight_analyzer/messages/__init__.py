"""What was heard, as the contract's messages."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.listening import Heard
from soundsight_analyzer.messages.dynamics import dynamics_message
from soundsight_analyzer.messages.form import section_message
from soundsight_analyzer.messages.harmony import harmony_message
from soundsight_analyzer.messages.meaning import (
    emotion_curve_message,
    instrument_messages,
    tag_messages,
    voice_message,
)
from soundsight_analyzer.messages.rhythm import rhythm_message
from soundsight_analyzer.messages.words import lyrics_message


def to_analysis(heard: Heard) -> pb.SongAnalysis:
    """The whole analysis; what was not asked for or not found stays absent."""
    song = heard.song
    analysis = pb.SongAnalysis(
        audio=pb.Audio(
            samples=song.samples,
            sample_rate_hz=song.sample_rate_hz,
            channels=song.channels,
            duration_s=song.duration_s,
        ),
        warnings=heard.warnings,
    )
    if heard.rhythm is not None:
        analysis.rhythm.CopyFrom(rhythm_message(heard.rhythm))
    if heard.harmony is not None:
        analysis.harmony.CopyFrom(harmony_message(heard.harmony))
    if heard.curves is not None and heard.parts is not None and heard.loudness is not None:
        analysis.dynamics.CopyFrom(
            dynamics_message(heard.loudness, heard.curves, heard.parts, heard.events)
        )
    if heard.tags is not None:
        analysis.tags.extend(tag_messages(heard, 0.0, song.duration_s))
    if heard.voice is not None:
        analysis.voice.CopyFrom(voice_message(heard.voice))
    analysis.instruments.extend(instrument_messages(heard.instruments))
    if heard.emotion is not None:
        analysis.emotion.CopyFrom(emotion_curve_message(heard.emotion, song.duration_s))
    if heard.lyrics is not None:
        analysis.lyrics.CopyFrom(lyrics_message(heard.lyrics))
    analysis.sections.extend(section_message(heard, index) for index in range(len(heard.sections)))
    return analysis
