"""Which shots show somebody who recurs, or something that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soundsight_scenewriter.backend import Backend
from soundsight_scenewriter.brief import Brief, CastMember
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.writing.concepts import Outline
from soundsight_scenewriter.writing.film import Staging
from soundsight_scenewriter.writing.vocabulary import Vocabulary

_SHARE_OF_FIGURES = 0.3
_FIGURE_SIZES = ("close_up", "medium", "wide")


@dataclass(frozen=True, slots=True)
class Role:
    """What a shot shows instead of the place: somebody, or a thing with what it does."""

    member: CastMember | None = None
    subject: str = ""
    action: str = ""


def cast_shots(
    staged: Sequence[Staging],
    line: Outline,
    brief: Brief,
    backend: Backend,
    tables: Vocabulary,
    dice: Dice,
) -> dict[int, Role]:
    """Roles by the index of their shot. Backends that only read fields have none."""
    if not backend.reads_words:
        return {}
    roles: dict[int, Role] = {}
    firsts: dict[int, int] = {}
    for index, staging in enumerate(staged):
        firsts.setdefault(staging.section_index, index)
    for section, wish in line.wanted.sections.items():
        if wish.unknown and section in firsts:
            roles[firsts[section]] = Role(subject=brief.section_wishes[section])
    left = [index for index in range(len(staged)) if index not in roles]
    free = [index for index in left if not staged[index].opens_section] or left
    for number, subject in enumerate(line.wanted.objects):
        if not free:
            break
        # Spread over the film, the first one early enough to be noticed.
        at = free[
            min(len(free) - 1, (2 * number + 1) * len(free) // (2 * len(line.wanted.objects)))
        ]
        free.remove(at)
        roles[at] = Role(subject=subject, action=dice.pick(tables.must_have_actions))
    barred = line.wanted.barred_cast
    cast = [member for member in line.treatment.cast if member.id not in barred]
    shown = 0
    for index in free:
        suits = staged[index].camera.size in _FIGURE_SIZES and index - 1 not in roles
        if cast and suits and dice.unit() < _SHARE_OF_FIGURES:
            roles[index] = Role(member=cast[shown % len(cast)])
            shown += 1
    if cast and not shown and free:
        roles[free[0]] = Role(member=cast[0])
    return roles
