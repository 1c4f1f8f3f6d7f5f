"""Long work behind streaming calls: single flight by key, bounded slots, detach and cancel.

A *job* belongs to its key, not to the call that started it. Callers with the same key share its
events; when the last one goes, the job runs on for that caller's detach grace. Jobs beyond the
slots wait in a short queue; beyond that, callers are told to come back later.

Everything happens on one event loop; only `Emit` may also be called from other threads. Nothing is
kept of a finished job: results live in the artifact store.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from soundsight_kit import metrics
from soundsight_kit.errors import Cancelled, SoundsightError, Unavailable
from soundsight_kit.logs import log
from soundsight_kit.turns import Load, PriorityTurns, Ticket, Turns

MessageT = TypeVar("MessageT", bound=Message)

Emit = Callable[[MessageT], None]
"""Hands one event to everyone attached. Returns at once; may be called from any thread."""

EPHEMERAL_EVENTS = frozenset({"progress", "preview"})
"""Events (members of a message's oneof) of which only the latest counts; all others are kept."""


class JobTable:
    """Runs at most `slots` jobs at a time; at most `queue_limit` more wait.

    Args:
        slots: jobs that run at the same time; at least 1.
        queue_limit: jobs that may wait.
        name: label of the table's metrics.
        retry_after_s: what a caller is told who finds no room, or a table that drains.
        turns: decides instead who waits and who starts; the first two numbers are its own then.
    """

    def __init__(
        self,
        slots: int,
        queue_limit: int,
        *,
        name: str = "jobs",
        retry_after_s: float = 5.0,
        turns: Turns | None = None,
    ) -> None:
        self._turns = turns or PriorityTurns(slots, queue_limit, retry_after_s)
        self._name = name
        self._retry_after_s = retry_after_s
        self._draining = False
        # The job that new callers of a key join. A job that is being stopped is no longer here, but
        # holds its slot, and its ticket in `_jobs`, until its task has ended.
        self._joinable: dict[str, _Job] = {}
        self._jobs: dict[Ticket, _Job] = {}
        self._report_load()

    async def events(
        self,
        key: str,
        work: Callable[[Emit[MessageT]], Awaitable[None]],
        detach_grace_s: float = 0.0,
        priority: int = 0,
        *,
        waiting: Callable[[int], MessageT] | None = None,
        about: Any = None,
    ) -> AsyncGenerator[MessageT, None]:
        """Starts `work` for `key`, or joins the work under way, and yields its events to the end.

        A caller that joins gets the latest progress first, then what was emitted for good. A slow
        caller misses superseded progress, nothing else. The work starts in the context (ids, trace)
        of the caller that brought it.

        Args:
            key: what the work belongs to.
            work: does the work and emits protobuf messages. Ignored when joining.
            detach_grace_s: how long the work goes on after this caller has left, when nobody else
                is attached. The longest promise of all that left counts.
            priority: higher starts first among the waiting. A caller that joins may raise it.
            waiting: makes a message of the number of jobs ahead, emitted while the job waits.
            about: what whoever decides about turns is told of the job. Ignored when joining.

        Raises:
            ResourceExhausted: no slot and no place in the queue.
            Unavailable: the table drains.
            Cancelled: `cancel` was called for the key.
            Exception: whatever the work raised.
        """
        job = self._joinable.get(key)
        if job is None:
            job = self._admit(Ticket(key, priority, about), work, waiting)
        elif priority > job.ticket.priority:
            job.ticket.priority = priority
            self._announce_queue()
        caller = job.attach()
        try:
            while True:
                message = await caller.next()
                if message is None:
                    return
                yield message
        finally:
            self._leave(job, caller, detach_grace_s)

    def cancel(self, key: str) -> bool:
        """Stops the work on `key` at once; all its callers get CANCELLED.

        Returns whether there was any. The slot is free once the work has ended.
        """
        job = self._joinable.get(key)
        if job is None:
            return False
        self._stop(job, Cancelled("the work was cancelled", reason="WORK_CANCELLED"))
        return True

    async def drain(self) -> None:
        """Refuses new work, sends the waiting elsewhere, and returns when no work runs.

        Callers may still join running work. When the wait itself is cancelled (its time is up),
        what still runs is stopped and its callers are told to try again elsewhere.
        """
        self._draining = True
        for job in self._waiting():
            self._stop(job, self._going_away())
        try:
            while tasks := [job.task for job in self._jobs.values() if job.task is not None]:
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for job in list(self._joinable.values()):
                self._stop(job, self._going_away())
            raise

    def load(self) -> Load:
        """How busy the table is now."""
        return self._turns.load()

    def start_waiting(self) -> None:
        """Starts what may start: called when turns have changed by other means than the table's."""
        while (ticket := self._turns.take()) is not None:
            self._start(self._jobs[ticket])
        self._announce_queue()
        self._report_load()

    def _admit(
        self,
        ticket: Ticket,
        work: Callable[[Emit[Any]], Awaitable[None]],
        waiting: Callable[[int], Message] | None,
    ) -> _Job:
        if self._draining:
            raise self._going_away()
        self._turns.admit(ticket)
        job = _Job(ticket, work, waiting)
        self._jobs[ticket] = self._joinable[ticket.key] = job
        self.start_waiting()
        return job

    def _waiting(self) -> list[_Job]:
        return [self._jobs[ticket] for ticket in self._turns.waiting()]

    def _start(self, job: _Job) -> None:
        job.start()
        assert job.task is not None
        job.task.add_done_callback(lambda task: self._ended(job, task))

    def _announce_queue(self) -> None:
        for ahead, job in enumerate(self._waiting()):
            if job.waiting is not None:
                job.broadcast(job.waiting(ahead))

    def _ended(self, job: _Job, task: asyncio.Task[None]) -> None:
        self._forget(job)
        if self._joinable.get(job.key) is job:
            del self._joinable[job.key]
        if task.cancelled():
            job.finish(Cancelled("the work was cancelled", reason="WORK_CANCELLED"))
        else:
            error = task.exception()
            if error is not None and not job.callers:
                log.error("work failed with nobody attached", key=job.key, exc_info=error)
            job.finish(error)
        self.start_waiting()

    def _forget(self, job: _Job) -> None:
        del self._jobs[job.ticket]
        self._turns.leave(job.ticket)

    def _stop(self, job: _Job, reason: SoundsightError) -> None:
        """Ends the job for its callers now; its slot is free when its task has ended."""
        if self._joinable.get(job.key) is job:
            del self._joinable[job.key]
        job.finish(reason)
        if job.task is None:
            self._forget(job)
            self._announce_queue()
        else:
            job.task.cancel()
        self._report_load()

    def _leave(self, job: _Job, caller: _Caller, detach_grace_s: float) -> None:
        job.detach(caller)
        if job.finished:
            return
        loop = asyncio.get_running_loop()
        job.keep_until = max(job.keep_until, loop.time() + detach_grace_s)
        if job.callers:
            return
        if job.keep_until <= loop.time():
            self._abandon(job)
        else:
            job.abandon_timer = loop.call_at(job.keep_until, self._abandon, job)

    def _abandon(self, job: _Job) -> None:
        self._stop(job, Cancelled("nobody waited for the work", reason="ABANDONED"))

    def _going_away(self) -> Unavailable:
        return Unavailable(
            "this endpoint is shutting down; try another one",
            reason="DRAINING",
            retry_after_s=self._retry_after_s,
        )

    def _report_load(self) -> None:
        load = self._turns.load()
        metrics.report_jobs(self._name, slots=load.slots, busy=load.busy, queued=load.queued)


class _Job:
    """One piece of work and those who follow it."""

    def __init__(
        self,
        ticket: Ticket,
        work: Callable[[Emit[Any]], Awaitable[None]],
        waiting: Callable[[int], Message] | None,
    ) -> None:
        self.ticket = ticket
        self.key = ticket.key
        self.waiting = waiting
        self.task: asyncio.Task[None] | None = None
        self.callers: set[_Caller] = set()
        self.finished = False
        self.keep_until = 0.0
        self.abandon_timer: asyncio.TimerHandle | None = None
        self._work = work
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._progress: Message | None = None
        self._lasting: list[Message] = []

    def start(self) -> None:
        async def run() -> None:
            await self._work(self._emit)

        self.task = self._loop.create_task(run(), name=f"job {self.key}", context=self._context)

    def attach(self) -> _Caller:
        if self.abandon_timer is not None:
            self.abandon_timer.cancel()
            self.abandon_timer = None
        caller = _Caller()
        if self._progress is not None:
            caller.put(self._progress)
        for message in self._lasting:
            caller.put(message)
        self.callers.add(caller)
        return caller

    def detach(self, caller: _Caller) -> None:
        self.callers.discard(caller)

    def _emit(self, message: Message) -> None:
        if threading.get_ident() == self._thread:
            self.broadcast(message)
        else:
            self._loop.call_soon_threadsafe(self.broadcast, message)

    def broadcast(self, message: Message) -> None:
        if self.finished:
            return
        kind = _ephemeral_kind(message)
        if kind is None:
            self._lasting.append(message)
        elif kind == "progress":
            self._progress = message
        for caller in self.callers:
            caller.put(message)

    def finish(self, error: BaseException | None) -> None:
        """Ends the stream of everyone attached, after what they have not read yet; once."""
        if self.finished:
            return
        self.finished = True
        if self.abandon_timer is not None:
            self.abandon_timer.cancel()
            self.abandon_timer = None
        for caller in self.callers:
            caller.end(error)


class _Caller:
    """What one caller has not read yet. Holds at most one message per ephemeral kind."""

    def __init__(self) -> None:
        self._unread: list[Message] = []
        self._wakeup = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    def put(self, message: Message) -> None:
        kind = _ephemeral_kind(message)
        if kind is not None:
            self._unread = [m for m in self._unread if _ephemeral_kind(m) != kind]
        self._unread.append(message)
        self._wakeup.set()

    def end(self, error: BaseException | None) -> None:
        self._ended, self._error = True, error
        self._wakeup.set()

    async def next(self) -> Any:
        """The next message, or None at the end; raises what the work ended with."""
        while not self._unread:
            if self._ended:
                if self._error is not None:
                    # Several callers raise the same error: none shall see another's traceback.
                    raise self._error.with_traceback(None)
                return None
            self._wakeup.clear()
            await self._wakeup.wait()
        return self._unread.pop(0)


def _ephemeral_kind(message: Message) -> str | None:
    """Which ephemeral event the message is; None when it is one to keep."""
    for oneof in message.DESCRIPTOR.oneofs:
        member = message.WhichOneof(oneof.name)
        if member in EPHEMERAL_EVENTS:
            return str(member)
    return None
