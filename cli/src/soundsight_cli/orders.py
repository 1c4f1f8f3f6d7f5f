"""Where the videos of renders are to go, kept until they are there.

A small file per render in the state folder, so that an interrupted render can be gone on with
without naming its output again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from soundsight_cli.state import StateFolder


@dataclass(frozen=True)
class Order:
    """What a command was asked for."""

    song: Path | None
    """The song; None when it is not known."""
    output: Path


def note(state: StateFolder, render: str, order: Order) -> None:
    """Notes what a render was asked for; the latest word counts.

    Raises:
        OSError: when the state folder cannot be written.
    """
    state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.orders.mkdir(exist_ok=True)
    file = _file(state, render)
    fresh = file.with_suffix(".new")
    song = str(order.song.absolute()) if order.song is not None else None
    # As ASCII, in which names that are no text keep their bytes.
    fresh.write_text(json.dumps({"song": song, "output": str(order.output.absolute())}))
    fresh.replace(file)


def find(state: StateFolder, render: str) -> Order | None:
    """Returns what a render was asked for, if that was noted."""
    return _read(_file(state, render))


def settle(state: StateFolder, output: Path) -> None:
    """Forgets all renders whose video was to go where one is now."""
    for file in state.orders.glob("*.json"):
        order = _read(file)
        if order is None or order.output == output.absolute():
            file.unlink(missing_ok=True)


def _file(state: StateFolder, render: str) -> Path:
    return state.orders / f"{render.rpartition('/')[2]}.json"


def _read(file: Path) -> Order | None:
    try:
        said = json.loads(file.read_text())
        song = Path(said["song"]) if said["song"] is not None else None
        return Order(song, Path(said["output"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
