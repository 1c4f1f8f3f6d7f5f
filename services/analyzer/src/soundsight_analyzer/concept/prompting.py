"""The analyzer's prompts, and moments of a song in words."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from soundsight_kit.languagemodel.prompts import Prompts

NAMES: Final = ("system", "listen", "join", "merge", "whole")


def read_prompts(folder: Path | None = None) -> Prompts:
    """The prompts of a folder; those that ship with the analyzer when none is named.

    Raises FileNotFoundError when the folder lacks one of them.
    """
    return Prompts(folder or files("soundsight_analyzer.concept") / "prompts", NAMES)


def clock(seconds: float) -> str:
    """A moment as a person would say it: `1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
