"""The rules writer: the whole film from a plan, by tables, arithmetic and seeded chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from soundsight_scenewriter.backend import Backend
from soundsight_scenewriter.brief import Brief
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.planning.pacing import intensity
from soundsight_scenewriter.planning.types import Plan
from soundsight_scenewriter.song import CurveName, Song, steps
from soundsight_scenewriter.texts import clean, joined
from soundsight_scenewriter.timeline import Timeline
from soundsight_scenewriter.writing.casting import cast_shots
from soundsight_scenewriter.writing.concepts import Outline, outline
from soundsight_scenewriter.writing.describing import Describer
from soundsight_scenewriter.writing.film import Film, FilmScene, Staging, Words
from soundsight_scenewriter.writing.places import Strand, has_structure, strand_at
from soundsight_scenewriter.writing.prompts import compose_prompt, negative_prompt
from soundsight_scenewriter.writing.skies import skies
from soundsight_scenewriter.writing.staging import ShotMusic, section_palette, stage
from soundsight_scenewriter.writing.vocabulary import vocabulary

_SAMPLES_PER_SHOT = 5
# Where sections are short, not each of them is opened by a view of its place.
_OPENING_EVERY_S = 10.0
_NOTED_CHARACTERS = 60


def film_dice(song: Song, seed: int) -> Dice:
    """The chance of one film: it depends on what the song is, or one seed would make one film."""
    return Dice(seed, "film", song.digest())


def write_outline(song: Song, brief: Brief, backend: Backend, seed: int) -> Outline:
    """Decides what the film is about and writes its treatment.

    The same arguments give the same outline; different songs give different ones.
    """
    return outline(song, brief, backend, vocabulary(), film_dice(song, seed))


def write_scenes(
    song: Song,
    timeline: Timeline,
    plan: Plan,
    line: Outline,
    brief: Brief,
    backend: Backend,
    seed: int,
) -> Film:
    """Writes the scenes of an outlined film, one per take of the plan."""
    tables = vocabulary()
    dice = film_dice(song, seed)
    music = listen(song, timeline, plan, line.parts)
    staged = _stage(song, line, music, brief, dice)
    describer = Describer(
        tables,
        dice.child("words"),
        drawn_only=not backend.reads_words,
        banned=line.wanted.banned_words,
    )
    parts_played = cast_shots(staged, line, brief, backend, tables, dice.child("cast"))
    told: list[Words] = []
    for index, staging in enumerate(staged):
        role = parts_played.get(index)
        if role is not None and role.member is not None:
            told.append(describer.figure(staging, role.member))
        elif role is not None:
            told.append(describer.given(staging, role.subject, role.action))
        elif staging.opens_section:
            told.append(describer.opening(staging))
        else:
            told.append(describer.shot(staging))

    used = {staging.place.id for staging in staged}
    places = tuple(place for place in line.treatment.places if place.id in used)
    treatment = replace(line.treatment, places=places)
    cast = {member.id: member for member in treatment.cast}
    negative = negative_prompt(brief.never_show, backend, tables)
    scenes = []
    for index, take in enumerate(plan.takes):
        staging, words = staged[take.shot_index], told[take.shot_index]
        if take.take_index > 0:
            words = describer.take(staging, words)
        prompt = compose_prompt(
            staging,
            words,
            look=treatment.look,
            period=treatment.period,
            cast=cast,
            backend=backend,
            tables=tables,
        )
        scene_seed = dice.child("noise", index).seed63()
        scenes.append(FilmScene(staging, words, prompt, negative, scene_seed))
    notes = [*line.notes, *_unseen(told, line, brief, backend)]
    return Film(treatment, tuple(scenes), tuple(dict.fromkeys(notes)))


def _unseen(told: Sequence[Words], line: Outline, brief: Brief, backend: Backend) -> list[str]:
    """Notes on what was asked for and found no shot: films may be shorter than their wishes."""
    if not backend.reads_words:
        return []
    subjects = {words.subject for words in told}
    seen = {one for words in told for one in words.cast_ids}
    wished = [
        brief.section_wishes[index] for index, wish in line.wanted.sections.items() if wish.unknown
    ]
    missed = [text for text in (*line.wanted.objects, *wished) if text not in subjects]
    missed += [
        member.name
        for member in line.treatment.cast
        if member.id not in seen | line.wanted.barred_cast
    ]
    if not missed:
        return []
    shown = [clean(text, _NOTED_CHARACTERS) for text in missed]
    return [f"The film has too few shots to show all that was asked for: {joined(shown)}."]


def write_film(
    song: Song, timeline: Timeline, plan: Plan, brief: Brief, backend: Backend, seed: int
) -> Film:
    """Writes a whole film: its outline, then its scenes."""
    line = write_outline(song, brief, backend, seed)
    return write_scenes(song, timeline, plan, line, brief, backend, seed)


def listen(song: Song, timeline: Timeline, plan: Plan, parts: Sequence[Strand]) -> list[ShotMusic]:
    """What the music does in each shot: how much it drives, and how loud it is."""
    starts = np.array([shot.start_frame for shot in plan.shots]) * timeline.frame_s
    ends = np.array([shot.end_frame for shot in plan.shots]) * timeline.frame_s
    ways = (steps(_SAMPLES_PER_SHOT, 1.0) + 0.5) / _SAMPLES_PER_SHOT
    times = (starts[:, None] + (ends - starts)[:, None] * ways).astype(np.float64)
    drives = intensity(song, times.ravel()).reshape(times.shape).mean(axis=1)
    curve = song.curves.get(CurveName.ENERGY)
    opener = _Opener()
    music: list[ShotMusic] = []
    for index, shot in enumerate(plan.shots):
        section = song.sections[shot.section_index]
        middle_s = float(times[index, _SAMPLES_PER_SHOT // 2])
        if has_structure(song):
            # The planner's own sections, whose starts lie on the pulse.
            strand = shot.section_index
        else:
            strand = strand_at(parts, middle_s)
        energy = float(curve.at(times[index]).mean()) if curve else section.energy
        music.append(
            ShotMusic(
                strand_index=strand,
                section_index=shot.section_index,
                opens=opener.opens(strand, parts[strand].label, float(starts[index])),
                drive=float(drives[index]),
                energy=energy,
            )
        )
    return music


class _Opener:
    """Decides which shots show where the film is: at every new place, then not too often."""

    def __init__(self) -> None:
        self._strand = -1
        self._shown: dict[str, float] = {}
        self._latest_s = -_OPENING_EVERY_S

    def opens(self, strand: int, label: str, start_s: float) -> bool:
        """Whether the shot that starts then is an opening one; called for all shots in order."""
        changed = strand != self._strand
        self._strand = strand
        waited = start_s - self._latest_s >= _OPENING_EVERY_S
        if not changed or not (waited or label not in self._shown):
            return False
        self._latest_s = self._shown[label] = start_s
        return True


def _stage(
    song: Song, line: Outline, music: Sequence[ShotMusic], brief: Brief, dice: Dice
) -> list[Staging]:
    tables = vocabulary()
    sky_of = skies(
        song,
        line.parts,
        line.treatment.places,
        line.place_of,
        line.concept,
        line.strand_wishes,
        line.wanted.banned,
    )
    palettes = [
        section_palette(song, section.index, line.treatment.palette, graded=not brief.palette)
        for section in song.sections
    ]
    return stage(
        song,
        tables,
        music,
        line.parts,
        line.treatment.places,
        line.place_of,
        sky_of,
        palettes,
        line.strand_wishes,
        dice.child("staging"),
    )
