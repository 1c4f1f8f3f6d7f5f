"""The stage `lyrics`: the words that were given are placed, or the song is transcribed."""

from __future__ import annotations

from collections.abc import Sequence

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.words.asking import Words
from soundsight_analyzer.words.given import read_lyrics
from soundsight_analyzer.words.lyrics import Lyrics, Progress, place_lyrics, transcribe
from soundsight_analyzer.words.syllables import Span


def hear_lyrics(
    mono: Floats,
    rate_hz: int,
    words: Words,
    *,
    voiced: Sequence[Span] | None,
    progress: Progress,
) -> Lyrics | None:
    """The lyrics with times; None where none were given and none are to be recognised.

    Args:
        mono: the song, (n,) at ``rate_hz``.
        words: what is asked; its lyrics have been checked.
        voiced: where there is a voice, empty when the song is instrumental, None when not known.
        progress: told what is done of the stage, and all of it.
    """
    if words.lyrics.strip():
        return place_lyrics(
            mono,
            rate_hz,
            read_lyrics(words.lyrics),
            words.language,
            model=words.model,
            voiced=voiced,
            progress=progress,
        )
    if not words.transcribe or words.model is None:
        return None
    if voiced is not None and not voiced:
        return Lyrics((), "", "voice", ("the song is instrumental: nothing was transcribed",))
    return transcribe(mono, rate_hz, words.language, model=words.model, progress=progress)
