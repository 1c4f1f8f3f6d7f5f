"""Shader sources as package data, and the one rule by which they include each other."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import resources

_INCLUDE = re.compile(r'^#include "([\w./-]+)"$', re.MULTILINE)


def shader_source(name: str, switches: Collection[str] = ()) -> str:
    """The text of a shader with its `#include "file"` lines replaced by the files' texts.

    Each switch is defined for the preprocessor. llvmpipe runs both sides of every branch, so what
    a scene does not need has to be left out of its shader, not skipped.
    Names are relative to this package. Raises FileNotFoundError for a name that is not there.
    """
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    text = _INCLUDE.sub(lambda found: shader_source(found[1]), text)
    if not switches:
        return text
    version, rest = text.split("\n", 1)
    return "\n".join([version, *(f"#define {switch}" for switch in sorted(switches)), rest])
