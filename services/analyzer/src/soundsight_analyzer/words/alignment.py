"""Given words aligned with the voice by Whisper, window by window.

First the song is recognised, and the given words are sought in what was (anchors). The anchors
choose each window's words; then each window's own words are aligned with its sound. Whatever the
recogniser makes of the song, the words that come out are those that were given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.words.given import GivenLine, GivenWord
from soundsight_analyzer.words.matching import match_words
from soundsight_analyzer.words.snapping import LEAD_S, snap, voice_level
from soundsight_analyzer.words.syllables import Span, syllables
from soundsight_analyzer.words.whisper import RATE_HZ, HeardWord, Recognised
from soundsight_analyzer.words.windows import Window, estimate, plan_windows


class Aligner(Protocol):
    """What aligning needs of a model; `whisper.Whisper` is one."""

    def recognise(
        self, sound: Floats, language: str | None, progress: Callable[[float], None]
    ) -> Recognised: ...

    def tokens(self, text: str, language: str) -> list[int]: ...

    def align(
        self, sound: Floats, tokens: Sequence[Sequence[int]], language: str
    ) -> list[HeardWord]: ...


@dataclass(frozen=True)
class TimedWord:
    """A word of a line with its place in time; ``confidence`` in [0, 1]."""

    word: GivenWord
    span: Span
    confidence: float


Progress = Callable[[float], None]
"""Told how much is done, 0 to 1."""

_RECOGNISING_SHARE = 0.6
_AGREED, _DISAGREED, _UNANCHORED, _BLIND = 0.9, 0.4, 0.8, 0.5
_FAR_S = 0.3
_LONGEST_SYLLABLE_S = 0.6
_BREATH_S = 0.15


def align_words(
    aligner: Aligner,
    sound: Floats,
    lines: Sequence[GivenLine],
    language: str | None,
    voiced: Sequence[Span],
    progress: Progress,
) -> tuple[list[TimedWord], str]:
    """Aligns all words of some lines; returns them in order, and the language that was heard.

    Args:
        sound: the song, (n,) at RATE_HZ.
        language: the recogniser's code for the words' language, or None to have it heard.
        voiced: where a voice may be; used where nothing of the text was recognised.
    """
    duration_s = len(sound) / RATE_HZ
    words = [word for line in lines for word in line.words]

    def recognising(seconds: float) -> None:
        progress(_RECOGNISING_SHARE * min(1.0, seconds / duration_s))

    recognised = aligner.recognise(sound, language, recognising)
    heard = [word for line in recognised.lines for word in line.words]
    anchors = _anchors(words, heard)
    guess = estimate([float(syllables(word.text)) for word in words], anchors, voiced)
    tokens = [
        aligner.tokens(f" {word.text}" if word.spaced else word.text, recognised.language)
        for word in words
    ]
    windows = plan_windows(guess, [len(each) for each in tokens], _line_starts(lines), duration_s)
    timed: list[TimedWord] = []
    for index, window in enumerate(windows):
        timed += _aligned(aligner, sound, window, words, tokens, recognised.language, anchors)
        share = (index + 1) / len(windows)
        progress(_RECOGNISING_SHARE + (1.0 - _RECOGNISING_SHARE) * share)
    return _in_order(timed, duration_s), recognised.language


def _anchors(words: Sequence[GivenWord], heard: Sequence[HeardWord]) -> dict[int, Span]:
    pairs = match_words([word.text for word in words], [word.text for word in heard])
    found: dict[int, Span] = {}
    latest = 0.0
    for given, index in pairs:
        start, end = heard[index].start_s, heard[index].end_s
        if start >= latest and end > start:
            found[given] = (start, end)
            latest = start
    return found


def _line_starts(lines: Sequence[GivenLine]) -> frozenset[int]:
    counts = np.cumsum([0, *(len(line.words) for line in lines)])
    return frozenset(int(count) for count in counts[:-1])


def _aligned(
    aligner: Aligner,
    sound: Floats,
    window: Window,
    words: Sequence[GivenWord],
    tokens: Sequence[Sequence[int]],
    language: str,
    anchors: Mapping[int, Span],
) -> list[TimedWord]:
    """One window's words, with what their agreement with the anchors says about them."""
    indices = range(window.first, window.last)
    part = sound[round(window.start_s * RATE_HZ) : round(window.end_s * RATE_HZ)]
    found = aligner.align(part, [tokens[index] for index in indices], language)
    boundaries = [*(word.start_s for word in found), found[-1].end_s]
    for at, index in enumerate(indices):
        # Whatever precedes a window's first word is counted as its beginning, and so is a pause:
        # recognition, which knows where a phrase begins, is believed when it is later.
        known = anchors[index][0] - window.start_s - LEAD_S if index in anchors else 0.0
        if (at == 0 or known > boundaries[at] + _FAR_S) and known < boundaries[at + 1]:
            boundaries[at] = max(boundaries[at], known)
    starts, ends = snap(boundaries, voice_level(part, RATE_HZ))
    timed = []
    for at, index in enumerate(indices):
        start = window.start_s + starts[at]
        longest = _LONGEST_SYLLABLE_S * syllables(words[index].text) + _BREATH_S
        end = min(window.start_s + ends[at], start + longest)
        heard = (window.start_s + boundaries[at], start)
        confidence = _confidence(found[at].probability, heard, anchors.get(index), window.sure)
        timed.append(TimedWord(words[index], (start, end), confidence))
    return timed


def _confidence(probability: float, heard: Span, anchor: Span | None, sure: bool) -> float:
    """How likely a word is where it was put: two ways of hearing it that agree count most.

    ``heard`` is where attention has it begin, and where the voice sets in after that.
    """
    if anchor is None:
        return _UNANCHORED * probability * (1.0 if sure else _BLIND)
    agrees = heard[0] - _FAR_S <= anchor[0] <= heard[1] + _FAR_S
    return _AGREED if agrees else _DISAGREED


def _in_order(timed: Sequence[TimedWord], duration_s: float) -> list[TimedWord]:
    """Words in order of time, none of which starts before the one in front of it."""
    ordered: list[TimedWord] = []
    latest = 0.0
    for each in timed:
        start = min(max(each.span[0], latest), duration_s)
        end = min(max(each.span[1], start), duration_s)
        ordered.append(replace(each, span=(start, end)))
        latest = start
    return ordered
