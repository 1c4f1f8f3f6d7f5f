"""What a film has told so far: no two of its scenes share more than half of their content words."""

from __future__ import annotations

from collections import Counter

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
        self._scenes: list[frozenset[str]] = []
        self._where: dict[str, list[int]] = {}

    def add(self, description: str) -> None:
        """Remembers a description."""
        words = content_words(description)
        for word in words:
            self._where.setdefault(word, []).append(len(self._scenes))
        self._scenes.append(words)
        self._texts.add(description)

    def has(self, description: str) -> bool:
        """Whether these very words were said."""
        return description in self._texts

    def is_new(self, description: str) -> bool:
        """Whether a description shares at most half of its content words with each other one."""
        mine = content_words(description)
        if len(mine) < _FEWEST_WORDS or description in self._texts:
            return False
        return all(
            2 * shared <= min(len(mine), len(self._scenes[at]))
            for at, shared in self._shared(mine).items()
        )

    def can_begin(self, sentence: str) -> bool:
        """Whether something new can be said that begins so: no scene is half in it already."""
        return all(
            2 * shared <= len(self._scenes[at])
            for at, shared in self._shared(content_words(sentence)).items()
        )

    def _shared(self, words: frozenset[str]) -> Counter[int]:
        """How many words each scene shares, by its number; scenes that share none are not there."""
        oldest = len(self._scenes) - _COMPARED
        shared: Counter[int] = Counter()
        for word in words:
            for at in reversed(self._where.get(word, ())):
                if at < oldest:
                    break
                shared[at] += 1
        return shared
