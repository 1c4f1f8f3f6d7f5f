"""The picture of an analysis: what was heard in a song, over time, on one sheet.

`sheet` says what stands where, `outline`, `pulse`, `course` and `words` draw what runs along the
song, `facts` and `panel` say what is true of the whole of it. matplotlib is used through its
objects alone, without pyplot's state, and only when a picture is asked for: importing it takes
longer than the rest of the command line.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis

ENDINGS = (".png", ".svg")
"""Of pictures that can be made."""


async def picture(
    song: SongAnalysis, sound: Path, part: tuple[float, float | None], ending: str
) -> bytes:
    """Returns the picture of an analysis as a file's bytes.

    Args:
        song: what was heard; parts may be missing.
        sound: the file of the song; its name stands for a title that is not known.
        part: where the part begins and ends that was analysed, in seconds; (0, None) for all.
        ending: one of ENDINGS.

    Raises:
        InvalidArgument: when the file is no song.
    """
    # Or it tells of the names of fonts that it collects, once per machine, as of a fault.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from soundsight_cli.plotting.lane import COLUMNS
    from soundsight_cli.plotting.sheet import draw, encoded
    from soundsight_cli.plotting.waveform import read_waveform

    start_s, end_s = part
    waveform = await read_waveform(sound, COLUMNS, start_s=start_s, end_s=end_s)
    return await asyncio.to_thread(lambda: encoded(draw(song, waveform, sound.stem), ending))
