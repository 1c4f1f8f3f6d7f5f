"""The other processes of a group, as its leader sees them: started, told, watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from soundsight_videogen.supervising.line import Line, Order

_LAST_WORDS = frozenset({"error", "failed", "unusable"})


class Peers:
    """Starts them, in the leader's process group, so that who ends it ends them all.

    One that ends takes the leader with it, and one that fails is heard through it: a group is whole
    or it is none.
    """

    def __init__(self, module: str, arguments: Sequence[str], size: int, line: Line) -> None:
        self._line = line
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments, "--rank", str(rank)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(1, size)
        ]
        for process in self._processes:
            threading.Thread(target=self._watch, args=(process,), daemon=True).start()

    def pass_on(self, order: Order) -> None:
        """Gives them an order. Raises BrokenPipeError when one is gone."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()

    def _watch(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for text in process.stdout:
            event = json.loads(text)
            if _LAST_WORDS & event.keys():
                self._line.tell(**{**event, "last": True})
        os._exit(1)
