"""Given words found again among those that were recognised, in order.

A global alignment by dynamic programming (Needleman and Wunsch, 1970). Its matches are anchors:
they tell when a given word is sung, roughly, and where nothing of the text is heard.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from soundsight_analyzer.arrays import Floats, Ints

_SIMILAR = 0.6
_MOST_PAIRS = 250_000
_LONG_WORD = 6
_GAP = 0.02
_DIAGONAL, _UP, _LEFT = 0, 1, 2


def normal(word: str) -> str:
    """A word as it sounds, near enough: lower case, without accents and signs."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in plain if char.isalnum())


def match_words(given: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of indices (given, heard), rising in both, of words that are the same or alike.

    Short words that match alone, with no neighbour that matches, are chance and left out. Costs
    memory and time in proportion to len(given) * len(heard).
    """
    if not given or not heard:
        return []
    left, right = [normal(word) for word in given], [normal(word) for word in heard]
    return _without_strays(_aligned(_similarity(left, right)), left)


def _similarity(left: Sequence[str], right: Sequence[str]) -> Floats:
    """How alike words are, (len(left), len(right)): 1 the same, 0 not at all alike."""
    rows, row_of = np.unique(np.asarray(left, dtype=object), return_inverse=True)
    columns, column_of = np.unique(np.asarray(right, dtype=object), return_inverse=True)
    table = np.zeros((len(rows), len(columns)), dtype=np.float32)
    fuzzy = table.size <= _MOST_PAIRS
    for row, word in enumerate(rows):
        matcher = SequenceMatcher(autojunk=False, b=word)
        for column, other in enumerate(columns):
            if word == other:
                table[row, column] = bool(word)
            elif fuzzy and word and other and abs(len(word) - len(other)) <= len(word) // 2:
                matcher.set_seq1(other)
                if matcher.quick_ratio() >= _SIMILAR:
                    ratio = matcher.ratio()
                    table[row, column] = 0.6 * ratio if ratio >= _SIMILAR else 0.0
    return table[np.ix_(row_of, column_of)]


def _aligned(similarity: Floats) -> list[tuple[int, int]]:
    """The pairs of the path with the greatest sum of similarities."""
    rows, columns = similarity.shape
    moves = np.zeros((rows, columns), dtype=np.uint8)
    above = np.zeros(columns + 1)
    gaps = _GAP * np.arange(columns + 1)
    for row in range(rows):
        diagonal = above[:-1] + np.where(similarity[row] > 0, similarity[row], -1.0)
        up = above[1:] - _GAP
        best = np.concatenate([[above[0] - _GAP], np.maximum(diagonal, up)])
        # A step to the left costs a gap: its running maximum, with the gaps added back.
        through = np.maximum.accumulate(best + gaps) - gaps
        moves[row] = np.where(diagonal >= up, _DIAGONAL, _UP)
        moves[row][through[1:] > best[1:] + 1e-9] = _LEFT
        above = through
    return _backwards(moves, similarity)


def _backwards(moves: Ints, similarity: Floats) -> list[tuple[int, int]]:
    row, column = moves.shape[0] - 1, moves.shape[1] - 1
    pairs: list[tuple[int, int]] = []
    while row >= 0 and column >= 0:
        move = moves[row, column]
        if move == _DIAGONAL:
            if similarity[row, column] > 0:
                pairs.append((row, column))
            row, column = row - 1, column - 1
        elif move == _UP:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


def _without_strays(pairs: list[tuple[int, int]], words: Sequence[str]) -> list[tuple[int, int]]:
    kept = []
    for index, (given, heard) in enumerate(pairs):
        neighbours = (pairs[other] for other in (index - 1, index + 1) if 0 <= other < len(pairs))
        close = any(abs(given - g) <= 2 and abs(heard - h) <= 2 for g, h in neighbours)
        if close or len(words[given]) >= _LONG_WORD:
            kept.append((given, heard))
    return kept
