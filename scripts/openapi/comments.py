"""The comments of the contracts as Markdown, told in the names that JSON has for fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import descriptor_pb2

_CODE = re.compile(r"`[^`\n]+`(?! in the metadata)")
"""Code in a comment. Keys of an error's metadata are not fields: they keep their spelling."""
_SNAKE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+")
_SENTENCE = re.compile(r"(.+?)\.(?:\s+|$)(.*)", re.DOTALL)
_INDENT: Final = "   "
"""What begins the lines of a drawing: they are kept as they are."""


class Comments:
    """The comments of compiled files.

    Args:
        files: compiled with source info. Files of others, such as Google's, count for their names
            alone.
    """

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self._json_names: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        for file in files.file:
            for message in file.message_type:
                self._learn(message)
        for file in files.file:
            if file.package.startswith("soundsight."):
                for place in file.source_code_info.location:
                    name = _full_name(file, place.path)
                    if name and place.leading_comments:
                        self._texts[name] = self.in_json(_markdown(place.leading_comments))

    def of(self, full_name: str) -> str:
        """The comment at what has this name: a value of an enum by the enum's name and its own.

        Raises KeyError where there is none.
        """
        return self._texts[full_name]

    def in_json(self, text: str) -> str:
        """A text with the fields that stand in it as code, `page_size`, spelled as JSON has it."""

        def respelled(code: re.Match[str]) -> str:
            return _SNAKE.sub(lambda word: self._json_names.get(word[0], word[0]), code[0])

        return _CODE.sub(respelled, text)

    def _learn(self, message: descriptor_pb2.DescriptorProto) -> None:
        self._json_names |= {field.name: field.json_name for field in message.field}
        for nested in message.nested_type:
            self._learn(nested)


def summary(text: str) -> str:
    """The first sentence of a comment, without its full stop."""
    return _parts(text)[0]


def details(text: str) -> str:
    """What follows the first sentence of a comment; may be empty."""
    return _parts(text)[1]


def _parts(text: str) -> tuple[str, str]:
    found = _SENTENCE.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _full_name(file: descriptor_pb2.FileDescriptorProto, path: Iterable[int]) -> str:
    """What a source location is about: its full name, or nothing for what has no name.

    A path is made of pairs: a field's number in a descriptor, and the place in that list.
    """
    numbers, names = list(path), [file.package]
    place: Any = file
    while len(numbers) >= 2:
        field = place.DESCRIPTOR.fields_by_number[numbers.pop(0)]
        held = getattr(place, field.name)
        if not field.is_repeated or field.message_type is None:
            return ""
        place = held[numbers.pop(0)]
        names.append(getattr(place, "name", ""))
    return ".".join(names) if not numbers and all(names) else ""


def _markdown(comment: str) -> str:
    """The paragraphs of a comment, each on one line; drawings as blocks of code."""
    blocks = (block.splitlines() for block in re.split(r"\n\s*\n", comment.rstrip()))
    return "\n\n".join(_block(lines) for lines in blocks)


def _block(lines: list[str]) -> str:
    if all(line.startswith(_INDENT) for line in lines):
        return "\n".join(("```", *(line.removeprefix(_INDENT) for line in lines), "```"))
    return " ".join(line.strip() for line in lines)
