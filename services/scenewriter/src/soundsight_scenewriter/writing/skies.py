"""Hour and weather over the film: they change act by act, and returns look different.

An act is a stretch of some fifteen seconds or more in which the sky stays as it is, wherever the
film plays: sections of music may be much shorter than any change of weather can be. Fog hides what
moves with the music: it is for the quieter half of a song.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from soundsight_scenewriter.song import Floats, Song
from soundsight_scenewriter.writing.film import Place
from soundsight_scenewriter.writing.places import Strand
from soundsight_scenewriter.writing.vocabulary import TIMES, WEATHERS, Concept, World
from soundsight_scenewriter.writing.wishes import Understood

_ACT_S = 14.0
# Hours and weathers of less weight in a world are shown only when they are asked for.
_FITTING = 0.5
# How light an hour is, in order; how much the mere passing of time counts beside the mood.
_LIGHT = {"night": 0, "dusk": 1, "dawn": 2, "golden_hour": 3, "day": 4}
_PASSING = 0.4
# Where valence runs against arousal, the light goes with what is heard more surely.
_AROUSAL = 1.25
# Acts whose moods differ by less than this feel the same.
_LEAST_DEVIATION = 0.01


@dataclass(frozen=True, slots=True)
class Sky:
    """Hour and weather."""

    time: str
    weather: str


def holds(needs: str, world: World, sky: Sky) -> bool:
    """Whether what a vignette needs is so (see city.toml)."""
    if not needs or not world.has_sky:
        return True
    open_sky = sky.weather in ("clear", "cloudy")
    return {
        "dark": sky.time != "day",
        "open": open_sky,
        "sun": sky.time in ("dawn", "day", "golden_hour") and open_sky,
        "moon": sky.time in ("night", "dusk") and open_sky,
        "cloud": sky.weather in ("cloudy", "rain", "storm"),
    }[needs]


def acts(parts: Sequence[Strand]) -> list[list[int]]:
    """Groups strands, by index, into acts that last long enough for a sky of their own."""
    grouped: list[list[int]] = []
    length = _ACT_S
    for index, part in enumerate(parts):
        if length >= _ACT_S:
            grouped.append([])
            length = 0.0
        grouped[-1].append(index)
        length += part.end_s - part.start_s
    return grouped


def skies(
    song: Song,
    parts: Sequence[Strand],
    places: Sequence[Place],
    place_of: Mapping[str, int],
    concept: Concept,
    wishes: Sequence[Understood],
    banned: Understood,
) -> list[Sky]:
    """The sky of each strand. `wishes[i]` is what was asked for strand i, `banned` never shown."""
    made = [Sky("", "")] * len(parts)
    seen: dict[int, list[Sky]] = {}
    grouped = acts(parts)
    middle_energy = float(np.median([_mean(song, parts, act, "energy") for act in grouped]))
    for number, (act, hour_at) in enumerate(
        zip(grouped, _hours_by_mood(song, parts, grouped, concept), strict=True)
    ):
        progress = (parts[act[0]].start_s + parts[act[-1]].end_s) / 2.0 / song.duration_s
        here = {place_of[parts[index].label] for index in act}
        known = _Range.of(concept, [places[place].world for place in here], banned)
        if _mean(song, parts, act, "energy") > middle_energy:
            known = known.without_fog()
        chosen = _choose(
            known.at(progress, hour_at),
            known.skies(),
            [seen.setdefault(place, []) for place in sorted(here)],
            number,
        )
        for index in act:
            place = place_of[parts[index].label]
            made[index] = _wished(
                chosen, wishes[index], concept, places[place].world, banned, (progress, hour_at)
            )
            seen[place].append(made[index])
    return made


def _hours_by_mood(
    song: Song, parts: Sequence[Strand], grouped: Sequence[Sequence[int]], concept: Concept
) -> list[float]:
    """Where on the film's clock each act lies, 0 to 1: the brighter its mood, the lighter the hour.

    The clock's hours are all told, each as long as the film's concept gives it; but it is the music
    that says when. Where moods hardly differ, time passes as it does in life.
    """
    count = len(grouped)
    moods = _standing([_mean(song, parts, act, "valence") for act in grouped])
    moods += _AROUSAL * _standing([_mean(song, parts, act, "arousal") for act in grouped])
    spread = float(np.ptp(moods)) or 1.0
    light = [_LIGHT[hour] for hour in concept.clock]
    way = 1.0 if light[-1] >= light[0] else -1.0
    scores = [
        float(mood - moods.min()) / spread + _PASSING * way * index / max(1, count - 1)
        for index, mood in enumerate(moods)
    ]
    by_score = sorted(range(count), key=lambda index: scores[index])
    # Clock positions from the darkest hour to the lightest; each act takes its share of them.
    by_light = sorted(range(len(light)), key=lambda at: light[at])
    hours = [0.0] * count
    for rank, index in enumerate(by_score):
        at = by_light[min(len(light) - 1, int((rank + 0.5) / count * len(light)))]
        hours[index] = (at + 0.5) / len(light)
    return hours


def _standing(values: Sequence[float]) -> Floats:
    """Each value as standard deviations above the mean, so that what varies little counts too."""
    standing = np.asarray(values) - np.mean(values)
    deviation = float(standing.std())
    return standing / deviation if deviation > _LEAST_DEVIATION else np.zeros(len(values))


def _mean(song: Song, parts: Sequence[Strand], act: Sequence[int], name: str) -> float:
    """What the sections of an act have of something, each for as long as it lasts."""
    values = [float(getattr(song.sections[parts[index].section_index], name)) for index in act]
    lengths = [max(parts[index].end_s - parts[index].start_s, 1e-9) for index in act]
    return float(np.average(values, weights=lengths))


@dataclass(frozen=True, slots=True)
class _Range:
    """The hours and weathers that a film may show somewhere, in its own order."""

    hours: list[str]
    weathers: list[str]

    @classmethod
    def of(
        cls,
        concept: Concept,
        worlds: Sequence[World],
        banned: Understood,
        wish: Understood | None = None,
    ) -> _Range:
        """What all of these worlds know and nobody forbade."""
        times = [world.times for world in worlds]
        weathers = [world.weathers for world in worlds]
        no_times = banned.not_times | (wish.not_times if wish else set())
        no_weathers = banned.not_weathers | (wish.not_weathers if wish else set())
        return cls(
            _allowed(concept.clock, times, TIMES, no_times),
            _allowed(concept.weathers, weathers, WEATHERS, no_weathers),
        )

    def without_fog(self) -> _Range:
        """The same without fog, as long as another weather is left."""
        return replace(self, weathers=[w for w in self.weathers if w != "fog"] or self.weathers)

    def at(self, progress: float, hour_at: float) -> Sky:
        """What clock and weather say: the weather at a point of the film, 0 to 1, the hour at a
        point of the film's clock, 0 to 1."""
        hour = min(len(self.hours) - 1, int(hour_at * len(self.hours)))
        weather = min(len(self.weathers) - 1, int(progress * len(self.weathers)))
        return Sky(self.hours[hour], self.weathers[weather])

    def skies(self) -> list[Sky]:
        """All skies of the range, each once."""
        return [
            Sky(hour, weather)
            for hour in dict.fromkeys(self.hours)
            for weather in dict.fromkeys(self.weathers)
        ]


def _choose(asked: Sky, options: Sequence[Sky], before: Sequence[Sequence[Sky]], salt: int) -> Sky:
    """The sky asked for, unless a place of the act looked so the last time it was seen.

    Then one that no place had, if there is any, preferably at the same hour: the smaller jump.
    `before` holds the skies that each of the act's places has had.
    """

    def repeats(sky: Sky) -> int:
        return sum(had[-1:] == [sky] for had in before)

    if not repeats(asked):
        return asked
    return min(
        options,
        key=lambda sky: (
            repeats(sky),
            sum(sky in had for had in before),
            sky.time != asked.time,
            (options.index(sky) - salt) % len(options),
        ),
    )


def _wished(
    sky: Sky,
    wish: Understood,
    concept: Concept,
    world: World,
    banned: Understood,
    moment: tuple[float, float],
) -> Sky:
    """The act's sky as a strand with a wish of its own shows it; `moment` is for `_Range.at`."""
    own = _Range.of(concept, [world], banned, wish).at(*moment)
    hour = own.time if sky.time in wish.not_times else sky.time
    weather = own.weather if sky.weather in wish.not_weathers else sky.weather
    return Sky(wish.time or hour, wish.weather or weather)


def _allowed(
    wanted: Sequence[str],
    known: Sequence[Mapping[str, float]],
    every: Sequence[str],
    out: set[str],
) -> list[str]:
    """The film's own choices that all worlds know and nobody forbade, else any that remain."""
    weights = {name: min(world.get(name, 0.0) for world in known) for name in every}
    choices = [name for name in wanted if weights[name] >= _FITTING and name not in out]
    fallback = sorted(
        (name for name in every if weights[name] > 0.0 and name not in out),
        key=lambda name: -weights[name],
    )
    return choices or fallback[:2] or [name for name in every if name not in out] or [*wanted]
