"""From the model's shot to a staged one: names become what they stand for, what does not fit gives
way to the rules' draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.llm.answers import Choices, ShotAnswer
from soundsight_scenewriter.llm.checks import describe
from soundsight_scenewriter.llm.untrusted import as_data
from soundsight_scenewriter.texts import as_sentence
from soundsight_scenewriter.writing.film import Camera, Place, Staging, Words
from soundsight_scenewriter.writing.vocabulary import TIMES, WEATHERS, Vocabulary
from soundsight_scenewriter.writing.wishes import Understood, content_words, understand

_SUBJECT, _ACTION, _DETAIL, _MOOD, _NAME = 80, 120, 160, 30, 60


def choices_of(
    places: Sequence[Place], cast: Sequence[CastMember], banned: Understood, tables: Vocabulary
) -> Choices:
    """The names that a shot may use, without skies and hours that must never be shown."""
    return Choices(
        places=tuple(named(place) for place in places),
        cast=tuple(named(member) for member in cast),
        sizes=tuple(tables.sizes),
        moves=tuple(tables.moves),
        times=tuple(t for t in TIMES if t not in banned.not_times) or TIMES,
        weathers=tuple(w for w in WEATHERS if w not in banned.not_weathers) or WEATHERS,
    )


def named(each: Place | CastMember) -> str:
    """The name of a place or of one of the cast, as the model is told it."""
    return as_data(each.name, _NAME)


def tidied(shot: ShotAnswer) -> ShotAnswer:
    """The same shot as plain lines: neutral, without a subject that is said twice."""
    subject = as_data(shot.subject, _SUBJECT).rstrip(" .,;:")
    action = as_data(shot.action, _ACTION).rstrip(" .,;:")
    if subject and action.casefold().startswith(subject.casefold() + " "):
        action = action[len(subject) :].strip()
    return shot.model_copy(
        update={
            "subject": subject,
            "action": action,
            "detail": as_data(shot.detail, _DETAIL),
            "mood": as_data(shot.mood, _MOOD).rstrip(" .,;:"),
            "place": shot.place.strip(),
            "cast": [name.strip() for name in shot.cast],
        }
    )


def words_of(shot: ShotAnswer, cast: Sequence[CastMember]) -> Words:
    """What the shot shows. Whoever its subject names leads its cast, the others follow."""
    leading = [member for member in cast if _names(shot.subject, member)]
    text = f"{shot.action} {shot.detail}"
    also = [
        member
        for member in cast
        if leading and member not in leading and named(member) in shot.cast and _names(text, member)
    ]
    return Words(
        subject=shot.subject,
        action=shot.action,
        detail=as_sentence(shot.detail),
        description=describe(shot),
        cast_ids=tuple(member.id for member in (*leading, *also)),
    )


def _names(text: str, member: CastMember) -> bool:
    name = content_words(member.name)
    return bool(name) and name <= content_words(text)


def staged(
    shot: ShotAnswer,
    draft: Staging,
    places: Mapping[str, Place],
    choices: Choices,
    tables: Vocabulary,
    previous: Camera | None,
) -> Staging:
    """The draft, staged as the shot says. `places` are by the names that the model is told."""
    place = places.get(shot.place, draft.place)
    time, weather = draft.time, draft.weather
    if place.world.has_sky:
        # What the words tell is what will be seen: fields follow them.
        told = understand(describe(shot))
        time = _known(told.time, choices.times) or _known(shot.time, choices.times) or time
        weather = (
            _known(told.weather, choices.weathers)
            or _known(shot.weather, choices.weathers)
            or weather
        )
    return replace(
        draft,
        place=place,
        time=time,
        weather=weather,
        camera=_camera(shot, draft.camera, tables, previous),
        mood=shot.mood or draft.mood,
    )


def _known(name: str, names: Sequence[str] | Set[str]) -> str:
    return name if name in names else ""


def _camera(shot: ShotAnswer, draft: Camera, tables: Vocabulary, previous: Camera | None) -> Camera:
    """The shot's camera; where it would be that of the shot before, the draft's own."""
    size = _known(shot.size, tuple(tables.sizes)) or draft.size
    if previous is not None and size == previous.size:
        size = draft.size
    move = next(
        (
            name
            for name in (shot.move, draft.move)
            if name in tables.moves
            and size in tables.moves[name].sizes
            and (previous is None or name != previous.move)
        ),
        draft.move if size in tables.moves[draft.move].sizes else "static",
    )
    angle = draft.angle if draft.angle != "aerial" or "wide" in size else "eye_level"
    return Camera(move, size, angle, tables.sizes[size].lens_mm)
