"""The worker process: owns one OpenGL context and films one clip after the other.

Started by `workers.Worker` as `python -m soundsight_videogen.builtin.worker`. It reads orders from
stdin and writes events to stdout, one JSON object per line:

    orders  {"film": base64 of a GenerateClipRequest, "to": path}    {"stop": true}
    events  {"ready": renderer}    {"unusable": message}    {"progress": [done, total]}
            {"preview": [frame, base64 of a JPEG]}    {"filmed": {stage: seconds}}
            {"stopped": true}    {"failed": message}

When stdin ends, the process that wanted the pictures is gone and the worker ends too.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_kit.errors import Cancelled
from soundsight_videogen.builtin.filming import film
from soundsight_videogen.builtin.painter import Painter, PainterUnavailable


class _Line:
    """The way to the parent. Whatever else prints to stdout goes to stderr instead."""

    def __init__(self) -> None:
        self._out: IO[str] = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(self, **event: Any) -> None:
        self._out.write(json.dumps(event) + "\n")
        self._out.flush()

    def progress(self, done: int, total: int) -> None:
        self.tell(progress=[done, total])

    def preview(self, frame: int, jpeg: bytes) -> None:
        self.tell(preview=[frame, base64.b64encode(jpeg).decode()])


def main() -> int:
    """Films until stdin ends."""
    line = _Line()
    try:
        painter = Painter()
    except PainterUnavailable as error:
        line.tell(unusable=str(error))
        return 1
    orders: queue.Queue[dict[str, Any]] = queue.Queue()
    stop = threading.Event()
    threading.Thread(target=_read_orders, args=(orders, stop), daemon=True).start()
    line.tell(ready=painter.renderer)
    with contextlib.suppress(BrokenPipeError):
        while True:
            order = orders.get()
            stop.clear()
            _film(line, painter, order, stop)
    return 0


def _read_orders(orders: queue.Queue[dict[str, Any]], stop: threading.Event) -> None:
    for text in sys.stdin:
        order = json.loads(text)
        if "stop" in order:
            stop.set()
        else:
            orders.put(order)
    # Nobody is there to take the pictures: leave at once, whatever is going on.
    os._exit(0)


def _film(line: _Line, painter: Painter, order: dict[str, Any], stop: threading.Event) -> None:
    request = GenerateClipRequest.FromString(base64.b64decode(order["film"]))
    try:
        timings = film(painter, request, Path(order["to"]), watcher=line, stopped=stop.is_set)
    except Cancelled:
        line.tell(stopped=True)
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever it was, the parent must hear of it
        traceback.print_exc()
        line.tell(failed=f"{type(error).__name__}: {error}")
    else:
        line.tell(filmed=asdict(timings))


if __name__ == "__main__":
    sys.exit(main())
