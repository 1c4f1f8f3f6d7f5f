"""The words of a song, line by line, as far as the writer reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_scenewriter.texts import clean

_MOST_LINES = 2_000
_LINE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class SungLine:
    """A line of the lyrics, and when it begins."""

    start_s: float
    text: str


def read_sung_lines(lyrics: pb.Lyrics) -> tuple[SungLine, ...]:
    """The lines that have words, by time; more than a song has are left out."""
    lines = (
        SungLine(line.start_s, clean(line.text, _LINE_CHARACTERS))
        for line in lyrics.lines[:_MOST_LINES]
    )
    return tuple(sorted((line for line in lines if line.text), key=lambda line: line.start_s))


def sung_between(lines: Iterable[SungLine], start_s: float, end_s: float) -> list[str]:
    """What begins to be sung within a stretch of the song."""
    return [line.text for line in lines if start_s <= line.start_s < end_s]
