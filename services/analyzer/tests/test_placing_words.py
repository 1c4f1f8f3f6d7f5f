"""Placing words without a model, and what a model's windows are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.words.alignment import align_words
from soundsight_analyzer.words.given import read_lyrics
from soundsight_analyzer.words.inlines import align_in_lines
from soundsight_analyzer.words.lyrics import SYLLABLES, USER, place_lyrics
from soundsight_analyzer.words.matching import match_words
from soundsight_analyzer.words.snapping import HOP_S, LEAD_S, snap, voice_level
from soundsight_analyzer.words.syllables import spread, syllables
from soundsight_analyzer.words.whisper import RATE_HZ, HeardLine, HeardWord, Recognised
from soundsight_analyzer.words.windows import LONGEST_S, MOST_TOKENS, estimate, plan_windows

WORDS = [
    "when",
    "the",
    "morning",
    "light",
    "is",
    "falling",
    "on",
    "the",
    "water",
    "I",
    "remember",
    "every",
    "road",
]


@pytest.mark.parametrize(
    ("word", "count"),
    [("light", 1), ("water,", 2), ("remember", 3), ("home", 1), ("été", 2), ("春", 1), ("—", 1)],
)
def test_syllables(word: str, count: int) -> None:
    """Syllables are counted as a singer would, in several writings."""
    assert syllables(word) == count


@settings(deadline=None)
@given(
    st.lists(st.floats(0.1, 5.0), min_size=1, max_size=20),
    st.lists(st.floats(0.1, 20.0), min_size=1, max_size=5),
)
def test_spreading_fills_the_spans_in_order(weights: list[float], lengths: list[float]) -> None:
    """Words come in order, inside the spans, from the first one's start to the last one's end."""
    spans, at = [], 1.0
    for length in lengths:
        spans.append((at, at + length))
        at += length + 3.0
    times = spread(weights, spans)
    assert times[0][0] == pytest.approx(spans[0][0])
    assert times[-1][1] == pytest.approx(spans[-1][1])
    starts = [start for start, _ in times]
    assert starts == sorted(starts)
    assert all(end >= start for start, end in times)
    assert all(any(a - 1e-6 <= s <= b + 1e-6 for a, b in spans) for s in starts)


def test_words_are_matched_in_order_despite_mistakes() -> None:
    """Missing, wrong and extra words do not shift the rest, and a lone small word is no match."""
    heard = [
        "the",
        "morning",
        "lite",
        "is",
        "fallen",
        "on",
        "a",
        "the",
        "water",
        "oh",
        "yeah",
        "I",
        "remember",
        "every",
    ]
    pairs = match_words(WORDS, heard)
    assert [(WORDS[a], heard[b]) for a, b in pairs][:2] == [
        ("the", "the"),
        ("morning", "morning"),
    ]
    assert ("light", "lite") in [(WORDS[a], heard[b]) for a, b in pairs]
    assert pairs == sorted(pairs)
    assert len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})
    assert match_words(["a", "house"], ["over", "the", "a", "sea", "gull"]) == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 1.5), st.floats(0.0, 20.0), st.booleans()), min_size=1),
    st.integers(1, 200),
)
def test_windows_hold_every_word_once(words: list[tuple[float, float, bool]], tokens: int) -> None:
    """Windows follow each other, hold each word once, are short enough, and lie in the song."""
    anchors, at = {}, 0.5
    for index, (length, gap, known) in enumerate(words):
        if known:
            anchors[index] = (at, at + length)
        at += length + gap
    guess = estimate([1.0] * len(words), anchors, [(0.0, at)])
    windows = plan_windows(guess, [tokens] * len(words), frozenset({0}), at)
    assert [i for w in windows for i in range(w.first, w.last)] == list(range(len(words)))
    for window in windows:
        assert 0 <= window.start_s < window.end_s <= at + 0.2
        assert window.end_s - window.start_s <= LONGEST_S + 1e-6
        assert (
            window.last - window.first
        ) * tokens <= MOST_TOKENS or window.last - window.first == 1


def test_windows_end_in_pauses() -> None:
    """An instrumental gap is left out, and windows are cut where nobody sings."""
    times = [(2.0 + 0.5 * i, 2.4 + 0.5 * i) for i in range(40)]
    times += [(60.0 + 0.5 * i, 60.4 + 0.5 * i) for i in range(40)]
    guess = estimate([1.0] * 80, dict(enumerate(times)), [(0.0, 90.0)])
    windows = plan_windows(guess, [2] * 80, frozenset({0, 40}), 90.0)
    assert [(w.first, w.last) for w in windows] == [(0, 40), (40, 80)]
    assert windows[0].end_s < 24.0
    assert windows[1].start_s > 59.0


def bursts(starts: Sequence[float], length_s: float, duration_s: float) -> Floats:
    """A voice that says one sound at each start, over a soft hum."""
    times = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    sound = 0.01 * np.sin(2 * np.pi * 330 * times)
    for start in starts:
        inside = (times >= start) & (times < start + length_s)
        sound[inside] += 0.5 * np.sin(2 * np.pi * 700 * times[inside])
    return sound.astype(np.float32)


def test_boundaries_are_moved_to_the_voice() -> None:
    """Boundaries that run ahead, as attention's do, move to where the sound really begins, over a
    pause as well."""
    starts = [0.5, 0.9, 1.3, 3.0, 3.4]
    sound = bursts(starts, 0.3, 5.0)
    ends = [start + 0.3 for start in starts]
    ahead = [0.0, *(end - LEAD_S for end in ends)]
    found, found_ends = snap(ahead, voice_level(sound, RATE_HZ))
    assert np.abs(np.subtract(found, starts)).max() <= 3 * HOP_S
    assert np.abs(np.subtract(found_ends, ends)).max() <= 3 * HOP_S


class Listener:
    """An aligner that hears what it is told, and aligns as attention does: ahead of the sound."""

    def __init__(self, words: Sequence[str], starts: Sequence[float], length_s: float) -> None:
        self.words = [
            HeardWord(word, start, start + length_s, 0.9)
            for word, start in zip(words, starts, strict=True)
        ]
        self.windows: list[float] = []

    def recognise(
        self, sound: Floats, language: str | None, progress: Callable[[float], None]
    ) -> Recognised:
        progress(len(sound) / RATE_HZ)
        # Every third word is missed.
        heard = tuple(word for index, word in enumerate(self.words) if index % 3 != 1)
        return Recognised((HeardLine(heard),), language or "en")

    def tokens(self, text: str, language: str) -> list[int]:
        return [len(text)]

    def align(
        self, sound: Floats, tokens: Sequence[Sequence[int]], language: str
    ) -> list[HeardWord]:
        self.windows.append(len(sound) / RATE_HZ)
        loud = np.abs(sound) > 0.1
        edges = np.flatnonzero(np.diff(np.concatenate([[0], _closed(loud).astype(int)])) == 1)
        starts = [edge / RATE_HZ for edge in edges][: len(tokens)]
        assert len(starts) == len(tokens), "the window holds the sound of its own words alone"
        marks = [0.0, *(start - 0.2 for start in starts[1:]), len(sound) / RATE_HZ]
        return [HeardWord("", a, b, 0.5) for a, b in pairwise(marks)]


def _closed(loud: np.ndarray) -> np.ndarray:
    """A sine is loud in between its zeros, too."""
    width = RATE_HZ // 50
    return np.convolve(loud, np.ones(width), mode="same") > 0


def test_given_words_are_aligned_window_by_window() -> None:
    """With a listener that misses every third word, each word is found, in its window, in order;
    what was recognised elsewhere never changes the text."""
    words = WORDS * 5
    starts = [2.0 + 0.6 * i + (30.0 if i >= 30 else 0.0) for i in range(len(words))]
    sound = bursts(starts, 0.3, starts[-1] + 3.0)
    lines = read_lyrics("\n".join(" ".join(words[i : i + 5]) for i in range(0, 65, 5))).lines
    listener = Listener(words, starts, 0.3)
    shares: list[float] = []
    timed, language = align_words(listener, sound, lines, None, [(0.0, 75.0)], shares.append)
    assert language == "en"
    assert [each.word.text for each in timed] == words
    assert np.median(np.abs([t.span[0] - s for t, s in zip(timed, starts, strict=True)])) < 0.05
    assert max(listener.windows) <= LONGEST_S
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_words_stay_inside_lines_with_times() -> None:
    """Words of an LRC line never leave it, whatever the model says."""
    starts = [1.0, 1.5, 2.0, 6.0, 6.5, 7.0]
    lrc = "[00:00.90]one two three\n[00:05.90]four five six\n[00:30.00]far away\n"
    sound = bursts([*starts, 30.2, 30.7], 0.3, 33.0)
    lines = read_lyrics(lrc).lines
    timed, _ = align_in_lines(Listener([], [], 0.3), sound, lines, "en", lambda _: None)
    found = [each.span[0] for each in timed]
    assert np.abs(np.subtract(found, [*starts, 30.2, 30.7])).max() < 0.1
    for line, words in zip(lines, (timed[:3], timed[3:6], timed[6:]), strict=True):
        assert line.start_s is not None
        assert all(line.start_s <= word.span[0] <= word.span[1] for word in words)


SILENCE = np.zeros(60 * 8_000, dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "voiced", "source", "confidence"),
    [
        ("one two\nthree four\n", None, SYLLABLES, 0.05),
        ("one two\nthree four\n", [(10.0, 12.0), (40.0, 42.0)], SYLLABLES, 0.15),
        ("[00:05.00]one two\n[00:09.00]three four\n", None, SYLLABLES, 0.3),
        ("[00:05.00]<00:05.00>one <00:06.00>two\n", None, USER, 1.0),
    ],
)
def test_without_a_model_confidence_is_what_is_known(
    text: str, voiced: list[tuple[float, float]] | None, source: str, confidence: float
) -> None:
    """Words spread by syllables say so, with little confidence; times that were given are kept."""
    given_lyrics = read_lyrics(text)
    lyrics = place_lyrics(
        SILENCE, 8_000, given_lyrics, "en", model=None, voiced=voiced, progress=lambda *_: None
    )
    assert [line.text for line in lyrics.lines] == [line.text for line in given_lyrics.lines]
    assert lyrics.source == source
    assert lyrics.confidence == pytest.approx(confidence)
    assert bool(lyrics.warnings) == (source == SYLLABLES)
    for line, asked in zip(lyrics.lines, given_lyrics.lines, strict=True):
        assert 0.0 <= line.start_s <= line.end_s <= 60.0
        if asked.start_s is not None:
            assert line.start_s == pytest.approx(asked.start_s)
    if voiced:
        starts = [word.span[0] for line in lyrics.lines for word in line.words]
        assert all(any(a <= start <= b for a, b in voiced) for start in starts)
