"""Becomes a command that the kernel ends when the process that started it dies without a word.

    python -I -S end_with_parent.py PARENT COMMAND [ARGUMENT...]

PARENT is the number of that process. It is a program of its own because asking the kernel between
fork and exec (`preexec_fn`) may hang or crash a child of a process with threads, such as gRPC's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asks the kernel, and becomes the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit("the process that wanted this has died")
    os.execv(command[0], command)  # noqa: S606  (there is no shell to want)


if __name__ == "__main__":
    main()
