"""How long clips take: learned from those that were filmed. Pure."""

from __future__ import annotations

FIRST_GUESS_S = 60.0
_NEWEST_SHARE = 0.2


class Pace:
    """Seconds per unit of work, by model, as a mean that forgets slowly.

    A unit of work is what the caller makes it, as long as it grows with the time it takes; before
    anything was learned of a model every clip counts as long.
    """

    def __init__(self) -> None:
        self._seconds_per_unit: dict[str, float] = {}

    def learn(self, model: str, work: float, took_s: float) -> None:
        """A clip of so much work took so long."""
        if work <= 0 or took_s <= 0:
            return
        newest = took_s / work
        before = self._seconds_per_unit.get(model, newest)
        self._seconds_per_unit[model] = before + _NEWEST_SHARE * (newest - before)

    def expected_s(self, model: str, work: float) -> float:
        """How long a clip is likely to take."""
        per_unit = self._seconds_per_unit.get(model)
        return FIRST_GUESS_S if per_unit is None else max(0.001, per_unit * work)
