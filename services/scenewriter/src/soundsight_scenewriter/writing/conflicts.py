"""Wishes that contradict each other: what must never be shown is always the stronger one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from soundsight_scenewriter.brief import Brief, CastMember
from soundsight_scenewriter.texts import clean
from soundsight_scenewriter.writing.wishes import content_words

_SHOWN_CHARACTERS = 60


def forbidding(text: str, never_show: Iterable[str]) -> str:
    """The entry of never_show that a text names; empty when there is none.

    An entry is named by a text that has all of its content words: `balloon` by `a red balloon`.
    """
    words = content_words(text)
    for entry in never_show:
        mine = content_words(entry)
        if mine and mine <= words:
            return entry
    return ""


def allowed_must_haves(brief: Brief) -> tuple[tuple[str, ...], list[str]]:
    """The must-haves that may be shown, and a note on each other one."""
    kept, notes = [], []
    for text in brief.must_have:
        entry = forbidding(text, brief.never_show)
        if entry:
            notes.append(
                f"must_have {_shown(text)} names what never_show forbids ({_shown(entry)}): it is "
                "not shown. Take it out of one of the two."
            )
        else:
            kept.append(text)
    return tuple(kept), notes


def barred_members(cast: Sequence[CastMember], brief: Brief) -> tuple[frozenset[str], list[str]]:
    """The ids of who looks like something that must never be shown, and a note on each."""
    barred, notes = set(), []
    for member in cast:
        entry = forbidding(f"{member.name} {member.look} {member.wardrobe}", brief.never_show)
        if entry:
            barred.add(member.id)
            notes.append(
                f"{_shown(member.name)} of the cast has something that never_show forbids "
                f"({_shown(entry)}): left out of the scenes. Change the look or never_show."
            )
    return frozenset(barred), notes


def style_notes(brief: Brief) -> list[str]:
    """Notes on free texts that name what must never be shown."""
    notes = []
    for name, text in (("style", brief.style), ("setting", brief.setting)):
        entry = forbidding(text, brief.never_show)
        if entry:
            notes.append(
                f"brief.{name} names what never_show forbids ({_shown(entry)}): the words stay as "
                "they were given, the thing is not shown on purpose."
            )
    return notes


def _shown(text: str) -> str:
    return repr(clean(text, _SHOWN_CHARACTERS))
