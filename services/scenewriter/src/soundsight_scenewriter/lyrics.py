"""The song's words as cuts need them: when each is sung, and when lines begin."""

from __future__ import annotations

import numpy as np

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_kit.errors import InvalidArgument
from soundsight_scenewriter.measured import measured
from soundsight_scenewriter.song import Floats
from soundsight_scenewriter.timeline import Timeline

MOST_WORDS = 100_000


def read_words(lyrics: pb.Lyrics, timeline: Timeline) -> Floats:
    """Start and end of each word that is sung within the video, in seconds.

    Shape (words, 2), by start. A word that ends as it starts is not timed, and left out.

    Raises InvalidArgument for more words than are read, and for times that no song has.
    """
    words = sum(len(line.words) for line in lyrics.lines)
    if words > MOST_WORDS:
        raise InvalidArgument(
            f"analysis.lyrics has {words} words; at most {MOST_WORDS} are read.",
            field="analysis.lyrics",
        )
    spans = np.array(
        [
            (
                measured(word.start_s, f"analysis.lyrics.lines[{row}].words[{number}].start_s"),
                measured(word.end_s, f"analysis.lyrics.lines[{row}].words[{number}].end_s"),
            )
            for row, line in enumerate(lyrics.lines)
            for number, word in enumerate(line.words)
        ],
        dtype=np.float64,
    ).reshape(-1, 2)
    sung = (spans[:, 0] < spans[:, 1]) & (spans[:, 1] > 0.0) & (spans[:, 0] < timeline.duration_s)
    spans = spans[sung]
    return spans[np.lexsort((spans[:, 1], spans[:, 0]))]


def read_lines(lyrics: pb.Lyrics, timeline: Timeline) -> Floats:
    """When each timed line begins within the video, in seconds, ascending.

    Raises InvalidArgument for times that no song has.
    """
    starts = [
        measured(line.start_s, f"analysis.lyrics.lines[{row}].start_s")
        for row, line in enumerate(lyrics.lines)
        if line.end_s > line.start_s
    ]
    times = np.unique(np.array(starts, dtype=np.float64))
    return times[(times >= 0.0) & (times < timeline.duration_s)]
