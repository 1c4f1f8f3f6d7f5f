"""Texts of songs, briefs and models on their way into a prompt: data, whatever they say.

A prompt holds such texts between `<material>` and `</material>`. Nothing in them can end that
block, open a turn of the talk, or hide: brackets that templates are made of become other signs,
and invisible characters become spaces.
"""

from __future__ import annotations

import re
from typing import Final

from soundsight_scenewriter.texts import clean

# Control tokens of chat templates are made of these: <|im_start|>, </s>, [INST], <<SYS>>, {{...}}.
_SIGNS: Final = str.maketrans("<>[]{}|", "‹›()()/")
# Marks that start a block or a turn where a line begins, such as `### System:`.
_MARKS: Final = re.compile(r"(#{2,}|`{3,}|-{3,}|={3,}|\*{3,})")


def as_data(text: str, most_characters: int) -> str:
    """One line of visible characters that no template takes for more than words."""
    line = _MARKS.sub(" ", text.translate(_SIGNS))
    return clean(line, most_characters)


def quoted(text: str, most_characters: int) -> str:
    """The same between quotation marks that the text itself cannot close."""
    return f"“{as_data(text, most_characters).replace('“', chr(39)).replace('”', chr(39))}”"
