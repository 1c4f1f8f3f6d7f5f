"""The song's lyrics with times: given ones aligned, or, when that is asked for, transcribed.

What a caller gives is never corrected: it comes back word for word. How well the words fit the
voice is told per word and for the whole, and it is low where nothing was heard of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.words.alignment import TimedWord, align_words
from soundsight_analyzer.words.given import GivenLine, GivenLyrics, GivenWord
from soundsight_analyzer.words.inlines import align_in_lines, spread_in_lines
from soundsight_analyzer.words.syllables import Span, spread, syllables

if TYPE_CHECKING:
    from soundsight_analyzer.words.whisper import HeardWord, Recognised, Whisper

USER, SYLLABLES = "user", "soundsight.syllables"
_SPREAD_OVER_VOICE, _SPREAD_OVER_SONG = 0.15, 0.05
_PAUSE_S = 0.5
_LONG_LINE_WORDS = 8
_STEPS = 100
_LINE_ENDS = (".", "!", "?", ",", ";", ":", "。", "、", "！", "？")

Progress = Callable[[int, int], None]
"""Told what is done and all there is to do."""


@dataclass(frozen=True)
class Model:
    """A folder with Whisper for ctranslate2, and where it runs: `auto`, `cpu`, `cuda`, `cuda:1`."""

    folder: Path
    device: str = "auto"

    def load(self) -> Whisper:
        """Loads the model."""
        from soundsight_analyzer.words.whisper import Whisper

        return Whisper(self.folder, self.device)


@dataclass(frozen=True)
class TimedLine:
    """A line with times, in seconds; its words lie inside it, in order."""

    text: str
    words: tuple[TimedWord, ...]
    start_s: float
    end_s: float
    heading: str = ""


@dataclass(frozen=True)
class Lyrics:
    """Lines in order of time. ``confidence`` is the mean of the words': how well they fit."""

    lines: tuple[TimedLine, ...]
    language: str
    source: str
    warnings: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        found = [word.confidence for line in self.lines for word in line.words]
        return float(np.mean(found)) if found else 0.0


def place_lyrics(
    mono: Floats,
    rate_hz: int,
    given: GivenLyrics,
    language: str,
    *,
    model: Model | None,
    voiced: Sequence[Span] | None,
    progress: Progress,
) -> Lyrics:
    """Says when each word of given lyrics is sung.

    Args:
        mono: the song, (n,) at ``rate_hz``.
        language: BCP 47 tag of the words, or empty.
        model: hears words; without one they are spread by their syllables.
        voiced: where there is a voice, when that is known.
    """
    duration_s = len(mono) / rate_hz
    progress(0, _STEPS)
    known = all(word.start_s is not None for line in given.lines for word in line.words)
    heard, warnings = "", tuple[str, ...]()
    if given.timed and known:
        timed, source = _as_given(given.lines, duration_s), USER
    elif model is None:
        timed, warnings = _spread(given, duration_s, voiced)
        source = SYLLABLES
    else:
        whisper = model.load()
        sound = _resampled(mono, rate_hz)
        code = whisper.language(language)

        def report(share: float) -> None:
            progress(round(_STEPS * share), _STEPS)

        if given.timed:
            timed, heard = align_in_lines(whisper, sound, given.lines, code, report)
        else:
            everywhere = list(voiced or [(0.0, duration_s)])
            timed, heard = align_words(whisper, sound, given.lines, code, everywhere, report)
        source = whisper.id
    progress(_STEPS, _STEPS)
    lyrics = Lyrics(_lines(given, timed), language or heard, source, warnings)
    return lyrics if source == SYLLABLES else _with_doubts(lyrics)


def transcribe(
    mono: Floats, rate_hz: int, language: str, *, model: Model, progress: Progress
) -> Lyrics:
    """Recognises the words of a song; none where Whisper hears none that it trusts."""
    whisper = model.load()
    duration_s = len(mono) / rate_hz
    progress(0, _STEPS)
    recognised = whisper.recognise(
        _resampled(mono, rate_hz),
        whisper.language(language),
        lambda seconds: progress(round(_STEPS * min(1.0, seconds / duration_s)), _STEPS),
    )
    progress(_STEPS, _STEPS)
    lines = tuple(_transcribed(recognised, duration_s))
    warnings = () if lines else ("no words were recognised",)
    return Lyrics(lines, (language or recognised.language) if lines else "", whisper.id, warnings)


def _resampled(mono: Floats, rate_hz: int) -> Floats:
    from soundsight_analyzer.words.whisper import RATE_HZ

    return soxr.resample(np.asarray(mono, dtype=np.float32), rate_hz, RATE_HZ)


def _as_given(lines: Sequence[GivenLine], duration_s: float) -> list[TimedWord]:
    """Words with the times that were given; one without an end lasts until the next."""
    timed: list[TimedWord] = []
    for line in lines:
        for word, following in zip(line.words, [*line.words[1:], None], strict=True):
            assert word.start_s is not None
            after = following.start_s if following is not None else line.end_s
            end = word.end_s if word.end_s is not None else after
            last = end if end is not None else word.start_s + 0.3 * syllables(word.text)
            span = (min(word.start_s, duration_s), min(max(last, word.start_s), duration_s))
            timed.append(TimedWord(word, span, 1.0))
    return timed


def _spread(
    given: GivenLyrics, duration_s: float, voiced: Sequence[Span] | None
) -> tuple[list[TimedWord], tuple[str, ...]]:
    if given.timed:
        warning = "the times of words within their lines are estimated from their syllables"
        return spread_in_lines(given.lines, duration_s), (warning,)
    words = [word for line in given.lines for word in line.words]
    spans = [span for span in voiced or () if span[1] > span[0]]
    confidence = _SPREAD_OVER_VOICE if spans else _SPREAD_OVER_SONG
    places = spread(
        [float(syllables(word.text)) for word in words],
        spans or [(0.0, max(duration_s, 1e-3))],
    )
    warning = "no model that hears words is configured: the lyrics are spread by their syllables"
    timed = [TimedWord(word, span, confidence) for word, span in zip(words, places, strict=True)]
    return timed, (warning,)


def _lines(given: GivenLyrics, timed: Sequence[TimedWord]) -> tuple[TimedLine, ...]:
    """The given lines with their words' times; a line ends with its last word."""
    placed = iter(timed)
    lines = []
    for line in given.lines:
        words = tuple(next(placed) for _ in line.words)
        start = words[0].span[0]
        end = max(start, max(word.span[1] for word in words))
        lines.append(TimedLine(line.text, words, start, end, line.heading))
    return tuple(lines)


def _with_doubts(lyrics: Lyrics) -> Lyrics:
    """Says when most words were not found in the voice."""
    if lyrics.confidence >= 0.4:
        return lyrics
    doubt = "little of the lyrics was found in the voice: their times are estimates"
    return replace(lyrics, warnings=(*lyrics.warnings, doubt))


def _transcribed(recognised: Recognised, duration_s: float) -> Iterator[TimedLine]:
    for heard in recognised.lines:
        for words in _phrases(heard.words):
            timed = tuple(_timed(word, duration_s) for word in words)
            text = "".join(word.text for word in words).strip()
            yield TimedLine(text, timed, timed[0].span[0], timed[-1].span[1])


def _timed(word: HeardWord, duration_s: float) -> TimedWord:
    start = min(word.start_s, duration_s)
    span = (start, min(max(word.end_s, start), duration_s))
    spaced = word.text.startswith(" ")
    return TimedWord(GivenWord(word.text.strip(), spaced=spaced), span, word.probability)


def _phrases(words: Sequence[HeardWord]) -> Iterator[list[HeardWord]]:
    """Words up to a pause, or to a sign at which a long line can end."""
    phrase: list[HeardWord] = []
    for word in words:
        if phrase:
            paused = word.start_s - phrase[-1].end_s >= _PAUSE_S
            closed = phrase[-1].text.endswith(_LINE_ENDS) and len(phrase) >= _LONG_LINE_WORDS
            if paused or closed:
                yield phrase
                phrase = []
        phrase.append(word)
    if phrase:
        yield phrase
