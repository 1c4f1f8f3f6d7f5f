"""Shows how a render is getting on: live on a terminal, line by line elsewhere."""

from __future__ import annotations

import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.text import Text


class Display(Protocol):
    """Takes what happens to one piece of long work."""

    def say(self, line: str) -> None:
        """Shows a line that stays."""

    def step(self, what: str, fraction: float, remaining_s: float = 0.0) -> None:
        """Shows what is being done, the share of the whole that is done (0 to 1) and
        the seconds that are probably left (0: not known)."""

    def close(self) -> None:
        """Leaves the terminal as it was."""


class Quiet:
    """Shows nothing."""

    def say(self, line: str) -> None:
        """Does nothing."""

    def step(self, what: str, fraction: float, remaining_s: float = 0.0) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class Lines:
    """Plain lines with the seconds since the start: one per kind of work and per tenth."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()
        self._shown: tuple[str, int] | None = None

    def say(self, line: str) -> None:
        """Prints the line."""
        self._print(line)

    def step(self, what: str, fraction: float, remaining_s: float = 0.0) -> None:
        """Prints when the kind of work or the tenth changes."""
        kind = what.split(":")[0]
        now = (kind, int(fraction * 10))
        if now != self._shown:
            self._shown = now
            left = f", about {duration(remaining_s)} left" if remaining_s > 0 else ""
            self._print(f"{fraction:4.0%}  {what}{left}")

    def close(self) -> None:
        """Does nothing."""

    def _print(self, line: str) -> None:
        seconds = time.monotonic() - self._start
        self._console.print(f"[{seconds:6.1f}s] {line}", markup=False, highlight=False)


class Live:
    """One line that moves, above it the lines that stay."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.percentage:>3.0f}%"),
            BarColumn(bar_width=32),
            _RemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task("", total=1.0, remaining_s=0.0)
        self._progress.start()

    def say(self, line: str) -> None:
        """Prints the line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False)

    def step(self, what: str, fraction: float, remaining_s: float = 0.0) -> None:
        """Moves the bar."""
        self._progress.update(
            self._task, completed=fraction, description=what, remaining_s=remaining_s
        )

    def close(self) -> None:
        """Takes the bar away."""
        self._progress.stop()


class _RemainingColumn(ProgressColumn):
    """The time left as the gateway estimates it."""

    def render(self, task: object) -> Text:
        fields: dict[str, float] = getattr(task, "fields", {})
        remaining_s = fields.get("remaining_s", 0.0)
        return Text(f"{duration(remaining_s)} left" if remaining_s > 0 else "", style="cyan")


def open_display(*, quiet: bool) -> Display:
    """Returns the display that fits: on standard error, so that output can be piped."""
    if quiet:
        return Quiet()
    console = Console(stderr=True)
    return Live(console) if console.is_terminal else Lines(console)


def duration(seconds: float) -> str:
    """Returns a length of time for people, such as `48 s` or `3:07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d} h"


def size(number_bytes: int) -> str:
    """Returns a size for people, such as `31.4 MB`."""
    if number_bytes < 1_000_000:
        return f"{number_bytes / 1_000:.1f} kB"
    if number_bytes < 1_000_000_000:
        return f"{number_bytes / 1_000_000:.1f} MB"
    return f"{number_bytes / 1_000_000_000:.2f} GB"
