"""When a scripted service fails."""

from __future__ import annotations

from collections.abc import Callable

Script = Callable[..., Exception | None]
"""Returns the error to fail with, or None to go on."""


def never(*_: object) -> None:
    """The script of a service that never fails."""
