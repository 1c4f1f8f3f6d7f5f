"""The worker process: owns one device, keeps models on it and films one clip after the other.

Started as `python -m soundsight_videogen.diffusion.worker`; `supervising.line` says how it is
spoken to. An order to film is

    {"film": base64 of a GenerateClipRequest, "to": path, "model": folder or hub id,
     "plan": number of a MemoryPlan, "pictures": {"start": path, ...}, "release": [model, ...]}

and what was filmed is told as

    {"rendered_frames": count, "notes": [...], "timings_s": {...},
     "resident": [[model, bytes], ...]}

`--studio module:factory` names another maker of pictures: tests bring one without torch.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.backend import Pictures
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Studio
from soundsight_videogen.supervising.line import Line, Order, Orders, die_with_server, work_on

STUDIO = "soundsight_videogen.diffusion.studio:Studio"


def main() -> int:
    """Films until the server is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studio", default=STUDIO)
    named = parser.parse_args().studio
    die_with_server()
    line = Line()
    try:
        studio = _factory(named)(StudioSettings())
    except ImportError as error:
        line.tell(unusable=f"{error.name or error} is not installed: run `make setup-torch`")
        return 1
    orders = Orders()
    line.tell(ready=named)
    work_on(line, orders, lambda order: _film(studio, order, line, orders))
    return 0


def _factory(named: str) -> Callable[[StudioSettings], Studio]:
    module, _, name = named.partition(":")
    factory: Callable[[StudioSettings], Studio] = getattr(importlib.import_module(module), name)
    return factory


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
