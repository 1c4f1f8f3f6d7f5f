"""How the server and its listening processes talk: length-prefixed frames over a pipe.

A frame is one letter, the length of its body (four bytes, big-endian) and the body.
"""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from soundsight_analyzer.listening import Feature, Options
from soundsight_analyzer.meaning.clap import ClapModel
from soundsight_analyzer.rhythm.beatthis import BeatModel
from soundsight_analyzer.song import SongFile
from soundsight_analyzer.words.asking import Words

_HEADER = struct.Struct(">cI")


class Kind(Enum):
    """What a frame holds."""

    EVENT = b"e"
    """An AnalyzeResponse."""
    DONE = b"d"
    """Nothing more comes for this song; the process waits for the next one."""
    RETIRED = b"r"
    """As DONE, but the process ends now, to give its memory back."""
    FAILED = b"f"
    """The song could not be listened to; the body says why, in one line for a person."""
    UNREADY = b"u"
    """As FAILED, but for want of something that the settings name, whatever the song."""


@dataclass(frozen=True)
class Request:
    """A song to listen to, and how."""

    song: SongFile
    options: Options

    def to_json(self) -> bytes:
        """One line of JSON."""
        options = {
            "features": sorted(feature.value for feature in self.options.features),
            "tempo_bounds_bpm": self.options.tempo_bounds_bpm,
            "max_tags": self.options.max_tags,
            "clap": asdict(self.options.clap) if self.options.clap else None,
            "beat_model": asdict(self.options.beat_model) if self.options.beat_model else None,
            "words": self.options.words.to_json(),
        }
        song = {**asdict(self.song), "path": str(self.song.path)}
        return json.dumps({"song": song, "options": options}).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Request:
        """The request in a line that `to_json` made."""
        values = json.loads(line)
        song, options = values["song"], values["options"]
        low, high = options["tempo_bounds_bpm"]
        return cls(
            song=SongFile(**{**song, "path": Path(song["path"])}),
            options=Options(
                features=frozenset(Feature(value) for value in options["features"]),
                tempo_bounds_bpm=(low, high),
                max_tags=options["max_tags"],
                clap=ClapModel(**options["clap"]) if options["clap"] else None,
                beat_model=BeatModel(**options["beat_model"]) if options["beat_model"] else None,
                words=Words.from_json(options["words"]),
            ),
        )


def write_frame(pipe: BinaryIO, kind: Kind, body: bytes = b"") -> None:
    """Writes one frame and flushes it."""
    pipe.write(_HEADER.pack(kind.value, len(body)) + body)
    pipe.flush()


async def read_frame(pipe: asyncio.StreamReader) -> tuple[Kind, bytes]:
    """Reads one frame; raises asyncio.IncompleteReadError when the other side is gone."""
    letter, length = _HEADER.unpack(await pipe.readexactly(_HEADER.size))
    return Kind(letter), await pipe.readexactly(length)
