"""The model's prompts: files that a person can edit, and the language that texts are asked in."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

from soundsight_kit.languagemodel.prompts import Prompts

NAMES: Final = ("system", "treatment", "arc", "shots", "rewrite")
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
_ENGLISH = "English"


def read_prompts(folder: Path | None = None) -> Prompts:
    """The prompts of a folder; those that ship with the scene writer when none is named.

    Raises FileNotFoundError when the folder lacks one of them.
    """
    return Prompts(folder or files("soundsight_scenewriter.llm") / "prompts", NAMES)


def language_of(tag: str) -> str:
    """The language to write in: a BCP 47 tag as it was given, English for anything else."""
    return f"the language “{tag}”" if _TAG.fullmatch(tag) and not _is_english(tag) else _ENGLISH


def _is_english(tag: str) -> bool:
    return tag.lower() == "en" or tag.lower().startswith("en-")
