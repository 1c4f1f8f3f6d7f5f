"""The prompts: text files that can be edited, with a version that follows their content."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

NAMES: Final = ("system", "listen", "join", "merge", "whole")


class Prompts:
    """The prompts of a folder; those that ship with the analyzer when none is named."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises FileNotFoundError when the folder lacks one of them."""
        source = folder or files("soundsight_analyzer.concept") / "prompts"
        self._texts = {name: (source / f"{name}.md").read_text("utf-8").strip() for name in NAMES}
        whole = "\0".join(self._texts[name] for name in NAMES)
        self.version = hashlib.sha256(whole.encode()).hexdigest()[:8]

    def fill(self, prompt: str, /, **values: str) -> str:
        """A prompt with its `$names` filled in; what is not given stays as written."""
        return Template(self._texts[prompt]).safe_substitute(values)


def clock(seconds: float) -> str:
    """A moment as a person would say it: `1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
