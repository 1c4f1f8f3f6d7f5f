"""Ports of servers that tests start."""

from __future__ import annotations

import contextlib
import socket


def free_ports(number: int) -> list[int]:
    """Ports that are free now, each another one."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
