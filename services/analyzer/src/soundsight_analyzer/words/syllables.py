"""How long words take beside each other, and words spread over time by it.

Without a model that hears words, their number of syllables is all that says how a line divides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

Span = tuple[float, float]
"""Start and end, in seconds."""

_VOWELS = re.compile(r"[aeiouyаеёиоуыэюяαεηιουω]+")
_LETTERS_PER_SYLLABLE = 3


@lru_cache(maxsize=4096)
def syllables(word: str) -> int:
    """The number of syllables, at least 1: groups of vowels; ideographs and kana count each."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    letters = [char for char in plain if char.isalpha()]
    groups = len(_VOWELS.findall(plain))
    if groups > 1 and word.isascii() and re.search(r"[^aeiouyl]e\W*$", plain):
        groups -= 1  # the silent e of English and French
    if groups:
        return groups
    wide = sum(unicodedata.east_asian_width(char) == "W" for char in letters)
    return max(1, wide, -(-(len(letters) - wide) // _LETTERS_PER_SYLLABLE))


def spread(weights: Sequence[float], spans: Sequence[Span]) -> list[Span]:
    """Times of things one after the other, each as long as its weight says, over spans in order.

    What lies between the spans is skipped; nothing straddles a gap without starting before it.
    There must be a span of positive length.
    """
    lengths = np.asarray([end - start for start, end in spans])
    passed = np.concatenate([[0.0], np.cumsum(lengths)])
    edges = np.asarray([0.0, *accumulate(weights)])
    marks = edges * (passed[-1] / edges[-1])

    def at(mark: float, *, ending: bool) -> float:
        index = int(np.searchsorted(passed, mark, side="left" if ending else "right")) - 1
        index = min(max(index, 0), len(spans) - 1)
        return float(min(spans[index][0] + mark - passed[index], spans[index][1]))

    return [(at(start, ending=False), at(end, ending=True)) for start, end in pairwise(marks)]
