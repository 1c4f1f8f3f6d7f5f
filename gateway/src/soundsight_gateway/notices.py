"""What gateways on one Postgres tell each other at once: that a render changed, how far it is.

Notifications of Postgres, which come or do not: whoever depends on a change reads it from the store
and looks there now and then by itself. Progress goes along, coalesced, so that a watcher sees it
whichever gateway it is connected to. Previews do not: a notification has 8,000 bytes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from google.protobuf.message import DecodeError

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import queries, states
from soundsight_gateway import tables as t
from soundsight_gateway.hub import Hub
from soundsight_gateway.names import RenderRef
from soundsight_gateway.sessions import Session, SessionGone
from soundsight_kit.logs import log

CHANGES: Final = "soundsight_changes"
PROGRESS: Final = "soundsight_progress"
ROUND_S: Final = 0.5
"""Progress is told this often at most."""
AGAIN_S: Final = 1.0
"""Pause before a lost session is opened again."""
ANSWER_S: Final = 5.0
MOST_BYTES: Final = 7_900

OnEnd = Callable[[RenderRef, states.State], None]
"""Is told of a render that another gateway brought to a final state."""


def announce(c: sa.Connection, ref: RenderRef) -> None:
    """Tells all gateways that a render changed, when and if the present transaction commits."""
    if c.dialect.name != "postgresql":
        return
    told = sa.func.concat(t.renders.c.project, " ", t.renders.c.render, " ", t.renders.c.state)
    c.execute(sa.select(sa.func.pg_notify(CHANGES, told)).where(*queries.of(t.renders, ref)))


class Notices:
    """Hears and tells what happens, for as long as it is started.

    Args:
        url: of the Postgres database.
        hub: where watchers of this gateway wait.
        on_end: is told of renders that ended.
    """

    def __init__(self, url: str, hub: Hub, on_end: OnEnd) -> None:
        self._url = url
        self._hub = hub
        self._on_end = on_end
        self._name = secrets.token_hex(8)
        self._to_tell: dict[RenderRef, r.RenderProgress] = {}
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to hear and to tell."""
        self._hub.on_progress = self._to_tell.__setitem__
        self._working = asyncio.create_task(self._work_forever())

    async def leave(self) -> None:
        """Ends both."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def _work_forever(self) -> None:
        away = False
        while True:
            try:
                session = await Session.open(
                    self._url, name="soundsight notices", answer_s=ANSWER_S
                )
                try:
                    away = False
                    await self._work(session)
                finally:
                    session.drop()
            except SessionGone as error:
                if not away:
                    log.warning("not told of changes at other gateways", why=str(error))
                away = True
                await asyncio.sleep(AGAIN_S)
            except ValueError as error:
                # A gateway of another version may say it otherwise; watchers look by themselves.
                log.warning("what another gateway tells is not understood", why=str(error))
                await asyncio.sleep(AGAIN_S)

    async def _work(self, session: Session) -> None:
        """Hears and tells in turns. Raises SessionGone."""
        await session.ask(f"LISTEN {CHANGES}")
        await session.ask(f"LISTEN {PROGRESS}")
        # What was told meanwhile went past: let everybody look.
        self._hub.wake_all()
        while True:
            async for notify in session.notifications(ROUND_S):
                if notify.channel == CHANGES:
                    self._hear_change(notify.payload)
                else:
                    self._hear_progress(notify.payload)
            payloads = [self._payload(ref, told) for ref, told in self._to_tell.items()]
            payloads = [payload for payload in payloads if len(payload) <= MOST_BYTES]
            self._to_tell.clear()
            # Asked even when there is nothing to tell: a session that is silent may be none.
            await session.ask(
                "SELECT pg_notify(%s, told) FROM unnest(%s::text[]) AS told", PROGRESS, payloads
            )

    def _payload(self, ref: RenderRef, progress: r.RenderProgress) -> str:
        said = base64.b64encode(progress.SerializeToString()).decode()
        return json.dumps([self._name, ref.project, ref.render, said])

    def _hear_change(self, payload: str) -> None:
        project, render, number = payload.split(" ")
        ref = RenderRef(project, render)
        self._hub.changed(ref)
        for state in states.FINAL:
            if state == int(number):
                self._on_end(ref, state)

    def _hear_progress(self, payload: str) -> None:
        name, project, render, said = json.loads(payload)
        if name != self._name:
            try:
                progress = r.RenderProgress.FromString(base64.b64decode(said))
            except DecodeError as error:
                raise ValueError(str(error)) from error
            self._hub.heard(RenderRef(project, render), progress)
