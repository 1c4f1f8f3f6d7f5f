"""Texts from outside: songs' tags are cleaned, callers' wishes are checked."""

from __future__ import annotations

import unicodedata

from soundsight_kit.errors import InvalidArgument

_ALLOWED_CONTROLS = "\n\r\t"


def is_control(character: str) -> bool:
    """Whether a character is invisible and steers: control, format, private use, unassigned.

    The zero-width joiner and non-joiner belong to ordinary writing in many scripts.
    """
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") and character not in (
        "\u200c\u200d"
    )


def clean(text: str, most_characters: int) -> str:
    """One line of visible characters: what a file says about itself, made safe to show."""
    spaced = "".join(" " if is_control(character) else character for character in text)
    line = " ".join(spaced.split())
    return line if len(line) <= most_characters else line[: most_characters - 1].rstrip() + "…"


def check_text(text: str, field: str, most_characters: int) -> str:
    """A caller's text, trimmed.

    Raises InvalidArgument when it is too long or holds control characters.
    """
    if len(text) > most_characters:
        raise InvalidArgument(
            f"{field} has {len(text)} characters; at most {most_characters} are read. Shorten it.",
            field=field,
        )
    for character in text:
        if is_control(character) and character not in _ALLOWED_CONTROLS:
            raise InvalidArgument(
                f"{field} holds the control character U+{ord(character):04X}. Remove it.",
                field=field,
            )
    return " ".join(text.split())


def capitalised(text: str) -> str:
    """The text with its first letter large, the rest untouched."""
    return text[:1].upper() + text[1:]


def as_sentence(text: str) -> str:
    """The text as a sentence: first letter large, a full stop at the end."""
    body = capitalised(text.strip())
    return body if not body or body[-1] in ".!?…" else body + "."


def joined(words: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
