"""The licences page names what is not simply permissive."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PERMISSIVE = re.compile(r"apache|bsd|\bisc\b|\bmit\b|psf|zlib|cc0", re.IGNORECASE)
# Pinned for another system than Linux, and permissive (BSD).
ELSEWHERE = {"colorama"}
LOCK = (ROOT / "locks" / "runtime.txt").read_text()
PINNED = sorted(set(re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)) - ELSEWHERE)


def is_permissive(name: str) -> bool:
    """Judges by what a distribution says of itself: an expression, or classifiers and a text."""
    about = metadata.metadata(name)
    if "License-Expression" in about:
        return all(PERMISSIVE.search(term) for term in about["License-Expression"].split(" AND "))
    texts = [
        *(about.get_all("License") or []),
        *(line for line in about.get_all("Classifier") or [] if line.startswith("License ::")),
    ]
    return any(PERMISSIVE.search(text) for text in texts)


@pytest.mark.parametrize("name", PINNED)
def test_what_is_not_permissive_is_on_the_page(name: str) -> None:
    """Each library of the runtime is permissive by its own words, or docs/licences.md names it."""
    page = (ROOT / "docs" / "licences.md").read_text()
    named = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page) is not None
    assert named or is_permissive(name)
