"""The scenes in the model's words: section by section, some shots at a time, each checked.

A shot that will not do is asked for again with the reason; one that will not do at last stays as
the rules drafted it, and a note says so. What is carried on from question to question is short (the
treatment, the story so far, the last shots), so that a film of any length fits a small context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from soundsight_kit.errors import FailedPrecondition
from soundsight_scenewriter.llm.answers import Choices, ShotAnswer, ShotsAnswer, shots_schema
from soundsight_scenewriter.llm.asking import WORDING, Asker, NoAnswer, Spent
from soundsight_scenewriter.llm.checks import (
    describe,
    fault_of_shot,
    joined_objections,
    phrases,
)
from soundsight_scenewriter.llm.hearing import Hearing
from soundsight_scenewriter.llm.material import loudness, section_line, sung_line, treatment_lines
from soundsight_scenewriter.llm.prompting import language_of
from soundsight_scenewriter.llm.shots import choices_of, named, tidied
from soundsight_scenewriter.llm.untrusted import as_data, quoted
from soundsight_scenewriter.moderation import Moderator
from soundsight_scenewriter.planning.types import Plan, Shot
from soundsight_scenewriter.requests import WriteOrder
from soundsight_scenewriter.writing.concepts import Outline
from soundsight_scenewriter.writing.film import Film, FilmScene
from soundsight_scenewriter.writing.told import Told
from soundsight_scenewriter.writing.vocabulary import vocabulary

_MOST_AT_ONCE = 12
_TOKENS_PER_SHOT = 190
"""Room for one shot in an answer: the schema's longest texts are seldom written out."""
_TOKENS_PER_LINE = 60
_TOKENS_AROUND = 120
_ROUNDS = 3
_LAST_SHOTS = 3
_SO_FAR, _SUNG, _LINE, _MUST = 300, 500, 200, 120

Progress = Callable[[int, str], None]
"""Told how many shots are done, and what the model is saying."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote, by the index of the shot, and why the others stay as they are."""

    shots: dict[int, ShotAnswer]
    reasons: dict[int, str]


class SceneWriting:
    """Writes the shots of one film. `draft` is the rules' film of the same outline."""

    def __init__(
        self,
        asker: Asker,
        order: WriteOrder,
        plan: Plan,
        line: Outline,
        draft: Film,
        moderator: Moderator,
        progress: Progress,
    ) -> None:
        self._asker = asker
        self._order = order
        self._plan = plan
        self._line = line
        self._drafts = _first_takes(plan, draft)
        self._moderator = moderator
        self._progress = progress
        self._treatment = treatment_lines(draft.treatment)
        self._period = draft.treatment.period
        self.choices: Choices = choices_of(
            draft.treatment.places, draft.treatment.cast, line.wanted.banned, vocabulary()
        )
        self._told = Told()
        self._asked = phrases(asker.words_of("shots"))
        self._last: list[str] = []
        self._so_far = ""
        self._shots: dict[int, ShotAnswer] = {}
        self._reasons: dict[int, str] = {}

    async def write(self) -> Written:
        """Writes all shots, as far as tokens and time go.

        Raises Unavailable or FailedPrecondition, as `Endpoint.ask`, when nothing can be asked.
        """
        for chunk in self._chunks():
            try:
                await self._write_chunk(chunk)
            except Spent as spent:
                for index in range(len(self._plan.shots)):
                    if index not in self._shots:
                        self._reasons.setdefault(index, str(spent))
                break
        return Written(self._shots, self._reasons)

    def _chunks(self) -> Iterator[list[int]]:
        """Shots of one section each, as many as an answer has room for when its turn comes."""
        shots = self._plan.shots
        first = 0
        while first < len(shots):
            same = first
            while same < len(shots) and shots[same].section_index == shots[first].section_index:
                same += 1
            room = self._asker.room("shots", self._values([first])) - _TOKENS_AROUND
            count = max(1, min(_MOST_AT_ONCE, room // (_TOKENS_PER_SHOT + _TOKENS_PER_LINE)))
            # Seven shots are four and three, not six and one.
            groups = -(-(same - first) // count)
            size = -(-(same - first) // groups)
            yield list(range(first, min(same, first + size)))
            first = min(same, first + size)

    async def _write_chunk(self, chunk: list[int]) -> None:
        """Asks for some shots until each will do, or has been asked for often enough."""
        pending, objections = list(chunk), dict[int, str]()
        for turn in range(_ROUNDS):
            try:
                answer = await self._ask(pending, objections, turn)
            except (NoAnswer, FailedPrecondition) as error:
                if isinstance(error, FailedPrecondition) and error.reason != WORDING.refused:
                    raise
                if len(pending) == 1:
                    if isinstance(error, FailedPrecondition):
                        raise
                    objections[pending[0]] = str(error)
                    break
                # Less at a time asks less of the model, and of its context.
                half = len(pending) // 2
                await self._write_chunk(pending[:half])
                await self._write_chunk(pending[half:])
                return
            objections = await self._take(pending, answer)
            pending = [index for index in pending if index not in self._shots]
            if not pending:
                break
        self._close(chunk, objections)

    async def _take(self, pending: Sequence[int], answer: ShotsAnswer) -> dict[int, str]:
        """Keeps the shots that will do; returns what is wrong with the others."""
        objections: dict[int, str] = {}
        good: list[tuple[int, ShotAnswer]] = []
        for index, given in zip(pending, answer.shots, strict=False):
            shot = tidied(given)
            fault = fault_of_shot(
                shot,
                places=self.choices.places,
                cast=self.choices.cast,
                banned=self._line.wanted.banned_words,
                period=self._period,
                must_show=self._must_show(index),
                told=self._told,
                asked=self._asked,
            )
            if fault:
                objections[index] = fault
                continue
            good.append((index, shot))
            self._told.add(describe(shot))
        for index in pending[len(answer.shots) :]:
            objections[index] = "it was missing"
        refused = await self._moderator.objections([describe(shot) for _, shot in good])
        for (index, shot), objection in zip(good, refused, strict=True):
            if objection:
                objections[index] = f"the moderation refuses it ({objection})"
            else:
                self._shots[index] = shot
        if good:
            self._so_far = as_data(answer.so_far, _SO_FAR) or self._so_far
        return objections

    def _close(self, chunk: Sequence[int], objections: dict[int, str]) -> None:
        """Notes what stays as drafted, and what the next question carries on."""
        for index in chunk:
            if index in self._shots:
                told = describe(self._shots[index])
            else:
                self._reasons[index] = objections.get(index, "it was not written")
                told = self._drafts[index].words.description
                self._told.add(told)
            self._last = [*self._last, as_data(told, _LINE)][-_LAST_SHOTS:]
        self._progress(chunk[-1] + 1, "")

    async def _ask(
        self, pending: Sequence[int], objections: dict[int, str], turn: int
    ) -> ShotsAnswer:
        numbers = [(number, objections[index]) for number, index in enumerate(pending, 1)
                   if index in objections]  # fmt: skip
        done = pending[0]
        return await self._asker.ask(
            "shots",
            self._values(pending),
            ShotsAnswer,
            shots_schema(self.choices, len(pending)),
            step=f"shots {pending[0]}-{pending[-1]} {turn}",
            answer_tokens=_TOKENS_AROUND + _TOKENS_PER_SHOT * len(pending),
            objection=joined_objections(numbers),
            hear=Hearing(lambda words: self._progress(done, words)),
        )

    def _values(self, pending: Sequence[int]) -> dict[str, str]:
        order, shots = self._order, self._plan.shots
        first, last = shots[pending[0]], shots[pending[-1]]
        section = order.song.sections[first.section_index]
        arc = self._line.treatment.arc[first.section_index]
        start_s = order.timeline.start_s(first.start_frame)
        end_s = order.timeline.start_s(last.end_frame)
        choices = self.choices
        return {
            "treatment": self._treatment,
            "so_far": self._so_far or "it begins here",
            "last": " ".join(self._last) or "none",
            "section": section_line(section, order.song, order.brief, arc=arc),
            "sung": "\n".join(
                [
                    sung_line(order.sung, start_s, end_s, _SUNG),
                    *(
                        f"To be seen in shot {number}: {quoted(must, _MUST)}"
                        for number, index in enumerate(pending, 1)
                        if (must := self._must_show(index))
                    ),
                ]
            ).strip(),
            "language": language_of(order.brief.language),
            "count": str(len(pending)),
            "shots": "\n".join(
                f"{number}. {self._planned(index, shots[index])}"
                for number, index in enumerate(pending, 1)
            ),
            **named_choices(choices),
        }

    def _planned(self, index: int, shot: Shot) -> str:
        """What the plan and the rules' draft say of a shot; the model may choose otherwise."""
        staging = self._drafts[index].staging
        seconds = self._order.timeline.start_s(shot.frames)
        line = (
            f"{seconds:.1f} s, {loudness(staging.drive)}; at {named(staging.place)}; "
            f"{staging.camera.size}, {staging.camera.move}"
        )
        if staging.place.world.has_sky:
            line += f"; {staging.time}, {staging.weather}"
        if self._must_show(index):
            line += "; shows what the material names for it"
        cast = self._drafts[index].words.cast_ids
        names = [named(m) for m in self._line.treatment.cast if m.id in cast]
        return line + (f"; with {names[0]}" if names else "")

    def _must_show(self, index: int) -> str:
        subject = self._drafts[index].words.subject
        return subject if subject in self._line.wanted.objects else ""


def named_choices(choices: Choices) -> dict[str, str]:
    """The names that a shot may use, as the prompts list them."""
    cast = ", ".join(choices.cast)
    return {
        "places": ", ".join(choices.places),
        "cast": f'- "cast": who of {cast} is in it, by name; may be empty\n' if cast else "",
        "sizes": ", ".join(choices.sizes),
        "moves": ", ".join(choices.moves),
        "times": ", ".join(choices.times),
        "weathers": ", ".join(choices.weathers),
    }


def _first_takes(plan: Plan, draft: Film) -> list[FilmScene]:
    """The draft of each shot: that of its first take."""
    return [
        scene for take, scene in zip(plan.takes, draft.scenes, strict=True) if take.take_index == 0
    ]
