"""The outline of a film: what it is about, where it plays, and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from soundsight_scenewriter.backend import Backend
from soundsight_scenewriter.brief import Brief
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.song import Song
from soundsight_scenewriter.texts import joined
from soundsight_scenewriter.writing.colour import Rgb
from soundsight_scenewriter.writing.conflicts import barred_members
from soundsight_scenewriter.writing.film import Place, Treatment
from soundsight_scenewriter.writing.palette import choose_palette, given_palette
from soundsight_scenewriter.writing.places import (
    Strand,
    drives_of_places,
    make_places,
    place_of_labels,
    strands,
)
from soundsight_scenewriter.writing.taste import (
    Taste,
    backend_worlds,
    choose_concept,
    rank_settings,
    taste,
)
from soundsight_scenewriter.writing.treatment import (
    write_arc,
    write_cast,
    write_logline,
    write_look,
    write_motifs,
    write_period,
    write_title,
)
from soundsight_scenewriter.writing.vocabulary import Concept, Vocabulary, World
from soundsight_scenewriter.writing.wanted import (
    Wanted,
    concept_notes,
    open_worlds,
    read_wishes,
)
from soundsight_scenewriter.writing.wishes import Understood


@dataclass(frozen=True, slots=True)
class Outline:
    """Everything that is decided before single scenes are."""

    treatment: Treatment
    concept: Concept
    parts: tuple[Strand, ...]
    place_of: Mapping[str, int]
    wanted: Wanted
    strand_wishes: tuple[Understood, ...]
    notes: tuple[str, ...]


def outline(song: Song, brief: Brief, backend: Backend, tables: Vocabulary, dice: Dice) -> Outline:
    """Decides what the film is about and writes its treatment."""
    wanted = read_wishes(brief, backend)
    notes = [*wanted.notes, *concept_notes(brief, song)]
    mood = taste(song, tables, wanted.overall)
    filmed = backend_worlds(tables, backend.settings)
    worlds = open_worlds(filmed, wanted, brief, backend, tables, notes)
    concept = choose_concept(tables, mood, worlds, dice.child("concept"))
    ranked = _with_must_worlds(
        rank_settings(tables, concept, mood, worlds, dice.child("settings")),
        worlds,
        filmed,
        wanted,
        notes,
    )
    parts = strands(song)
    place_of = place_of_labels(song, parts)
    places = make_places(
        drives_of_places(song, parts, place_of),
        ranked,
        worlds,
        wanted.banned_words,
        dice.child("places"),
        drawn_only=not backend.reads_words,
    )
    cast = write_cast(brief, concept, films_people=backend.reads_words)
    if not brief.cast and barred_members(cast, brief)[0]:
        cast = ()
    told = brief.story or (song.concept_summary if brief.reads_concept else "")
    treatment = Treatment(
        title=write_title(song, tables, concept, mood, concept.clock[-1], dice.child("title")),
        logline=write_logline(concept, places, told, dice.child("logline")),
        theme=concept.theme,
        look=write_look(tables, mood, brief.style, wanted.banned_words, dice.child("look")),
        period=write_period(tables, mood, dice.child("period")),
        palette=_palette(brief, tables, mood, wanted.overall, dice.child("palette")),
        places=tuple(places),
        cast=cast,
        motifs=write_motifs(concept, wanted.must_have, wanted.banned_words, dice.child("motifs")),
        arc=write_arc(
            song, tables, concept, parts, places, place_of, brief, brief.story, dice.child("arc")
        ),
    )
    return Outline(
        treatment=treatment,
        concept=concept,
        parts=tuple(parts),
        place_of=place_of,
        wanted=wanted,
        strand_wishes=_strand_wishes(song, parts, places, place_of, wanted, notes),
        notes=tuple(dict.fromkeys(notes)),
    )


def _palette(
    brief: Brief, tables: Vocabulary, mood: Taste, wish: Understood, dice: Dice
) -> tuple[Rgb, ...]:
    if brief.palette:
        return given_palette(brief.palette, tables)
    return choose_palette(
        tables,
        valence=mood.valence,
        arousal=mood.arousal,
        mode=mood.mode,
        families=mood.families,
        wish=wish,
        dice=dice,
    )


def _with_must_worlds(
    ranked: list[str],
    worlds: Mapping[str, World],
    filmed: Mapping[str, World],
    wanted: Wanted,
    notes: list[str],
) -> list[str]:
    """The film's settings with those that must be seen among the first."""
    for name in wanted.must_worlds:
        settings = [setting for setting, world in worlds.items() if world.name == name]
        if not settings and any(world.name == name for world in filmed.values()):
            notes.append(
                f"Must be seen, but lies outside of the setting that was asked for: {name}."
            )
        elif not settings:
            notes.append(f"Must be seen, but cannot be filmed by this backend: {name}.")
        elif settings[0] not in ranked[:2]:
            rest = [setting for setting in ranked[1:] if setting != settings[0]]
            ranked = [ranked[0], settings[0], *rest]
    return ranked


def _strand_wishes(
    song: Song,
    parts: Sequence[Strand],
    places: Sequence[Place],
    place_of: Mapping[str, int],
    wanted: Wanted,
    notes: list[str],
) -> tuple[Understood, ...]:
    """What was asked for each strand: by its section, for the whole film, or as a must-have sky."""
    wishes = [wanted.sections.get(part.section_index, wanted.overall) for part in parts]
    # A sky that must be seen once is seen where the song is loudest, the next one there after.
    open_to_sky = [
        at for at, part in enumerate(parts) if places[place_of[part.label]].world.has_sky
    ]
    loudest = sorted(
        open_to_sky, key=lambda at: (-song.sections[parts[at].section_index].energy, at)
    )
    for sky, at in zip(wanted.skies, loudest, strict=False):
        wishes[at] = replace(
            wishes[at], weather=sky.weather or wishes[at].weather, time=sky.time or wishes[at].time
        )
    for sky in wanted.skies[len(loudest) :]:
        what = joined([name for name in (sky.time, sky.weather) if name]).replace("_", " ")
        notes.append(f"Must be seen, but no section of the song is left to show it in: {what}.")
    return tuple(wishes)
