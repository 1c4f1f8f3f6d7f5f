"""A page as a tree of elements, so that no text of anybody can become markup.

The standard library's ElementTree writes the tree: it escapes every text and every attribute, and
there is no other way to put something on the page. A template library would escape by habit and
could be told not to, and the command line would need one more dependency.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None
"""What an element may hold; None holds nothing."""

_KEPT_CONTROLS = "\n\t"


def el(tag: str, *children: Child | Iterable[Child], **attributes: object) -> Element:
    """An element of HTML or SVG.

    Attributes are named as in Python: `class_`, `stroke_width`; those that are None, False or empty
    are left out, True stands for an attribute without a value of its own.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is None or value is False or value == "":
            continue
        text = "" if value is True else _number(value) if isinstance(value, float) else str(value)
        made.set(name.rstrip("_").replace("_", "-"), visible(text))
    for child in children:
        _put(made, child)
    return made


def _put(made: Element, child: Child | Iterable[Child]) -> None:
    if child is None:
        return
    if isinstance(child, Element):
        made.append(child)
    elif isinstance(child, str):
        if len(made):
            made[-1].tail = (made[-1].tail or "") + visible(child)
        else:
            made.text = (made.text or "") + visible(child)
    else:
        for one in child:
            _put(made, one)


def described(rows: Iterable[tuple[str, str | Element | None]]) -> Element:
    """A list of names and what they name; rows without anything to say are left out."""
    parts = [(name, told) for name, told in rows if told is not None and told != ""]
    return el(
        "dl", [one for name, told in parts for one in (el("dt", name), el("dd", told, dir="auto"))]
    )


def visible(text: str) -> str:
    """A text without control characters, which HTML does not allow."""
    return "".join(
        one if one in _KEPT_CONTROLS or unicodedata.category(one) not in ("Cc", "Cs") else "�"
        for one in text
    )


def html(root: Element) -> str:
    """The page."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _number(value: float) -> str:
    """A length or place with no more digits than a screen can show."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
