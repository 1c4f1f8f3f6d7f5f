"""The licences page names what is not simply permissive."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PERMISSIVE = re.compile(r"apache|bsd|isc|mit|psf|python software foundation|zlib|cc0", re.IGNORECASE)
PINNED = sorted(set(re.findall(r"^([\w.-]+)==", (ROOT / "locks/runtime.txt").read_text(), re.M)))


def declared_licences(name: str) -> list[str]:
    """What a distribution says of itself: an expression, a free text, or classifiers."""
    about = metadata.metadata(name)
    classifiers = about.get_all("Classifier") or []
    free_text = (about.get("License") or "").split("\n")[0]
    return [
        text
        for text in (
            *re.split(r" AND ", about.get("License-Expression") or ""),
            *(line.split(" :: ")[-1] for line in classifiers if line.startswith("License ::")),
            "" if free_text == "UNKNOWN" else free_text,
        )
        if text and text != "OSI Approved"
    ]


@pytest.mark.parametrize("name", PINNED)
def test_what_is_not_permissive_is_on_the_page(name: str) -> None:
    """Each library the suite runs on is permissive by its own words, or docs/licences.md names it."""
    try:
        licences = declared_licences(name)
    except metadata.PackageNotFoundError:
        # Pinned for another system than this one.
        assert name in {"colorama"}
        return
    page = (ROOT / "docs" / "licences.md").read_text()
    named = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page) is not None
    assert named or any(PERMISSIVE.search(licence) for licence in licences), licences
