"""The rules writer's tables: data files that a person can edit, read once into plain values.

Each file says in its head what its fields mean. A file that does not fit fails when it is read,
with its name, never in the middle of a film.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from soundsight_scenewriter.writing.colour import Lch, Rgb, from_hex, to_lch

TIMES = ("dawn", "day", "golden_hour", "dusk", "night")
WEATHERS = ("clear", "cloudy", "rain", "fog", "snow", "storm")
SIZES = ("extreme_close_up", "close_up", "medium", "wide", "extreme_wide")
NEEDS = ("", "dark", "open", "sun", "moon", "cloud")
ENERGIES = ("quiet", "middle", "loud")
ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class PlaceWords:
    """A place that a world offers."""

    name: str
    description: str
    actions: tuple[str, ...]
    energy: tuple[float, float] = (0.0, 1.0)
    drawn: bool = True


@dataclass(frozen=True, slots=True)
class Vignette:
    """Something that can be seen in a world, and what it may do."""

    subject: str
    actions: tuple[str, ...]
    sizes: tuple[str, ...]
    energy: tuple[float, float]
    needs: str = ""
    drawn: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """A kind of place."""

    name: str
    article: str
    synonyms: tuple[str, ...]
    times: Mapping[str, float]
    weathers: Mapping[str, float]
    surfaces: tuple[str, ...]
    far: tuple[str, ...]
    places: tuple[PlaceWords, ...]
    vignettes: tuple[Vignette, ...]
    lines: tuple[str, ...] = ()

    @property
    def has_sky(self) -> bool:
        """Whether weather and time of day can be seen there."""
        return not self.lines

    def places_for(self, *, drawn_only: bool) -> tuple[PlaceWords, ...]:
        """Its places; for a program that draws without those that it cannot draw."""
        return tuple(place for place in self.places if place.drawn or not drawn_only)

    def named(self, setting: str) -> World:
        """The world with a caller's words in place of `{setting}`: `an old mill` or `harbour`."""
        words = setting.strip().rstrip(".")
        first, _, rest = words.partition(" ")
        known = f"the {rest if rest and first.lower() in ('a', 'an', 'the') else words}"

        def fill(text: str) -> str:
            return text.replace("{setting}", known)

        places = tuple(
            replace(place, name=fill(place.name), description=fill(place.description))
            for place in self.places
        )
        return replace(self, name=setting, article=fill(self.article), places=places)


@dataclass(frozen=True, slots=True)
class Family:
    """A family of genres and how its films look."""

    name: str
    words: tuple[str, ...]
    worlds: Mapping[str, float]
    light: tuple[str, ...]
    texture: tuple[str, ...]
    lens: tuple[str, ...]
    periods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """Somebody who recurs."""

    name: str
    look: str
    wardrobe: str


@dataclass(frozen=True, slots=True)
class Concept:
    """What a film can be about."""

    id: str
    valence: float
    arousal: float
    genres: tuple[str, ...]
    worlds: Mapping[str, float]
    theme: str
    loglines: tuple[str, ...]
    motifs: tuple[str, ...]
    nouns: tuple[str, ...]
    clock: tuple[str, ...]
    weathers: tuple[str, ...]
    drama: str
    figure: Figure
    settled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """A palette for a mood."""

    id: str
    valence: float
    arousal: float
    genres: tuple[str, ...]
    shades: tuple[Lch, ...]


@dataclass(frozen=True, slots=True)
class Mood:
    """Words for a corner of the circumplex."""

    valence: float
    arousal: float
    words: tuple[str, ...]
    adjectives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CameraWord:
    """A move, size or angle of the camera."""

    name: str
    phrase: str
    weight: float
    energy: tuple[float, float]
    sizes: tuple[str, ...] = ()
    lens_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What some words of a person mean; fields that are not meant are empty or 0."""

    words: tuple[str, ...]
    weather: str = ""
    time: str = ""
    size: str = ""
    size_step: int = 0
    angle: str = ""
    move: str = ""
    density: float = 0.0
    motion: float = 0.0
    lightness: float = 0.0
    chroma: float = 0.0
    warmth: float = 0.0
    valence: float = 0.0
    arousal: float = 0.0
    mood: str = ""
    family: str = ""


@dataclass(frozen=True, slots=True)
class NamedColour:
    """A colour and its name."""

    name: str
    rgb: Rgb
    lch: Lch


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All tables."""

    worlds: Mapping[str, World]
    families: Mapping[str, Family]
    concepts: tuple[Concept, ...]
    schemes: tuple[Scheme, ...]
    moods: tuple[Mood, ...]
    moves: Mapping[str, CameraWord]
    sizes: Mapping[str, CameraWord]
    angles: Mapping[str, CameraWord]
    wishes: tuple[Wish, ...]
    fillers: frozenset[str]
    colours: tuple[NamedColour, ...]
    arcs: Mapping[str, Mapping[str, tuple[str, ...]]]
    weather_lines: Mapping[str, tuple[str, ...]]
    time_lines: Mapping[str, tuple[str, ...]]
    clear_time_lines: Mapping[str, tuple[str, ...]]
    energy_lines: Mapping[str, tuple[str, ...]]
    back_lines: tuple[str, ...]
    take_lines: tuple[str, ...]
    title_patterns: tuple[str, ...]
    title_hours: Mapping[str, str]
    figure_actions: Mapping[str, tuple[str, ...]]
    must_have_actions: tuple[str, ...]
    time_phrases: Mapping[str, str]
    weather_phrases: Mapping[str, str]
    negatives: tuple[str, ...]


def _table(name: str) -> dict[str, Any]:
    path = files("soundsight_scenewriter") / "data" / name
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _frozen(value: Any) -> Any:
    """Lists become tuples, so that what is shared cannot be changed."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def _world(table: dict[str, Any]) -> World:
    rows = _frozen(table)
    return World(
        **{
            **rows,
            "places": tuple(PlaceWords(**row) for row in rows["places"]),
            "vignettes": tuple(Vignette(**row) for row in rows["vignettes"]),
        }
    )


def _concept(table: dict[str, Any]) -> Concept:
    return Concept(**{**_frozen(table), "figure": Figure(**table["figure"])})


def _scheme(table: dict[str, Any]) -> Scheme:
    shades = tuple(Lch(*shade) for shade in table["shades"])
    return Scheme(**{**_frozen(table), "shades": shades})


def _camera(table: dict[str, Any]) -> dict[str, CameraWord]:
    return {name: CameraWord(name=name, **_frozen(row)) for name, row in table.items()}


def _colours(table: dict[str, Any]) -> Iterable[NamedColour]:
    for name, code in table["names"].items():
        rgb = from_hex(code)
        yield NamedColour(name, Rgb(rgb.red, rgb.green, rgb.blue, name), to_lch(rgb))


def _check(vocabulary: Vocabulary) -> None:
    """Catches the slips that an editor of the tables is likely to make."""

    def require(holds: bool, what: str) -> None:
        if not holds:
            raise ValueError(f"the scene writer's tables do not fit: {what}")

    for world in vocabulary.worlds.values():
        for vignette in world.vignettes:
            where = f"{world.name}: {vignette.subject}"
            require(set(vignette.sizes) <= set(SIZES), f"{where} has an unknown size")
            require(vignette.needs in NEEDS, f"{where} needs {vignette.needs!r}")
        require(set(world.times) <= set(TIMES), f"{world.name} has an unknown time")
        require(set(world.weathers) <= set(WEATHERS), f"{world.name} has an unknown weather")
    for concept in vocabulary.concepts:
        require(concept.drama in vocabulary.arcs, f"{concept.id} has no drama {concept.drama}")
        require(set(concept.worlds) <= set(vocabulary.worlds), f"{concept.id}: unknown world")
        require(set(concept.settled) <= set(concept.worlds), f"{concept.id}: unknown settled")
        require(set(concept.genres) <= set(vocabulary.families), f"{concept.id}: unknown genre")
        require(set(concept.clock) <= set(TIMES), f"{concept.id}: unknown time")
        require(set(concept.weathers) <= set(WEATHERS), f"{concept.id}: unknown weather")
    for scheme in vocabulary.schemes:
        require(set(scheme.genres) <= set(vocabulary.families), f"{scheme.id}: unknown genre")
    for name, family in vocabulary.families.items():
        require(set(family.worlds) <= set(vocabulary.worlds), f"{name}: unknown world")


@cache
def vocabulary() -> Vocabulary:
    """All tables, read and checked at the first call.

    Raises ValueError, KeyError or TypeError, naming what is wrong, when a table does not fit.
    """
    folder = files("soundsight_scenewriter") / "data" / "worlds"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    worlds = [_world(_table(f"worlds/{name}")) for name in names]
    camera, atmosphere = _table("camera.toml"), _table("atmosphere.toml")
    prompts = _table("prompts.toml")
    titles, wishes = _table("titles.toml"), _table("wishes.toml")
    made = Vocabulary(
        worlds={world.name: world for world in worlds},
        families={
            name: Family(name=name, **_frozen(row)) for name, row in _table("genres.toml").items()
        },
        concepts=tuple(_concept(row) for row in _table("concepts.toml")["concept"]),
        schemes=tuple(_scheme(row) for row in _table("palettes.toml")["palette"]),
        moods=tuple(Mood(**_frozen(row)) for row in _table("moods.toml")["mood"]),
        moves=_camera(camera["moves"]),
        sizes=_camera(camera["sizes"]),
        angles=_camera(camera["angles"]),
        wishes=tuple(Wish(**_frozen(row)) for row in wishes["wish"]),
        fillers=frozenset(wishes["fillers"].split()),
        colours=tuple(_colours(_table("colours.toml"))),
        arcs=_frozen(_table("arcs.toml")),
        weather_lines=_frozen(atmosphere["weather"]),
        time_lines=_frozen(atmosphere["time"]),
        clear_time_lines=_frozen(atmosphere["clear_time"]),
        energy_lines=_frozen(atmosphere["energy"]),
        back_lines=_frozen(atmosphere["back"]["opening"]),
        take_lines=_frozen(atmosphere["back"]["take"]),
        title_patterns=_frozen(titles["patterns"]),
        title_hours=titles["hours"],
        figure_actions=_frozen(_table("figures.toml")),
        must_have_actions=_frozen(prompts["must_have"]["actions"]),
        time_phrases=prompts["times"],
        weather_phrases=prompts["weathers"],
        negatives=_frozen(prompts["negative"]),
    )
    _check(made)
    return made
