"""The worker process: owns one OpenGL context and films one clip after the other.

Started as `python -m soundsight_videogen.builtin.worker`; `supervising.line` says how it is spoken
to. An order to film is {"film": base64 of a GenerateClipRequest, "to": path}; what was filmed is
told as {stage: seconds}.
"""

from __future__ import annotations

import base64
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.builtin.filming import film
from soundsight_videogen.builtin.painter import Painter, PainterUnavailable
from soundsight_videogen.supervising.line import Line, Order, Orders, work_on


def main() -> int:
    """Films until the server is gone."""
    line = Line()
    try:
        painter = Painter()
    except PainterUnavailable as error:
        line.tell(unusable=str(error))
        return 1
    orders = Orders()
    line.tell(ready=painter.renderer)

    def filmed(order: Order) -> dict[str, Any]:
        request = GenerateClipRequest.FromString(base64.b64decode(order["film"]))
        to = Path(order["to"])
        return asdict(film(painter, request, to, watcher=line, stopped=orders.stopped))

    work_on(line, orders, filmed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
