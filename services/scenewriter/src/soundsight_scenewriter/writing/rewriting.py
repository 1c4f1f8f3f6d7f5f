"""Rewrites one scene after a person's note: its words, its shot and its seed, nothing else."""

from __future__ import annotations

from dataclasses import replace

from soundsight.scenewriter.v1 import storyboard_pb2 as pb
from soundsight.videogen.v1 import shot_pb2
from soundsight_scenewriter.backend import Backend
from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.messages import (
    camera_message,
    colour_messages,
    time_of_day,
    weather,
)
from soundsight_scenewriter.texts import as_sentence, joined
from soundsight_scenewriter.writing.colour import Rgb, to_lch, to_rgb
from soundsight_scenewriter.writing.describing import Describer
from soundsight_scenewriter.writing.film import Camera, Place, Staging, Words
from soundsight_scenewriter.writing.palette import GRADE_CHROMA, GRADE_LIGHTNESS, grade, named
from soundsight_scenewriter.writing.prompts import compose_prompt
from soundsight_scenewriter.writing.taste import backend_worlds
from soundsight_scenewriter.writing.vocabulary import (
    ELSEWHERE,
    SIZES,
    TIMES,
    WEATHERS,
    Vocabulary,
    World,
    vocabulary,
)
from soundsight_scenewriter.writing.wishes import Understood, understand

# A note about light is meant to be seen: it moves more than the film's own grades do.
_LIGHT_GAIN = 1.3


def rewrite_scene(
    storyboard: pb.Storyboard, scene: pb.Scene, note: str, backend: Backend, seed: int
) -> tuple[pb.Scene, list[str]]:
    """The scene written anew, and notes on what was not understood.

    Time, handles, transition, cues, id and place in the film stay. An empty note asks for another
    version of the same scene. `scene` is one of the storyboard's.
    """
    tables = vocabulary()
    dice = Dice(seed, "rewrite", scene.id, note)
    wish = understand(note)
    notes: list[str] = []
    rewritten = pb.Scene()
    rewritten.CopyFrom(scene)

    old = staging_of(storyboard, scene, backend, tables)
    moved = _moved_to(wish, old.place, backend, tables, dice, notes)
    staging = _restaged(old, wish, moved or old.place)
    describer = Describer(tables, dice.child("words"), drawn_only=not backend.reads_words)
    describer.remember(other.description for other in storyboard.scenes)
    treatment = storyboard.treatment
    cast = {
        member.id: CastMember(member.id, member.name, member.look, member.wardrobe)
        for member in treatment.cast
    }
    known = tuple(member for member in scene.cast_ids if member in cast)
    words = Words(scene.shot.subject, scene.shot.action, "", "", known)
    if moved is not None or not note or not words.subject:
        words = replace(describer.shot(staging), cast_ids=())
    else:
        about = "weather" if staging.weather != old.weather else ""
        about = about or ("time" if staging.time != old.time else "")
        words = describer.retell(staging, words, about if staging.place.world.has_sky else "")
    words = _with_additions(words, wish, backend, notes)
    _note_unknown(wish, notes)

    write_onto(rewritten, scene, staging, old, words)
    rewritten.place_id = "" if moved is not None else scene.place_id
    rewritten.seed = dice.child("noise").seed63()
    rewritten.shot.prompt = compose_prompt(
        staging,
        words,
        look=treatment.look,
        period=treatment.period,
        cast=cast,
        backend=backend,
        tables=tables,
    )
    return rewritten, notes


def _name(value: int, names: tuple[str, ...], fallback: str) -> str:
    """The table's name of an enum's value, which counts from 1 in the same order as the table."""
    return names[value - 1] if 1 <= value <= len(names) else fallback


def staging_of(
    storyboard: pb.Storyboard, scene: pb.Scene, backend: Backend, tables: Vocabulary
) -> Staging:
    """The scene as it is staged now; what it leaves to the backend gets a middling value."""
    shot = scene.shot
    place = next(
        (place for place in storyboard.treatment.places if place.id == scene.place_id), None
    )
    world = _world(shot.setting, backend, tables)
    size = shot_pb2.ShotSize.Name(shot.camera.size).removeprefix("SHOT_SIZE_").lower()
    move = shot_pb2.CameraMove.Name(shot.camera.move).removeprefix("CAMERA_MOVE_").lower()
    angle = shot_pb2.CameraAngle.Name(shot.camera.angle).removeprefix("CAMERA_ANGLE_").lower()
    return Staging(
        place=Place(
            id=scene.place_id,
            name=_lowered(place.name) if place else world.places[0].name,
            setting=shot.setting,
            description=_lowered(place.description) if place else world.places[0].description,
            place_seed=shot.place_seed,
            world=world,
            actions=world.places[0].actions,
        ),
        section_index=scene.section_index,
        occurrence=1,
        opens_section=False,
        time=_name(shot.time_of_day, TIMES, "dusk"),
        weather=_name(shot.weather, WEATHERS, "clear"),
        camera=Camera(
            move if move in tables.moves else "static",
            size if size in tables.sizes else "medium",
            angle if angle in tables.angles else "eye_level",
            shot.camera.lens_mm,
        ),
        palette=tuple(
            Rgb(colour.red, colour.green, colour.blue, colour.name) for colour in shot.palette
        ),
        mood=shot.mood,
        density=shot.density,
        motion=shot.motion,
        drive=min(1.0, max(0.0, (shot.motion - 0.1) / 0.85)),
    )


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _world(setting: str, backend: Backend, tables: Vocabulary) -> World:
    worlds = backend_worlds(tables, [setting] if setting else backend.settings)
    return next(iter(worlds.values()), tables.worlds[ELSEWHERE].named(setting))


def _moved_to(
    wish: Understood,
    place: Place,
    backend: Backend,
    tables: Vocabulary,
    dice: Dice,
    notes: list[str],
) -> Place | None:
    """Another place, when the note names one that the backend can film."""
    wanted = [name for name in wish.worlds if name != place.world.name]
    if not wanted or place.world.name in wish.worlds:
        return None
    for setting, world in backend_worlds(tables, backend.settings).items():
        if world.name == wanted[0]:
            words = dice.child("place").pick(world.places_for(drawn_only=not backend.reads_words))
            return Place(
                id="",
                name=words.name,
                setting=setting,
                description=words.description,
                place_seed=dice.child("place seed").seed63(),
                world=world,
                actions=words.actions,
            )
    notes.append(f"This backend cannot film {wanted[0]}: the place stays.")
    return None


def _restaged(old: Staging, wish: Understood, place: Place) -> Staging:
    sizes = SIZES.index(old.camera.size) + wish.size_step
    size = wish.size or SIZES[min(len(SIZES) - 1, max(0, sizes))]
    time, sky = wish.time or old.time, wish.weather or old.weather
    if time in wish.not_times:
        time = next((name for name in TIMES if name not in wish.not_times), time)
    if sky in wish.not_weathers:
        sky = next((name for name in WEATHERS if name not in wish.not_weathers), sky)
    tables = vocabulary()
    lens = tables.sizes[size].lens_mm if size != old.camera.size else old.camera.lens_mm
    motion = _unit(old.motion + wish.motion)
    return replace(
        old,
        place=place,
        time=time,
        weather=sky,
        camera=Camera(wish.move or old.camera.move, size, wish.angle or old.camera.angle, lens),
        palette=_recoloured(old.palette, wish, tables),
        mood=wish.mood or old.mood,
        density=_unit(old.density + wish.density),
        motion=motion,
        drive=min(1.0, max(0.0, (motion - 0.1) / 0.85)),
    )


def _unit(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 3)


def _recoloured(palette: tuple[Rgb, ...], wish: Understood, tables: Vocabulary) -> tuple[Rgb, ...]:
    """The shot's colours after a note about light or colour."""
    if not palette:
        return palette
    colours = palette
    if wish.lightness or wish.chroma or wish.warmth:
        colours = grade(
            colours,
            lightness=_LIGHT_GAIN * wish.lightness / GRADE_LIGHTNESS,
            chroma=wish.chroma / GRADE_CHROMA,
            warmth=2.0 * wish.warmth,
        )
    if not wish.colours:
        return colours
    shades = [to_lch(colour) for colour in colours]
    for wished in wish.colours[: len(shades)]:
        nearest = min(
            range(len(shades)), key=lambda at: abs(shades[at].lightness - wished.lch.lightness)
        )
        shades[nearest] = wished.lch
    shades.sort(key=lambda shade: to_lch(to_rgb(shade)).lightness)
    return named(shades, tables)


def _with_additions(words: Words, wish: Understood, backend: Backend, notes: list[str]) -> Words:
    """What the rules do not know goes into the words where they are read."""
    if not wish.unknown_clauses:
        return words
    asked = joined(wish.unknown_clauses)
    if not backend.reads_words:
        notes.append(f"This backend draws from fields and cannot show: {asked}.")
        return words
    added = as_sentence(f"in the frame: {asked}")
    return replace(
        words,
        detail=f"{words.detail} {added}".strip(),
        description=f"{words.description} {added}",
    )


def _note_unknown(wish: Understood, notes: list[str]) -> None:
    if wish.unknown:
        notes.append(f"Not understood by the rules: {joined(wish.unknown)}.")


def write_onto(
    rewritten: pb.Scene, scene: pb.Scene, staging: Staging, old: Staging, words: Words
) -> None:
    """Puts what changed into the message; what the scene left to the backend stays so."""
    shot = rewritten.shot
    rewritten.description = words.description
    shot.subject, shot.action = words.subject, words.action
    shot.mood = staging.mood
    shot.density, shot.motion = staging.density, staging.motion
    if staging.time != old.time:
        shot.time_of_day = time_of_day(staging.time)
    if staging.weather != old.weather:
        shot.weather = weather(staging.weather)
    if staging.camera != old.camera:
        shot.camera.CopyFrom(camera_message(staging.camera))
    if staging.palette != old.palette:
        del shot.palette[:]
        shot.palette.extend(colour_messages(staging.palette))
    if staging.place is not old.place:
        shot.setting, shot.place_seed = staging.place.setting, staging.place.place_seed
    del rewritten.cast_ids[:]
    rewritten.cast_ids.extend(words.cast_ids)
