"""A worker's side of the line to its server: orders come in, events go out.

A worker reads orders from stdin and writes events to stdout, one JSON object per line:

    orders  {"film": ...}    {"stop": true}    and what a kind of worker knows beside
    events  {"ready": text}    {"unusable": message}
            {"phase": name}    {"progress": [done, total]}    {"preview": [frame, base64 of a JPEG]}
            {"filmed": ...}    {"stopped": true}
            {"error": base64 of a google.rpc.Status}    {"failed": message}

The last four end an order; `"last": true` in one of them says that the worker is of no more use,
and its server ends it. When stdin ends, the process that wanted the pictures is gone, and the
worker ends too.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import IO, Any

from soundsight_kit.errors import Cancelled, SoundsightError, status_from_error
from soundsight_kit.faults import UNEXPECTED, error_from_exception

_PR_SET_PDEATHSIG = 1

Order = dict[str, Any]


class Line:
    """The way to the server. Whatever else prints to stdout goes to stderr instead."""

    def __init__(self) -> None:
        self._out: IO[str] = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._turn = threading.Lock()

    def tell(self, **event: Any) -> None:
        """Sends one event. Raises BrokenPipeError when nobody listens any more."""
        with self._turn:
            self._out.write(json.dumps(event) + "\n")
            self._out.flush()

    def phase(self, name: str) -> None:
        """A phase of the work begins."""
        self.tell(phase=name)

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` are made."""
        self.tell(progress=[done, total])

    def preview(self, frame: int, jpeg: bytes) -> None:
        """What a frame looks like."""
        self.tell(preview=[frame, base64.b64encode(jpeg).decode()])


class Orders:
    """What the server wants: orders one after the other, and whether to stop the present one."""

    def __init__(self) -> None:
        self._orders: queue.Queue[Order] = queue.Queue()
        self._stop = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> Order:
        """Waits for the next order."""
        return self._orders.get()

    def stopped(self) -> bool:
        """Whether the present order is to be stopped."""
        return self._stop.is_set()

    def _read(self) -> None:
        for text in sys.stdin:
            order = json.loads(text)
            if "stop" in order:
                self._stop.set()
            else:
                # Here and not where it is taken: a stop may be right behind it.
                self._stop.clear()
                self._orders.put(order)
        # Nobody is there to take the pictures: leave at once, whatever is going on.
        os._exit(0)


def work_on(
    line: Line, orders: Orders, film: Callable[[Order], dict[str, Any]], *, frail: bool = False
) -> None:
    """Films order after order and tells how each ended, until the server is gone.

    A frail worker does not outlive an error: what it tells of one is its last word.
    """
    while True:
        order = orders.next()
        try:
            ended: dict[str, Any] = {"filmed": film(order)}
        except BrokenPipeError:
            return
        except Exception as error:  # whatever it was, the server must hear of it
            ended = _why(error)
            if frail and "stopped" not in ended:
                ended["last"] = True
        try:
            line.tell(**ended)
        except BrokenPipeError:
            return


def die_with_server() -> None:
    """Asks Linux to kill this process when its server dies, also while it holds the interpreter."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _why(error: Exception) -> dict[str, Any]:
    told: SoundsightError = error_from_exception(error)
    if isinstance(told, Cancelled):
        return {"stopped": True}
    if told.reason == UNEXPECTED:
        traceback.print_exception(error)
        return {"failed": f"{type(error).__name__}: {error}"}
    return {"error": base64.b64encode(status_from_error(told).SerializeToString()).decode()}
