"""What is asked about the song's words, and which words those are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from soundsight_analyzer.words.given import GivenLyrics, UnreadableLyrics, read_lyrics
from soundsight_analyzer.words.lyrics import Model

_LATE_S = 1.0


@dataclass(frozen=True)
class Words:
    """The words to align, if any, and whether to transcribe where there are none.

    ``model`` hears words; without one they are spread by their syllables, and nothing can be
    transcribed.
    """

    lyrics: str = ""
    language: str = ""
    transcribe: bool = False
    model: Model | None = None

    @property
    def wants_voice(self) -> bool:
        """Whether it helps to know where there is a voice: to transcribe, and to spread words."""
        if not self.lyrics.strip():
            return self.transcribe
        return self.model is None and not read_lyrics(self.lyrics).timed

    def facts(self) -> dict[str, Any]:
        """What of it changes the answer, as JSON takes it; the model is the service's own."""
        return {"lyrics": self.lyrics, "language": self.language, "transcribe": self.transcribe}

    def to_json(self) -> dict[str, Any]:
        model = self.model and {"folder": str(self.model.folder), "device": self.model.device}
        return {**self.facts(), "model": model}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Words:
        model = values["model"]
        return cls(
            lyrics=values["lyrics"],
            language=values["language"],
            transcribe=values["transcribe"],
            model=Model(Path(model["folder"]), model["device"]) if model else None,
        )


def check_times(lyrics: GivenLyrics, duration_s: float) -> None:
    """Raises UnreadableLyrics for lines that start after the song: they belong to another one."""
    if lyrics.last_start_s > duration_s + _LATE_S:
        raise UnreadableLyrics(
            f"a line starts at {lyrics.last_start_s:.1f} s, but the song ends at {duration_s:.1f} s"
        )


def with_embedded(words: Words, embedded: str, duration_s: float) -> tuple[Words, tuple[str, ...]]:
    """The words with those of the file where none were given, and what to tell the user."""
    if words.lyrics or not embedded.strip():
        return words, ()
    try:
        check_times(read_lyrics(embedded), duration_s)
    except UnreadableLyrics as error:
        return words, (f"the lyrics in the file are not used: {error}",)
    return replace(words, lyrics=embedded), ("the lyrics are those in the file",)
