"""The worker process: owns one device, keeps models on it and films one clip after the other.

Started as `python -m soundsight_videogen.diffusion.worker`; `supervising.line` says how it is
spoken to. An order to film is

    {"film": base64 of a GenerateClipRequest, "to": path, "model": folder or hub id,
     "plan": number of a MemoryPlan, "pictures": {"start": path, ...}, "release": [model, ...]}

and what was filmed is told as

    {"rendered_frames": count, "notes": [...], "timings_s": {...},
     "resident": [[model, bytes], ...]}

`--studio module:factory` names another maker of pictures: tests bring one without torch. With
`--ranks` this process leads a group (`group.py`): it starts the others, which are this module too,
and passes its orders on to them, with the port at which it is to be met as `meet`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import Cancelled, FailedPrecondition
from soundsight_videogen.backend import Pictures
from soundsight_videogen.diffusion.group import Group
from soundsight_videogen.diffusion.libraries import diffusers
from soundsight_videogen.diffusion.peers import Peers
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Studio
from soundsight_videogen.supervising.line import Line, Order, Orders, die_with_server, work_on

MODULE = "soundsight_videogen.diffusion.worker"
STUDIO = "soundsight_videogen.diffusion.studio:Studio"
_ECHO_S = 1.0
"""A leader's error may be no more than the echo of another's end: that one is heard first."""


def main() -> int:
    """Films until the server is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studio", default=STUDIO)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--rank", type=int, default=0)
    words = parser.parse_args()
    group = Group(words.rank, words.ranks)
    die_with_server()
    line = Line()
    try:
        studio = _factory(words.studio)(StudioSettings(), group)
    except ImportError as error:
        line.tell(unusable=f"{error.name or error} is not installed: run `make setup-torch`")
        return 1
    orders = Orders()
    line.tell(ready=words.studio)
    film = _filming(studio, words.studio, group, line, orders)
    work_on(line, orders, film, frail=group.size > 1)
    return 0


def _factory(named: str) -> Callable[[StudioSettings, Group], Studio]:
    module, _, name = named.partition(":")
    factory: Callable[[StudioSettings, Group], Studio]
    factory = getattr(importlib.import_module(module), name)
    return factory


def _filming(
    studio: Studio, named: str, group: Group, line: Line, orders: Orders
) -> Callable[[Order], dict[str, Any]]:
    """How an order is carried out: alone, at the head of a group, or as one of it."""

    def alone(order: Order) -> dict[str, Any]:
        return _film(studio, order, line, orders)

    if group.size == 1:
        return alone
    if not group.leads:
        # Slow, and for the leader it begins with the first order. What lacks is said then.
        with contextlib.suppress(FailedPrecondition):
            diffusers()

        def follow(order: Order) -> dict[str, Any]:
            group.find(order["meet"])
            return alone(order)

        return follow
    peers = Peers(MODULE, ["--studio", named, "--ranks", str(group.size)], group.size, line)

    def lead(order: Order) -> dict[str, Any]:
        try:
            peers.pass_on({**order, "meet": group.open()})
            return alone(order)
        except Cancelled:
            raise
        except Exception:
            time.sleep(_ECHO_S)
            raise

    return lead


def _film(studio: Studio, order: Order, line: Line, orders: Orders) -> dict[str, Any]:
    for model in order["release"]:
        studio.release(model)
    footage = studio.film(
        GenerateClipRequest.FromString(base64.b64decode(order["film"])),
        order["model"],
        Path(order["to"]),
        pictures=_pictures(order["pictures"]),
        memory_plan=MemoryPlan(order["plan"]),
        watcher=line,
        stopped=orders.stopped,
    )
    return {
        "rendered_frames": footage.rendered_frames,
        "notes": list(footage.notes),
        "timings_s": footage.timings_s,
        "resident": [[model.id, model.bytes] for model in studio.resident_models()],
    }


def _pictures(paths: dict[str, Any]) -> Pictures:
    def one(name: str) -> Path | None:
        return Path(paths[name]) if paths.get(name) else None

    return Pictures(
        start=one("start"),
        end=one("end"),
        references=tuple(Path(path) for path in paths.get("references", ())),
        draft=one("draft"),
    )


if __name__ == "__main__":
    sys.exit(main())
