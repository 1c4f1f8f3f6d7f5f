"""What happens right now: progress and previews on their way to those who watch.

Nothing here is kept: a watcher gets the latest of everything, and what was overtaken is gone. State
changes are not here either but in the store; the hub only wakes those who should look there.
Everything runs on one event loop, so that there is nothing to lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import progress, states
from soundsight_gateway.names import RenderRef


class Watch:
    """One watcher's view of a render: what it has not seen yet."""

    def __init__(self, room: _Room) -> None:
        self._room = room
        self._woken = asyncio.Event()
        self._progress_seen = 0
        self._previews_seen = 0

    def wake(self) -> None:
        """Ends the present or the next wait."""
        self._woken.set()

    async def wait(self, timeout_s: float) -> None:
        """Returns when something happened since the last wait, or after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        self._woken.clear()

    def progress(self) -> r.RenderProgress | None:
        """The latest progress, once."""
        if self._progress_seen == self._room.progress_count:
            return None
        self._progress_seen = self._room.progress_count
        return self._room.progress

    def previews(self) -> list[r.ScenePreview]:
        """The latest preview of each scene that has a new one."""
        new = [
            preview
            for count, preview in self._room.previews.values()
            if count > self._previews_seen
        ]
        self._previews_seen = self._room.preview_count
        return new


class _Room:
    """What is going on in one render."""

    def __init__(self) -> None:
        self.watches: set[Watch] = set()
        self.progress: r.RenderProgress | None = None
        self.progress_count = 0
        self.previews: dict[str, tuple[int, r.ScenePreview]] = {}
        self.preview_count = 0
        self.stage: states.State = states.UNSPECIFIED
        self.stage_began = 0.0
        self.best_fraction = 0.0
        self.over = False

    def wake(self) -> None:
        for watch in self.watches:
            watch.wake()


class Hub:
    """The rooms of all renders that run or are watched here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rooms: dict[RenderRef, _Room] = {}
        self.rates: progress.Rates = progress.DEFAULT_RATES
        self.on_progress: Callable[[RenderRef, r.RenderProgress], None] = lambda _ref, _told: None
        """Is told of progress that was made here."""

    @contextmanager
    def watch(self, ref: RenderRef) -> Iterator[Watch]:
        """Watches a render for as long as the context lasts."""
        room = self._room(ref)
        watch = Watch(room)
        room.watches.add(watch)
        try:
            yield watch
        finally:
            room.watches.discard(watch)
            self._tidy(ref, room)

    def changed(self, ref: RenderRef) -> None:
        """There is a new state change in the store."""
        if room := self._rooms.get(ref):
            room.wake()

    def wake_all(self) -> None:
        """Wakes every watcher."""
        for room in self._rooms.values():
            room.wake()

    def report(
        self,
        ref: RenderRef,
        state: states.State,
        goal: r.RenderGoal.ValueType,
        frames: int,
        moved: common_pb2.Progress,
        scene_id: str = "",
    ) -> None:
        """Tells how far the present stage is; the share of the whole never goes back."""
        room = self._room(ref)
        if room.over:
            return
        if room.stage != state:
            room.stage, room.stage_began = state, self._clock()
        share = progress.share_of(state, moved)
        guess = progress.estimate(
            self.rates,
            goal,
            state,
            share=share,
            elapsed_s=self._clock() - room.stage_began,
            frames=frames,
        )
        room.best_fraction = max(room.best_fraction, guess.fraction)
        room.progress = r.RenderProgress(
            progress=moved,
            scene_id=scene_id,
            fraction=room.best_fraction,
            remaining_s=guess.remaining_s,
        )
        room.progress_count += 1
        room.wake()
        self.on_progress(ref, room.progress)

    def heard(self, ref: RenderRef, told: r.RenderProgress) -> None:
        """Another gateway works for a render, too, and tells how far it sees it."""
        room = self._rooms.get(ref)
        # Each sees its own scenes move, and the others' only when they are done: whoever sees more
        # is nearer the truth.
        if room is None or room.over or told.fraction < room.best_fraction:
            return
        room.best_fraction = told.fraction
        room.progress = told
        room.progress_count += 1
        room.wake()

    def preview(self, ref: RenderRef, preview: r.ScenePreview) -> None:
        """Shows a scene in the making."""
        room = self._room(ref)
        if not room.over:
            room.preview_count += 1
            room.previews[preview.scene_id] = (room.preview_count, preview)
            room.wake()

    def end(self, ref: RenderRef) -> None:
        """The render has ended: what is ephemeral about it goes as soon as nobody looks."""
        if room := self._rooms.get(ref):
            room.over = True
            room.previews.clear()
            room.wake()
            self._tidy(ref, room)

    def _room(self, ref: RenderRef) -> _Room:
        return self._rooms.setdefault(ref, _Room())

    def _tidy(self, ref: RenderRef, room: _Room) -> None:
        idle = room.over or room.progress is None
        if idle and not room.watches and self._rooms.get(ref) is room:
            del self._rooms[ref]
