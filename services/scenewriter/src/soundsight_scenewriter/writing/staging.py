"""Stages each shot: camera, colours, fullness and movement.

The camera's move and size change at every cut; a place that returns is fuller each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.song import Song
from soundsight_scenewriter.writing.colour import Rgb
from soundsight_scenewriter.writing.film import Camera, Place, Staging
from soundsight_scenewriter.writing.intercutting import places_of_shots
from soundsight_scenewriter.writing.palette import grade
from soundsight_scenewriter.writing.places import Strand
from soundsight_scenewriter.writing.skies import Sky
from soundsight_scenewriter.writing.taste import nearest_mood
from soundsight_scenewriter.writing.vocabulary import (
    SIZES,
    CameraWord,
    Vocabulary,
)
from soundsight_scenewriter.writing.wishes import Understood

# How much a wish of the brief for a move, size or angle weighs against the music's own.
_WISHED = 6.0
_JUST_SEEN = 0.35
_DENSITY_PER_RETURN = 0.1
# Sections that differ by less than this (standard deviation) look alike, as they sound.
_LEAST_MOOD_SPREAD = 0.03
_LEAST_ENERGY_SPREAD = 0.06


@dataclass(frozen=True, slots=True)
class ShotMusic:
    """What the music does in one shot. `drive` and `energy` are 0 to 1."""

    strand_index: int
    section_index: int
    opens: bool
    drive: float
    energy: float


class CameraCrew:
    """Chooses the camera of each shot; neighbours differ in move and in size."""

    def __init__(self, tables: Vocabulary, dice: Dice) -> None:
        self._tables = tables
        self._dice = dice
        self._moves: list[str] = []
        self._sizes: list[str] = []
        self._angles: list[str] = []

    def next(self, drive: float, *, opens: bool, wish: Understood) -> Camera:
        """The camera of the next shot; the first of a section shows the place."""
        size = self._size(drive, opens=opens, wish=wish)
        move = self._move(drive, size, wish)
        angle = self._angle(drive, size, wish)
        self._moves.append(move)
        self._sizes.append(size)
        self._angles.append(angle)
        return Camera(move, size, angle, self._tables.sizes[size].lens_mm)

    def _size(self, drive: float, *, opens: bool, wish: Understood) -> str:
        words = [
            word
            for word in self._tables.sizes.values()
            if word.name not in self._sizes[-1:] and (not opens or "wide" in word.name)
        ]
        words = words or [w for w in self._tables.sizes.values() if w.name not in self._sizes[-1:]]
        weights = []
        for word in words:
            weight = word.weight * _fit(word, drive)
            if word.name in self._sizes[-2:]:
                weight *= _JUST_SEEN
            if wish.size_step:
                # One step closer or wider: the smaller or larger half of the scale.
                weight *= 2.0 ** (wish.size_step * (SIZES.index(word.name) - 2))
            weights.append(weight * (_WISHED if word.name == wish.size else 1.0))
        return self._dice.weighted(words, weights).name

    def _move(self, drive: float, size: str, wish: Understood) -> str:
        words = [
            word
            for word in self._tables.moves.values()
            if word.name not in self._moves[-1:] and size in word.sizes
        ]
        weights = [
            word.weight
            * _fit(word, drive)
            * (_JUST_SEEN if word.name in self._moves[-3:] else 1.0)
            * (_WISHED if word.name == wish.move else 1.0)
            for word in words
        ]
        return self._dice.weighted(words, weights).name

    def _angle(self, drive: float, size: str, wish: Understood) -> str:
        words = [
            word
            for word in self._tables.angles.values()
            # From the air there are no close-ups.
            if word.name != "aerial" or size in ("wide", "extreme_wide")
        ]
        weights = [
            word.weight
            * _fit(word, drive)
            * (_JUST_SEEN if word.name in self._angles[-1:] else 1.0)
            * (_WISHED if word.name == wish.angle else 1.0)
            for word in words
        ]
        return self._dice.weighted(words, weights).name


def _fit(word: CameraWord, drive: float) -> float:
    low, high = word.energy
    distance = max(low - drive, drive - high, 0.0)
    return max(0.03, 1.0 - 4.0 * distance)


def section_palette(
    song: Song, section_index: int, palette: Sequence[Rgb], *, graded: bool
) -> tuple[Rgb, ...]:
    """The film's palette as the section's mood tints it: glad is lighter and warmer, loud stronger.

    Moods are taken relative to the song's other sections, so that a film keeps its key and still
    moves, in songs of small contrasts too.
    """
    if not graded:
        return tuple(palette)
    valence = _standing(song, section_index, "valence", _LEAST_MOOD_SPREAD)
    energy = _standing(song, section_index, "energy", _LEAST_ENERGY_SPREAD)
    return grade(
        palette,
        lightness=_bounded(0.7 * valence + 0.5 * energy),
        chroma=_bounded(0.8 * energy),
        warmth=_bounded(valence),
    )


def _standing(song: Song, section_index: int, name: str, least_spread: float) -> float:
    """Where a section stands among all: 0 in the middle, 1 two standard deviations above."""
    values = np.array([float(getattr(section, name)) for section in song.sections])
    lengths = np.array([section.end_s - section.start_s for section in song.sections])
    lengths = np.maximum(lengths, 1e-9)
    mean = np.average(values, weights=lengths)
    spread = float(np.sqrt(np.average((values - mean) ** 2, weights=lengths)))
    return float(values[section_index] - mean) / (2.0 * max(spread, least_spread))


def _bounded(value: float) -> float:
    return min(1.0, max(-1.0, value))


def stage(
    song: Song,
    tables: Vocabulary,
    music: Sequence[ShotMusic],
    parts: Sequence[Strand],
    places: Sequence[Place],
    place_of: Mapping[str, int],
    sky_of: Sequence[Sky],
    palettes: Sequence[tuple[Rgb, ...]],
    wishes: Sequence[Understood],
    dice: Dice,
) -> list[Staging]:
    """Stages all shots in order. `palettes` are per section, `wishes` and `sky_of` per strand."""
    crew = CameraCrew(tables, dice.child("camera"))
    moods: dict[int, str] = {}
    staged = []
    shown = places_of_shots([shot.strand_index for shot in music], parts, places, place_of, sky_of)
    for shot, place in zip(music, shown, strict=True):
        part, wish = parts[shot.strand_index], wishes[shot.strand_index]
        section = song.sections[shot.section_index]
        sky = sky_of[shot.strand_index]
        if shot.strand_index not in moods:
            near = nearest_mood(
                tables, section.valence + wish.valence, section.arousal + wish.arousal
            )
            moods[shot.strand_index] = dice.child("mood", shot.strand_index).pick(near.words)
        density = 0.25 + 0.5 * shot.energy + _DENSITY_PER_RETURN * (part.occurrence - 1)
        staged.append(
            Staging(
                place=place,
                section_index=shot.section_index,
                occurrence=part.occurrence,
                opens_section=shot.opens,
                time=sky.time,
                weather=sky.weather,
                camera=crew.next(shot.drive, opens=shot.opens, wish=wish),
                palette=palettes[shot.section_index],
                mood=wish.mood or moods[shot.strand_index],
                density=_unit(density + dice.between(-0.06, 0.06) + wish.density),
                motion=_unit(0.1 + 0.85 * shot.drive + wish.motion),
                drive=shot.drive,
            )
        )
    return staged


def _unit(value: float) -> float:
    """Bounded to 0..1 and rounded, so that equal looks give equal clip keys."""
    return round(min(1.0, max(0.0, value)), 3)
