"""The language model's writer: from a plan to a film, with the rules' film under it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight_kit.errors import FailedPrecondition, SoundsightError, Unavailable
from soundsight_kit.languagemodel.endpoint import Endpoint, EndpointSettings, Usage
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.llm.asking import (
    DEFAULT_CONTEXT_TOKENS,
    WORDING,
    Asker,
    Limits,
    NoAnswer,
    Spent,
)
from soundsight_scenewriter.llm.checks import describe
from soundsight_scenewriter.llm.hearing import Hearing
from soundsight_scenewriter.llm.prompting import read_prompts
from soundsight_scenewriter.llm.rewriting import rewrite_with_model
from soundsight_scenewriter.llm.scenes import SceneWriting, Written
from soundsight_scenewriter.llm.shots import named, staged, words_of
from soundsight_scenewriter.llm.treatments import write_arc, write_treatment
from soundsight_scenewriter.moderation import Moderator, treatment_text
from soundsight_scenewriter.planning.types import Plan
from soundsight_scenewriter.requests import ModelUse, RewriteOrder, WriteOrder
from soundsight_scenewriter.storyboards import Report
from soundsight_scenewriter.writing.concepts import Outline
from soundsight_scenewriter.writing.describing import Describer
from soundsight_scenewriter.writing.film import Film, FilmScene
from soundsight_scenewriter.writing.prompts import compose_prompt
from soundsight_scenewriter.writing.rewriting import rewrite_scene
from soundsight_scenewriter.writing.rules import film_dice, write_outline, write_scenes
from soundsight_scenewriter.writing.vocabulary import vocabulary

if TYPE_CHECKING:
    from soundsight_scenewriter.settings import SceneWriterSettings

_TREATMENTS = 2
"""How often a treatment is asked for when the moderation refuses it."""
_SHARE_OF_DEADLINE = 0.9
"""So much of a caller's time the model may take; the rest is for what comes after."""
_NO_CONCEPT = "The analysis has no concept of an audio model: the film is written from labels."
_MOST_REASONS = 8
_MOST_NAMED = 6


@dataclass(frozen=True)
class _Composed:
    """A film, and whether any of it is the model's."""

    film: Film
    by_model: bool


class ModelWriter:
    """Writes films with the model that the settings name."""

    def __init__(self, settings: SceneWriterSettings) -> None:
        """Reads the prompts; raises FileNotFoundError when one is missing."""
        key = settings.llm_api_key
        self._endpoint = EndpointSettings(
            url=settings.llm_url,
            model=settings.llm_model,
            api_key=key.get_secret_value() if key else "",
            request_timeout_s=settings.llm_request_timeout_s,
            attempts=settings.llm_attempts,
        )
        self._prompts = read_prompts(settings.llm_prompts)
        self._settings = settings

    @property
    def model(self) -> str:
        """The model's name."""
        return self._endpoint.model

    @property
    def prompt_version(self) -> str:
        """Names the prompts' content."""
        return self._prompts.version

    async def write(
        self,
        order: WriteOrder,
        planned: Plan,
        moderator: Moderator,
        report: Report,
        remaining_s: float | None,
    ) -> tuple[Film, bool]:
        """The film, and whether any of it is the model's; notes say what is not.

        Args:
            order: what is asked for.
            planned: where the video is cut.
            moderator: looks at what the model writes.
            report: gets (stage, done, total, message).
            remaining_s: seconds that the caller still waits, if that is bounded.

        Raises:
            Unavailable, FailedPrecondition: LANGUAGE_MODEL_..., when the model cannot be asked and
                the order insists on it.
        """
        report("treatment", 0, 1, "")
        try:
            async with Endpoint(self._endpoint, WORDING) as endpoint:
                asker = await self._asker(endpoint, film_dice(order.song, order.seed), remaining_s)
                composed = await _FilmWriting(order, planned, asker, moderator, report).film()
                notes = (*composed.film.notes, _cost(endpoint.usage))
                return replace(composed.film, notes=notes), composed.by_model
        except (Unavailable, FailedPrecondition) as error:
            if order.model_use is ModelUse.REQUIRED or not error.reason.startswith("LANGUAGE_"):
                raise
            note = f"The rules wrote the film: {error.message}."
        film = await asyncio.to_thread(_rules_film, order, planned)
        return replace(film, notes=(*film.notes, note)), False

    async def rewrite(
        self, order: RewriteOrder, moderator: Moderator, remaining_s: float | None
    ) -> tuple[storyboard_pb2.Scene, list[str]]:
        """One scene anew, and notes; raises as `write` does."""
        try:
            async with Endpoint(self._endpoint, WORDING) as endpoint:
                dice = Dice(order.seed, "rewrite by model", order.scene.id, order.note)
                asker = await self._asker(endpoint, dice, remaining_s)
                return await rewrite_with_model(asker, order, moderator)
        except (Unavailable, FailedPrecondition) as error:
            if order.model_use is ModelUse.REQUIRED or not error.reason.startswith("LANGUAGE_"):
                raise
            reason = error
        return await _rewrite_by_rules(order, reason)

    async def _asker(self, endpoint: Endpoint, dice: Dice, remaining_s: float | None) -> Asker:
        said = await endpoint.check()
        settings = self._settings
        time_s = settings.llm_timeout_s
        if remaining_s is not None:
            time_s = min(time_s, remaining_s * _SHARE_OF_DEADLINE)
        limits = Limits(
            context_tokens=settings.llm_context_tokens or said or DEFAULT_CONTEXT_TOKENS,
            most_tokens=settings.llm_most_tokens,
            until=asyncio.get_running_loop().time() + time_s,
            temperature=settings.llm_temperature,
        )
        return Asker(endpoint, self._prompts, limits, dice)


async def _rewrite_by_rules(
    order: RewriteOrder, reason: SoundsightError
) -> tuple[storyboard_pb2.Scene, list[str]]:
    scene, notes = await asyncio.to_thread(
        rewrite_scene, order.storyboard, order.scene, order.note, order.backend, order.seed
    )
    return scene, [f"The rules rewrote the scene: {reason.message}.", *notes]


def _rules_film(order: WriteOrder, planned: Plan) -> Film:
    line = write_outline(order.song, order.brief, order.backend, order.seed)
    return _draft(order, planned, line)


def _draft(order: WriteOrder, planned: Plan, line: Outline) -> Film:
    return write_scenes(
        order.song, order.timeline, planned, line, order.brief, order.backend, order.seed
    )


def _cost(usage: Usage) -> str:
    return (
        f"The language model was asked {usage.requests} times: {usage.prompt_tokens} tokens read, "
        f"{usage.completion_tokens} written."
    )


class _FilmWriting:
    """One film's way: outline, treatment, arc, draft, shots, scenes."""

    def __init__(
        self, order: WriteOrder, planned: Plan, asker: Asker, moderator: Moderator, report: Report
    ) -> None:
        self._order = order
        self._plan = planned
        self._asker = asker
        self._moderator = moderator
        self._report = report
        self._notes: list[str] = []

    async def film(self) -> _Composed:
        order = self._order
        rules = await asyncio.to_thread(
            write_outline, order.song, order.brief, order.backend, order.seed
        )
        # What the rules cannot do with language, story and concept does not hold for the model.
        plain = replace(order.brief, language="", story="", wants_concept=False)
        bare = await asyncio.to_thread(write_outline, order.song, plain, order.backend, order.seed)
        song = order.song
        if order.brief.wants_concept and not (song.concept_summary or song.concept_sections):
            self._notes.append(_NO_CONCEPT)
        line = await self._treatment(rules, replace(rules, notes=bare.notes))
        self._report("treatment", 1, 1, line.treatment.title)
        self._report("scenes", 0, len(self._plan.takes), "")
        draft = await asyncio.to_thread(_draft, order, self._plan, line)
        writing = SceneWriting(
            self._asker, order, self._plan, line, draft, self._moderator, self._progress
        )
        written = await writing.write()
        self._note_reasons(written)
        banned = line.wanted.banned_words
        film = _filmed(order, self._plan, draft, writing, written, banned)
        by_model = bool(written.shots) or line.treatment != rules.treatment
        notes = tuple(dict.fromkeys((*film.notes, *self._notes)))
        return _Composed(replace(film, notes=notes), by_model)

    async def _treatment(self, rules: Outline, line: Outline) -> Outline:
        """The outline with treatment and arc by the model, as far as it has usable ones."""
        hear = Hearing(lambda words: self._report("treatment", 0, 1, words))
        try:
            objection = ""
            for _ in range(_TREATMENTS):
                told = await write_treatment(self._asker, self._order, line, hear, objection)
                (refused,) = await self._moderator.objections([treatment_text(told.treatment)])
                if not refused:
                    line = told
                    break
                objection = f"That will not do: the moderation refuses it ({refused})."
            else:
                raise NoAnswer(f"the moderation refuses its treatment ({refused})")
        except (NoAnswer, Spent) as error:
            self._notes.append(f"The rules wrote the treatment: {error}.")
            return rules
        try:
            told = await write_arc(self._asker, self._order, line, hear)
            (refused,) = await self._moderator.objections([treatment_text(told.treatment)])
            if refused:
                raise NoAnswer(f"the moderation refuses its arc ({refused})")
            return told
        except (NoAnswer, Spent) as error:
            self._notes.append(f"The rules wrote the arc of the treatment: {error}.")
            return line

    def _progress(self, shots: int, words: str) -> None:
        takes = [take for take in self._plan.takes if take.shot_index < shots]
        self._report("scenes", len(takes), len(self._plan.takes), words)

    def _note_reasons(self, written: Written) -> None:
        """Says which shots stay as the rules drafted them, and why."""
        first = {take.shot_index: at for at, take in reversed([*enumerate(self._plan.takes)])}
        scenes: dict[str, list[str]] = {}
        for index in sorted(written.reasons):
            scenes.setdefault(written.reasons[index], []).append(f"s{first[index] + 1:03d}")
        for reason, ids in [*scenes.items()][:_MOST_REASONS]:
            self._notes.append(f"The rules wrote {_listed(ids)}: {reason}.")
        if len(scenes) > _MOST_REASONS:
            rest = sum(len(ids) for ids in [*scenes.values()][_MOST_REASONS:])
            self._notes.append(f"The rules wrote {rest} more scenes for other such reasons.")


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    return f"{', '.join(ids[:_MOST_NAMED])}{more}"


def _filmed(
    order: WriteOrder,
    plan: Plan,
    draft: Film,
    writing: SceneWriting,
    written: Written,
    banned: Set[str],
) -> Film:
    """The draft with the model's shots in it; every take of a shot shows the same.

    The rules say how a shot goes on: it needs no story, and no words that were there before.
    """
    tables, treatment = vocabulary(), draft.treatment
    dice = film_dice(order.song, order.seed).child("takes")
    takes = Describer(tables, dice, drawn_only=not order.backend.reads_words, banned=banned)
    takes.remember(scene.words.description for scene in draft.scenes)
    takes.remember(describe(shot) for shot in written.shots.values())
    places = {named(place): place for place in treatment.places}
    cast = {member.id: member for member in treatment.cast}
    scenes: list[FilmScene] = []
    for take, scene in zip(plan.takes, draft.scenes, strict=True):
        shot = written.shots.get(take.shot_index)
        if shot is None:
            scenes.append(scene)
            continue
        if take.take_index > 0:
            # A chained clip goes on in the picture of the one before it.
            staging = scenes[-1].staging
        else:
            previous = scenes[-1].staging.camera if scenes else None
            staging = staged(shot, scene.staging, places, writing.choices, tables, previous)
        words = words_of(shot, treatment.cast)
        if take.take_index > 0:
            words = takes.take(staging, words)
        prompt = compose_prompt(
            staging,
            words,
            look=treatment.look,
            period=treatment.period,
            cast=cast,
            backend=order.backend,
            tables=tables,
        )
        scenes.append(replace(scene, staging=staging, words=words, prompt=prompt))
    return replace(draft, scenes=tuple(scenes))
