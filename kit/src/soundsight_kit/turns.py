"""Whose turn it is: which of the jobs of a table wait, and which starts next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from soundsight_kit.errors import ResourceExhausted


@dataclass(frozen=True)
class Load:
    """How busy a table is: all slots, those taken, and jobs that wait for one."""

    slots: int
    busy: int
    queued: int


@dataclass(eq=False)
class Ticket:
    """One job as those see it who decide when it starts; `about` is what its caller says of it."""

    key: str
    priority: int
    about: Any = None


class Turns(Protocol):
    """Decides which jobs may wait and which starts next. Two tickets of one key never run at the
    same time: one may still be stopping when the next arrives."""

    def admit(self, ticket: Ticket) -> None:
        """Takes a job in among the waiting; raises ResourceExhausted when there is no room."""

    def take(self) -> Ticket | None:
        """The waiting job that starts now, which is running from then on; None when none may."""

    def leave(self, ticket: Ticket) -> None:
        """A job is gone: it waited no longer, or its run has ended."""

    def waiting(self) -> Sequence[Ticket]:
        """Those that wait, in the order in which they are likely to start."""

    def load(self) -> Load:
        """How busy it is."""


class PriorityTurns:
    """At most `slots` jobs run and `queue_limit` wait; higher priority first, then arrival."""

    def __init__(self, slots: int, queue_limit: int, retry_after_s: float = 5.0) -> None:
        if slots < 1 or queue_limit < 0:
            raise ValueError("a job table needs slots >= 1 and queue_limit >= 0")
        self._slots = slots
        self._queue_limit = queue_limit
        self._retry_after_s = retry_after_s
        self._queue: list[Ticket] = []  # in order of arrival
        self._running: dict[str, Ticket] = {}

    def admit(self, ticket: Ticket) -> None:
        """Takes a job in; raises ResourceExhausted when slots and queue are taken."""
        # A free slot beside a queue means that those who wait do so for their own key to end.
        if not self._may_run(ticket) and len(self._queue) >= self._queue_limit:
            raise ResourceExhausted(
                f"all {self._slots} slots and {self._queue_limit} places in the queue are taken; "
                "try again later or elsewhere",
                reason="NO_FREE_SLOT",
                retry_after_s=self._retry_after_s,
            )
        self._queue.append(ticket)

    def take(self) -> Ticket | None:
        """The first in turn whose key is free, when there is a slot."""
        for ticket in self.waiting():
            if self._may_run(ticket):
                self._queue.remove(ticket)
                self._running[ticket.key] = ticket
                return ticket
        return None

    def leave(self, ticket: Ticket) -> None:
        """Frees its slot, or its place in the queue."""
        if self._running.get(ticket.key) is ticket:
            del self._running[ticket.key]
        else:
            self._queue.remove(ticket)

    def waiting(self) -> Sequence[Ticket]:
        """By priority; the sort keeps arrivals in order."""
        return sorted(self._queue, key=lambda ticket: -ticket.priority)

    def load(self) -> Load:
        """How busy it is."""
        return Load(slots=self._slots, busy=len(self._running), queued=len(self._queue))

    def _may_run(self, ticket: Ticket) -> bool:
        return len(self._running) < self._slots and ticket.key not in self._running
