"""What the rules writer makes, as plain values, before it becomes a Storyboard message."""

from __future__ import annotations

from dataclasses import dataclass

from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.writing.colour import Rgb
from soundsight_scenewriter.writing.vocabulary import World


@dataclass(frozen=True, slots=True)
class Place:
    """A place that scenes return to. `setting` is in the backend's words."""

    id: str
    name: str
    setting: str
    description: str
    place_seed: int
    world: World
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Treatment:
    """What holds the film together; `arc[i]` tells section i."""

    title: str
    logline: str
    theme: str
    look: str
    period: str
    palette: tuple[Rgb, ...]
    places: tuple[Place, ...]
    cast: tuple[CastMember, ...]
    motifs: tuple[str, ...]
    arc: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Camera:
    """Names as in camera.toml."""

    move: str
    size: str
    angle: str
    lens_mm: float


@dataclass(frozen=True, slots=True)
class Staging:
    """How one shot is staged: where, when, in what light, through what camera."""

    place: Place
    section_index: int
    occurrence: int
    opens_section: bool
    time: str
    weather: str
    camera: Camera
    palette: tuple[Rgb, ...]
    mood: str
    density: float
    motion: float
    drive: float


@dataclass(frozen=True, slots=True)
class Words:
    """What one shot shows, in words."""

    subject: str
    action: str
    detail: str
    description: str
    cast_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilmScene:
    """One take, ready to be written into a message."""

    staging: Staging
    words: Words
    prompt: str
    negative_prompt: str
    seed: int


@dataclass(frozen=True, slots=True)
class Film:
    """The whole film: one scene per take of the plan."""

    treatment: Treatment
    scenes: tuple[FilmScene, ...]
    notes: tuple[str, ...]
