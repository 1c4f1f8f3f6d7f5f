"""What a film has told so far: no two of its scenes share more than half of their content words."""

from __future__ import annotations

import sys
from collections import deque

from soundsight_scenewriter.writing.wishes import content_words

# A single sentence needs this many content words to stand alone.
_FEWEST_WORDS = 4
# A film of more scenes than this is compared with its latest ones: nobody remembers the others.
_COMPARED = 200


class Told:
    """Remembers descriptions, and tells whether another one would repeat one of them.

    The share is taken of the shorter one, which is the stricter way.
    """

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._bits: dict[str, int] = {}
        self._scenes: deque[tuple[int, int]] = deque(maxlen=_COMPARED)
        """The latest scenes: the bits of their words, and how many those are. Bits, because a long
        film is compared with itself some ten million times."""

    def add(self, description: str) -> None:
        """Remembers a description."""
        words = content_words(description)
        for word in words:
            self._bits.setdefault(word, 1 << len(self._bits))
        self._scenes.append((self._known(words), len(words)))
        self._texts.add(description)

    def has(self, description: str) -> bool:
        """Whether these very words were said."""
        return description in self._texts

    def is_new(self, description: str) -> bool:
        """Whether a description shares at most half of its content words with each other one."""
        mine = content_words(description)
        if len(mine) < _FEWEST_WORDS or description in self._texts:
            return False
        return not self._half_in(mine, len(mine))

    def can_begin(self, sentence: str) -> bool:
        """Whether something new can be said that begins so: no scene is half in it already."""
        return not self._half_in(content_words(sentence), sys.maxsize)

    def _half_in(self, words: frozenset[str], most: int) -> bool:
        """Whether a scene has more of the words than half its own count, or than half of `most`."""
        known = self._known(words)
        for scene, size in self._scenes:
            if 2 * (known & scene).bit_count() > (size if size < most else most):
                return True
        return False

    def _known(self, words: frozenset[str]) -> int:
        """The bits of those words that were said before."""
        known = 0
        for word in words:
            known |= self._bits.get(word, 0)
        return known
