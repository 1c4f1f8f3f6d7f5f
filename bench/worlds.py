"""What each of the built-in renderer's worlds costs, and what it looks like.

Prints a table of processor milliseconds per frame, painting alone, and writes a contact sheet when
asked: one row per hour and weather, first a wide shot, then others.

    .venv/bin/python bench/worlds.py --world forest --sheet forest.png
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from soundsight_videogen.builtin.atmosphere import TimeOfDay, Weather
from soundsight_videogen.builtin.camera import Angle, Move, Size
from soundsight_videogen.builtin.choice import Scene, ShotFields, choose_scene
from soundsight_videogen.builtin.film import paint, plan_film
from soundsight_videogen.builtin.finish import rgb_from_ycc
from soundsight_videogen.builtin.music import Cues
from soundsight_videogen.builtin.painter import Painter
from soundsight_videogen.builtin.worlds import WORLDS, World

FPS = 24
U8 = NDArray[np.uint8]

PALETTES = {
    "neon": ((10, 8, 30), (60, 20, 110), (255, 40, 150), (60, 200, 255), (255, 226, 190)),
    "amber": ((16, 12, 20), (84, 40, 40), (214, 110, 40), (250, 180, 90)),
    "ice": ((8, 14, 30), (40, 80, 130), (120, 170, 210), (225, 235, 245)),
    "moss": ((10, 18, 14), (34, 64, 40), (120, 150, 60), (220, 190, 110), (240, 236, 214)),
}

# Shots of a row: the establishing one, then what else a film asks for.
SHOTS = (
    (Move.TRAVEL, Size.EXTREME_WIDE, Angle.EYE_LEVEL),
    (Move.PUSH_IN, Size.WIDE, Angle.LOW),
    (Move.CRANE_UP, Size.WIDE, Angle.HIGH),
    (Move.ORBIT, Size.MEDIUM, Angle.EYE_LEVEL),
    (Move.PAN_RIGHT, Size.CLOSE_UP, Angle.EYE_LEVEL),
    (Move.TRAVEL, Size.WIDE, Angle.AERIAL),
)


def music(frames: int) -> Cues:
    """A loud, steady passage: even energy, a bass note and an onset on every beat."""
    level = np.full(frames, 170, dtype=np.uint8)
    decay = (level * np.exp(-(np.arange(frames) % 12) / 4.0)).astype(np.uint8)
    beats = tuple(range(0, frames, 12))
    return Cues(level, decay, decay, level // 2, beats, beats[::4])


def scenes(world: World) -> Iterator[tuple[str, list[Scene]]]:
    """Rows of scenes: every hour in the first weather, then every other weather."""
    skies = [(hour, world.weathers[0]) for hour in world.times]
    skies += [(world.times[0], weather) for weather in world.weathers[1:]]
    palettes = itertools.cycle(PALETTES.values())
    for row, ((hour, weather), palette) in enumerate(zip(skies, palettes, strict=False)):
        yield (
            f"{hour.value}, {weather.value}",
            [scene(world, hour, weather, shot, palette, 7 * row + i)
             for i, shot in enumerate(SHOTS)],
        )  # fmt: skip


def scene(
    world: World,
    hour: TimeOfDay,
    weather: Weather,
    shot: tuple[Move, Size, Angle],
    palette: tuple[tuple[int, int, int], ...],
    seed: int,
) -> Scene:
    """One scene; each row is another place."""
    move, size, angle = shot
    return choose_scene(
        ShotFields(
            setting=world.name, time_of_day=hour, weather=weather, move=move, size=size,
            angle=angle, palette=palette, density=0.5, motion=0.6, place_seed=seed // 7, seed=seed,
        )
    )  # fmt: skip


def painted(painter: Painter, chosen: Scene, size: tuple[int, int], frames: int) -> U8:
    """Paints a clip; returns its middle picture as RGB, (height, width, 3)."""
    film = plan_film(chosen, music(frames), float(FPS))
    pictures = list(paint(film, painter, *size))
    return rgb_from_ycc(pictures[frames // 2])


def labelled(row: list[U8], label: str) -> U8:
    """Pictures side by side with a label in the first."""
    strip = np.ascontiguousarray(np.hstack(row))
    cv2.putText(strip, label, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return strip


def main() -> None:
    """Measures the worlds and draws what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--world", choices=sorted(WORLDS), help="one world instead of all")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the world here (PNG)")
    parser.add_argument("--size", default="512x288", help="internal picture [%(default)s]")
    parser.add_argument("--frames", type=int, default=12, help="frames per clip [%(default)s]")
    words = parser.parse_args()
    width, height = (int(side) for side in words.size.split("x"))
    names = [words.world] if words.world else sorted(WORLDS)
    painter = Painter()
    rows: list[U8] = []
    print(f"{painter.renderer}, {width}x{height}; processor ms per frame, all threads")
    print(f"{'world':<12}{'hour, weather':<24}{'mean':>8}{'worst shot':>12}")
    for name in names:
        for label, row in scenes(WORLDS[name]):
            costs, shown = [], []
            for chosen in row:
                painted(painter, chosen, (width, height), 2)  # compiles the shader
                began = time.process_time()
                shown.append(painted(painter, chosen, (width, height), words.frames))
                costs.append((time.process_time() - began) / words.frames * 1e3)
            rows.append(labelled(shown, f"{name}: {label}"))
            print(f"{name:<12}{label:<24}{np.mean(costs):>8.1f}{max(costs):>12.1f}", flush=True)
    if words.sheet:
        cv2.imwrite(str(words.sheet), np.vstack(rows)[..., ::-1])
        print(f"contact sheet: {words.sheet}")


if __name__ == "__main__":
    main()
