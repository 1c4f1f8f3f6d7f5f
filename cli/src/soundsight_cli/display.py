"""Shows how a render is getting on: live on a terminal, line by line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

HEARTBEAT_S = 60.0
"""Lines are never further apart than this while something moves: who reads a log should see that
it does."""


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
    """Plain lines with the seconds since the start: one per kind of work and per tenth, and one a
    minute in between."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._start = clock()
        self._shown: tuple[str, int] | None = None
        self._shown_at = self._start

    def say(self, line: str) -> None:
        """Prints the line."""
        self._print(line)

    def step(self, what: str, fraction: float, remaining_s: float = 0.0) -> None:
        """Prints when the kind of work or the tenth changes, or nothing was printed for long."""
        kind = what.split(":")[0]
        now = (kind, int(fraction * 10))
        if now != self._shown or self._clock() - self._shown_at >= HEARTBEAT_S:
            self._shown = now
            left = f", about {duration(remaining_s)} left" if remaining_s > 0 else ""
            self._print(f"{fraction:4.0%}  {what}{left}")

    def close(self) -> None:
        """Does nothing."""

    def _print(self, line: str) -> None:
        self._shown_at = self._clock()
        text = f"[{self._shown_at - self._start:6.1f}s] {line}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Live:
    """Two lines that move: what is done, and how far and how long. Above them the lines that
    stay."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._what = ""
        self._left_s = 0.0
        self._heard_at = self._start
        self._progress = _TwoLines(self._present, self._times, console=console)
        self._task: TaskID = self._progress.add_task("", total=1.0)
        self._progress.start()

    def say(self, line: str) -> None:
        """Prints the line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False)

    def step(self, what: str, fraction: float, remaining_s: float = 0.0) -> None:
        """Moves the bar."""
        before = self._what.partition(":")
        self._what, self._left_s, self._heard_at = what, remaining_s, self._clock()
        # At once when the kind of work changes: a short one would not be seen otherwise.
        news = what.partition(":")[:2] != before[:2]
        self._progress.update(self._task, completed=fraction, refresh=news)

    def close(self) -> None:
        """Takes the bar away."""
        self._progress.stop()

    def _present(self) -> str:
        return self._what

    def _times(self) -> str:
        """The time since the start, and what was said to be left less the time since then."""
        now = self._clock()
        text = f"{stopwatch(now - self._start)} elapsed"
        if self._left_s > 0:
            left_s = max(1.0, self._left_s - (now - self._heard_at))
            text += f", about {stopwatch(left_s)} left"
        return text


class _TwoLines(Progress):
    """A line of what is done above the bar: beside it there would be no room for both."""

    def __init__(
        self, present: Callable[[], str], times: Callable[[], str], *, console: Console
    ) -> None:
        self._present = present
        super().__init__(
            TextColumn("{task.percentage:>3.0f}%"),
            BarColumn(bar_width=32),
            _Told(times),
            console=console,
            transient=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yields both lines."""
        yield Text(self._present(), no_wrap=True, overflow="ellipsis", style="bold")
        yield from super().get_renderables()


class _Told(ProgressColumn):
    """A column whose text comes from a function."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, task: Task) -> Text:
        """Returns the text of the moment."""
        return Text(self._text(), no_wrap=True, style="cyan")


def open_display(*, quiet: bool) -> Display:
    """Returns the display that fits: on standard error, so that output can be piped."""
    if quiet:
        return Quiet()
    console = Console(stderr=True)
    return Live(console) if console.is_terminal else Lines(console)


def printable(text: object) -> str:
    """Returns a text that any terminal or log can take in one line: what is not printable in it,
    such as line ends and undecodable bytes of file names, is shown as in `$'...'` of a shell."""
    return "".join(one if one.isprintable() else _escaped(one) for one in str(text))


def _escaped(char: str) -> str:
    """Its bytes as the shell and Python write them."""
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


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


def stopwatch(seconds: float) -> str:
    """Returns a running time as clocks show it, such as `0:48` or `1:03:07`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size(number_bytes: int) -> str:
    """Returns a size for people, such as `31.4 MB`."""
    if number_bytes < 1_000_000:
        return f"{number_bytes / 1_000:.1f} kB"
    if number_bytes < 1_000_000_000:
        return f"{number_bytes / 1_000_000:.1f} MB"
    return f"{number_bytes / 1_000_000_000:.2f} GB"
