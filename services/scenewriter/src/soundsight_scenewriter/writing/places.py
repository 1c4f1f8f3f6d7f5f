"""The film's places, and which part of the song plays where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.song import Function, Section, Song
from soundsight_scenewriter.writing.film import Place
from soundsight_scenewriter.writing.vocabulary import PlaceWords, World
from soundsight_scenewriter.writing.wishes import content_words

MOST_PLACES = 4
# A song without a known structure changes its place about this often.
_STRAND_S = 24.0
_STRANDS = "ABACABDA"


@dataclass(frozen=True, slots=True)
class Strand:
    """A stretch of the song that plays in one place; strands of the same label share theirs."""

    label: str
    section_index: int
    occurrence: int
    start_s: float
    end_s: float


def has_structure(song: Song) -> bool:
    """Whether the song's sections tell where the film should go: at least two sound different."""
    return song.sections_found and len({part.label for part in song.sections}) > 1


def strands(song: Song) -> list[Strand]:
    """The song's sections; without a structure, stretches of some 24 s whose places return."""
    if has_structure(song):
        return [
            Strand(part.label, part.index, part.occurrence, part.start_s, part.end_s)
            for part in song.sections
        ]
    count = max(1, round(song.duration_s / _STRAND_S))
    edge = song.duration_s / count
    seen: dict[str, int] = {}
    made = []
    for index in range(count):
        label = _STRANDS[index % len(_STRANDS)]
        seen[label] = seen.get(label, 0) + 1
        middle_s = (index + 0.5) * edge
        section = max((part.index for part in song.sections if part.start_s <= middle_s), default=0)
        made.append(Strand(label, section, seen[label], index * edge, (index + 1) * edge))
    return made


def strand_at(parts: Sequence[Strand], time_s: float) -> int:
    """The index of the strand that a moment of the song lies in."""
    later = bisect_right([part.start_s for part in parts], time_s)
    return max(0, later - 1)


def main_label(song: Song, parts: Sequence[Strand]) -> str:
    """The label that the film returns to: the chorus, else the loudest that recurs."""
    choruses = [part.label for part in song.sections if part.function is Function.CHORUS]
    if choruses and has_structure(song):
        return max(set(choruses), key=lambda label: (choruses.count(label), label))

    def weight(label: str) -> tuple[float, str]:
        mine = [part for part in parts if part.label == label]
        length = sum(part.end_s - part.start_s for part in mine)
        energy = sum(
            _section(song, part).energy * (part.end_s - part.start_s) for part in mine
        ) / max(length, 1e-9)
        return energy * (1.5 if len(mine) > 1 else 1.0), label

    return max({part.label for part in parts}, key=weight)


def _section(song: Song, part: Strand) -> Section:
    return song.sections[part.section_index]


def place_of_labels(song: Song, parts: Sequence[Strand]) -> dict[str, int]:
    """Which place (counted from 0) each label plays in: the main label in place 0.

    Labels beyond the fourth share a place that none of their neighbours in the song has, if there
    is one, the least used first.
    """
    main = main_label(song, parts)
    lengths: dict[str, float] = {}
    for part in parts:
        lengths[part.label] = lengths.get(part.label, 0.0) + part.end_s - part.start_s
    others = sorted(
        (label for label in lengths if label != main), key=lambda label: (-lengths[label], label)
    )
    given = {main: 0}
    for label in others[: MOST_PLACES - 1]:
        given[label] = len(given)
    uses = [sum(1 for at in given.values() if at == index) for index in range(MOST_PLACES)]
    for label in others[MOST_PLACES - 1 :]:
        near = _neighbours(parts, label)
        taken = {given[other] for other in near if other in given}
        # Place 0 stays the main label's own.
        free = [at for at in range(1, MOST_PLACES) if at not in taken] or [1, 2, 3]
        chosen = min(free, key=lambda at: (uses[at], at))
        given[label] = chosen
        uses[chosen] += 1
    return given


def _neighbours(parts: Sequence[Strand], label: str) -> set[str]:
    near = set()
    for index, part in enumerate(parts):
        if part.label == label:
            near |= {other.label for other in parts[max(0, index - 1) : index + 2]}
    return near - {label}


def drives_of_places(
    song: Song, parts: Sequence[Strand], place_of: Mapping[str, int]
) -> list[float]:
    """How much the music drives at each place, 0 to 1, the mean over its strands."""
    sums = [[0.0, 0.0] for _ in range(max(place_of.values()) + 1)]
    for part in parts:
        section = song.sections[part.section_index]
        length = part.end_s - part.start_s
        drive = 0.5 * section.energy + 0.25 * (1.0 + section.arousal)
        sums[place_of[part.label]][0] += drive * length
        sums[place_of[part.label]][1] += length
    return [total / max(length, 1e-9) for total, length in sums]


def _described(description: str, setting: str, world: World) -> str:
    """A place in a caller's own setting says so: `the old harbour: long swell, no land`."""
    if setting == world.name or len(setting.split()) < 2:
        return description
    return f"{setting}: {description}"


def _suits(energy: tuple[float, float], drive: float) -> float:
    distance = max(energy[0] - drive, drive - energy[1], 0.0)
    return max(0.01, 1.0 - 6.0 * distance)


def make_places(
    drives: Sequence[float],
    ranked: Sequence[str],
    worlds: Mapping[str, World],
    banned: Set[str],
    dice: Dice,
    *,
    drawn_only: bool,
) -> list[Place]:
    """A film's places, one per drive: the first in its main setting, the others in the next ones.

    A place suits what is heard there: no calm bay for the loudest chorus. One that has a word of
    `banned` in it is taken only where there is no other.
    """
    # Three settings are enough for one film: more, and it falls apart.
    second, third = ranked[1:2] or ranked[:1], ranked[2:3] or ranked[:1]
    settings = [ranked[0], *second, *third, ranked[0]]
    decks: dict[str, list[PlaceWords]] = {}
    made = []
    for index, drive in enumerate(drives):
        setting = settings[index]
        world = worlds[setting]
        deck = decks.setdefault(world.name, list(world.places_for(drawn_only=drawn_only)))
        weights = [
            0.0
            if content_words(f"{place.name} {place.description}") & banned
            else _suits(place.energy, drive)
            for place in deck
        ]
        words = dice.weighted(deck, weights)
        deck.remove(words)
        made.append(
            Place(
                id=f"place-{index + 1}",
                name=words.name,
                setting=setting,
                description=_described(words.description, setting, world),
                place_seed=dice.child("seed", index).seed63(),
                world=world,
                actions=words.actions,
            )
        )
    return made
