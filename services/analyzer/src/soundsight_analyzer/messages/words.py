"""Lyrics as the contract's message."""

from __future__ import annotations

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.messages.evidence import evidence
from soundsight_analyzer.words.lyrics import Lyrics, TimedLine


def lyrics_message(lyrics: Lyrics) -> pb.Lyrics:
    return pb.Lyrics(
        language=lyrics.language,
        lines=[_line(line) for line in lyrics.lines],
        evidence=evidence(lyrics.confidence, lyrics.source),
    )


def _line(line: TimedLine) -> pb.LyricLine:
    return pb.LyricLine(
        start_s=line.start_s,
        end_s=line.end_s,
        text=line.text,
        heading=line.heading,
        words=[
            pb.LyricWord(
                start_s=word.span[0],
                end_s=word.span[1],
                text=word.word.text,
                confidence=min(1.0, max(0.0, word.confidence)),
            )
            for word in line.words
        ],
    )
