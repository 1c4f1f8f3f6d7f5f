"""One scene anew by the model after a person's note; time, handles, cues and all others stay."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from soundsight.scenewriter.v1 import storyboard_pb2 as pb
from soundsight_kit.languagemodel.answers import Unfit
from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.llm.answers import Choices, ShotAnswer, shot_schema
from soundsight_scenewriter.llm.asking import Asker, NoAnswer, Spent
from soundsight_scenewriter.llm.checks import describe, fault_of_shot
from soundsight_scenewriter.llm.material import treatment_lines
from soundsight_scenewriter.llm.prompting import language_of
from soundsight_scenewriter.llm.scenes import named_choices
from soundsight_scenewriter.llm.shots import choices_of, named, staged, tidied, words_of
from soundsight_scenewriter.llm.untrusted import as_data, quoted
from soundsight_scenewriter.moderation import Moderator
from soundsight_scenewriter.requests import RewriteOrder
from soundsight_scenewriter.writing.film import Place, Staging, Treatment
from soundsight_scenewriter.writing.prompts import compose_prompt
from soundsight_scenewriter.writing.rewriting import rewrite_scene, staging_of, write_onto
from soundsight_scenewriter.writing.taste import backend_worlds
from soundsight_scenewriter.writing.told import Told
from soundsight_scenewriter.writing.vocabulary import ELSEWHERE, Vocabulary, vocabulary
from soundsight_scenewriter.writing.wishes import Understood

_TOKENS = 320
_NOTE, _LINE = 2_000, 240
_TREATMENTS_PLACES = 8


async def rewrite_with_model(
    asker: Asker, order: RewriteOrder, moderator: Moderator
) -> tuple[pb.Scene, list[str]]:
    """The scene anew, and notes: what the rules had to do in the model's place.

    Raises Unavailable or FailedPrecondition, as `Endpoint.ask`, when nothing can be asked.
    """
    tables = vocabulary()
    old = staging_of(order.storyboard, order.scene, order.backend, tables)
    treatment = _treatment_of(order.storyboard, old, order, tables)
    choices = choices_of(treatment.places, treatment.cast, Understood(), tables)
    try:
        shot = await _ask(asker, order, treatment, choices, old, moderator)
    except (NoAnswer, Spent) as error:
        scene, notes = await asyncio.to_thread(
            rewrite_scene, order.storyboard, order.scene, order.note, order.backend, order.seed
        )
        return scene, [f"The rules rewrote the scene: {error}.", *notes]
    return _rewritten(order, shot, old, treatment, choices, tables), []


async def _ask(
    asker: Asker,
    order: RewriteOrder,
    treatment: Treatment,
    choices: Choices,
    old: Staging,
    moderator: Moderator,
) -> ShotAnswer:
    scenes = order.storyboard.scenes
    at = order.scene.index
    told = Told()
    for scene in scenes:
        if scene.id != order.scene.id:
            told.add(scene.description)

    def check(found: ShotAnswer) -> None:
        fault = fault_of_shot(
            tidied(found),
            places=choices.places,
            cast=choices.cast,
            banned=frozenset(),
            period=treatment.period,
            must_show="",
            told=told,
        )
        if fault:
            raise Unfit(as_data(fault, _LINE))

    values = {
        "treatment": treatment_lines(treatment),
        "before": as_data(scenes[at - 1].description, _LINE) if at > 0 else "none",
        "after": as_data(scenes[at + 1].description, _LINE) if at + 1 < len(scenes) else "none",
        "shot": _as_it_is(order.scene, treatment, old),
        "note": quoted(order.note or "show something else in the same place", _NOTE),
        "language": language_of(""),
        **named_choices(choices),
    }
    objection = ""
    for _ in range(2):
        shot = tidied(
            await asker.ask(
                "rewrite",
                values,
                ShotAnswer,
                shot_schema(choices),
                step="rewrite",
                answer_tokens=_TOKENS,
                objection=objection,
                check=check,
            )
        )
        (refused,) = await moderator.objections([describe(shot)])
        if not refused:
            return shot
        objection = f"That will not do: the moderation refuses it ({refused})."
    raise NoAnswer(f"the moderation refuses what the language model wrote ({refused})")


def _as_it_is(scene: pb.Scene, treatment: Treatment, old: Staging) -> str:
    place = next((place.name for place in treatment.places if place.id == scene.place_id), "")
    facts = [f"at {as_data(place, 60)}"] if place else []
    facts += [old.camera.size, old.camera.move, old.time, old.weather, as_data(old.mood, 40)]
    return f"{as_data(scene.description, _LINE)} ({', '.join(fact for fact in facts if fact)})"


def _treatment_of(
    storyboard: pb.Storyboard, old: Staging, order: RewriteOrder, tables: Vocabulary
) -> Treatment:
    """The storyboard's treatment, and where its places can be filmed."""
    told = storyboard.treatment
    settings = {
        scene.place_id: (scene.shot.setting, scene.shot.place_seed) for scene in storyboard.scenes
    }
    worlds = backend_worlds(tables, order.backend.settings)
    places = []
    for place in told.places[:_TREATMENTS_PLACES]:
        setting, seed = settings.get(place.id, (place.setting, place.place_seed))
        world = worlds.get(setting) or tables.worlds[ELSEWHERE].named(setting or "place")
        places.append(
            Place(
                place.id,
                as_data(place.name, 60),
                setting,
                as_data(place.description, 200),
                seed,
                world,
                world.places[0].actions,
            )
        )
    if old.place.id not in {place.id for place in places}:
        places.insert(0, replace(old.place, name=as_data(old.place.name, 60)))
    cast = tuple(
        CastMember(member.id, as_data(member.name, 60), member.look, member.wardrobe)
        for member in told.cast
    )
    return Treatment(
        title=told.title,
        logline=told.logline,
        theme=told.theme,
        look=told.look,
        period=told.period,
        palette=old.palette,
        places=tuple(places),
        cast=cast,
        motifs=tuple(told.motifs),
        arc=(),
    )


def _rewritten(
    order: RewriteOrder,
    shot: ShotAnswer,
    old: Staging,
    treatment: Treatment,
    choices: Choices,
    tables: Vocabulary,
) -> pb.Scene:
    places = {named(place): place for place in treatment.places}
    staging = staged(shot, old, places, choices, tables, None)
    if staging.place.id == old.place.id:
        staging = replace(staging, place=old.place)
    words = words_of(shot, treatment.cast)
    rewritten = pb.Scene()
    rewritten.CopyFrom(order.scene)
    write_onto(rewritten, order.scene, staging, old, words)
    rewritten.place_id = staging.place.id
    rewritten.seed = Dice(order.seed, "rewrite", order.scene.id, order.note).child("noise").seed63()
    rewritten.shot.prompt = compose_prompt(
        staging,
        words,
        look=treatment.look,
        period=treatment.period,
        cast={member.id: member for member in treatment.cast},
        backend=order.backend,
        tables=tables,
    )
    return rewritten
