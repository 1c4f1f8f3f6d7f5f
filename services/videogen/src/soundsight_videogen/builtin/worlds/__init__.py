"""The worlds that the built-in renderer can film.

A new world is a module here, a shader of its name in `shaders/worlds/`, and its place in `WORLDS`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from soundsight_videogen.builtin.worlds.abstract import ABSTRACT
from soundsight_videogen.builtin.worlds.city import CITY
from soundsight_videogen.builtin.worlds.desert import DESERT
from soundsight_videogen.builtin.worlds.forest import FOREST
from soundsight_videogen.builtin.worlds.mountains import MOUNTAINS
from soundsight_videogen.builtin.worlds.ocean import OCEAN
from soundsight_videogen.builtin.worlds.space import SPACE
from soundsight_videogen.builtin.worlds.world import World

__all__ = ["WORLDS", "World"]

WORLDS: Final[MappingProxyType[str, World]] = MappingProxyType(
    {world.name: world for world in (ABSTRACT, CITY, DESERT, FOREST, MOUNTAINS, OCEAN, SPACE)}
)
