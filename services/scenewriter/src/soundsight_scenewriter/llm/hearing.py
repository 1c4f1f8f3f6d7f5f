"""Progress with the model's own words: what it is saying, at a rate that people can read."""

from __future__ import annotations

import re
from collections.abc import Callable

from soundsight_scenewriter.llm.untrusted import as_data

_STEP_CHARACTERS = 60
_MOST_CHARACTERS = 160
# The last text for people in a JSON object that is still being written.
_LAST_TEXT = re.compile(
    r'"(?:title|logline|theme|look|description|subject|action|detail|so_far)"\s*:\s*'
    r'"((?:[^"\\]|\\.){8,})'
)


def last_words(content: str) -> str:
    """The last text in a piece of JSON that is still being written."""
    found = _LAST_TEXT.findall(content)
    if not found:
        return ""
    return as_data(found[-1].replace("\\n", " ").replace('\\"', "'"), _MOST_CHARACTERS)


class Hearing:
    """Tells what the model is saying whenever so much more has come."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told = 0

    def __call__(self, content: str) -> None:
        """Takes the answer's text so far; an answer that begins anew is heard anew."""
        if len(content) < self._told:
            self._told = 0
        if len(content) - self._told >= _STEP_CHARACTERS:
            self._told = len(content)
            words = last_words(content)
            if words:
                self._tell(words)
