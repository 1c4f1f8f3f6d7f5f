"""WatchRender: every state change from the store in order, and the latest progress from the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states
from soundsight_gateway.hub import Hub
from soundsight_gateway.names import RenderRef
from soundsight_gateway.store import RenderStore
from soundsight_kit.errors import OutOfRange, Unavailable

LOOK_S: Final = 5.0
"""How often the store is asked although nothing was heard: the word of another gateway that did the
work may have been lost."""


class Watching:
    """Streams what happens to renders."""

    def __init__(self, store: RenderStore, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._leaving = False

    def leave(self) -> None:
        """Ends all streams with UNAVAILABLE, so that watchers come again elsewhere or later."""
        self._leaving = True
        self._hub.wake_all()

    async def events(
        self, ref: RenderRef, after_sequence: int, *, previews: bool
    ) -> AsyncIterator[r.RenderEvent]:
        """Yields a render's events until its final one.

        State changes come from the store alone, numbered above `after_sequence`, each once and in
        order. Progress comes between them as it happens to be.

        Raises NotFound; OutOfRange when there is no change `after_sequence` yet; Unavailable when
        the gateway goes away.
        """
        standing = await self._store.standing(ref)
        if after_sequence > standing.sequence:
            raise OutOfRange(
                f"after_sequence is {after_sequence}, but the latest change of {ref.name} has "
                f"number {standing.sequence}",
                reason="SEQUENCE_AHEAD",
            )
        with self._hub.watch(ref) as watch:
            seen = after_sequence
            while True:
                changes = await self._store.changes(ref, seen)
                for change in changes:
                    seen = change.sequence
                    yield r.RenderEvent(state_change=change)
                    if change.state in states.FINAL:
                        return
                if changes:
                    continue
                # Nothing new: either the caller has seen the end, or it is still to come.
                standing = await self._store.standing(ref)
                if standing.state in states.FINAL and standing.sequence <= seen:
                    return
                if (progress := watch.progress()) is not None:
                    yield r.RenderEvent(progress=progress)
                if previews:
                    for preview in watch.previews():
                        yield r.RenderEvent(preview=preview)
                if self._leaving:
                    raise Unavailable(
                        "the gateway goes away; watch again from the last state change",
                        reason="DRAINING",
                        retry_after_s=1.0,
                    )
                await watch.wait(LOOK_S)
