"""Prompts: text files that a person can edit, with a version that follows their content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template


class Prompts:
    """The prompts `NAME.md` of a folder."""

    def __init__(self, source: Path | Traversable, names: Sequence[str]) -> None:
        """Raises FileNotFoundError when the folder lacks one of them."""
        self._texts = {name: (source / f"{name}.md").read_text("utf-8").strip() for name in names}
        whole = "\0".join(self._texts[name] for name in names)
        self.version = hashlib.sha256(whole.encode()).hexdigest()[:8]

    def fill(self, prompt: str, /, **values: str) -> str:
        """A prompt with its `$names` filled in; what is not given stays as written."""
        return Template(self._texts[prompt]).safe_substitute(values)


def missing_prompt(folder: Path, names: Sequence[str]) -> str:
    """The first prompt that a folder lacks; empty when it has all."""
    return next((f"{name}.md" for name in names if not (folder / f"{name}.md").is_file()), "")
