"""Numbers of an analysis, checked: what no song has would poison all that is computed from it."""

from __future__ import annotations

from soundsight_kit.errors import InvalidArgument

_LARGEST = 1e9


def measured(value: float, path: str) -> float:
    """The value. Raises InvalidArgument with its path when it is infinite, huge or no number."""
    # Not a number fails this too. Products of larger ones might be infinite.
    if not abs(value) <= _LARGEST:
        raise InvalidArgument(
            f"{path} is {value:g}, which no song has. Analyse the song again.", field=path
        )
    return value
