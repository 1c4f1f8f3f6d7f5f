"""The workflow engine's life in this process: start, recovery, pausing, cancelling, leaving.

A render's row is written first and its workflow started afterwards; the sweep, at start and every
now and then, starts what a crash between the two left out, and ends rows whose workflow is gone.

**After a crash or a restart** (`recover_on_start`):

- `all`: every unfinished render goes on where it stopped. Finished steps and scenes do not run
  again; what was under way runs again, attaches to the service's work where that goes on, or finds
  its result under its key.
- `none` (the launcher of one machine): every unfinished render is *paused*: it keeps its state, its
  notes say so, and nothing of it runs. CreateRender with its `request_id` again makes it go on.
- `unpaused` (the launcher, when its gateway died): those that ran go on, the paused stay so.
With several gateways on one database, what a gateway leaves behind for good is taken over by the
others (see `executors.py`), and scenes are filmed by whichever gateway takes them from the queue.

**Asking again** is CreateRender with the same `request_id` (a UUID derived from the song's digest
and the spec, say): a render that runs is returned, a paused one goes on, one that succeeded is
returned with its outputs. A failed or cancelled one is returned as it is, since a repeated call
must not start work behind a caller's back; whoever wants another try asks with a new request_id
and gets a new render, which finds all finished work under its keys. `soundsight_client`'s
`ensure_render` does all that.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    WorkflowStatus,
)

from soundsight_gateway import progress, reviving, states
from soundsight_gateway.database import create_workflow_engine
from soundsight_gateway.executors import Register
from soundsight_gateway.filming import Filming
from soundsight_gateway.hub import Hub
from soundsight_gateway.names import RenderRef
from soundsight_gateway.pool_store import PoolStore
from soundsight_gateway.queries import Standing
from soundsight_gateway.retry import RetryPolicy
from soundsight_gateway.settings import APPLICATION_VERSION, GatewaySettings
from soundsight_gateway.stages import Stages
from soundsight_gateway.store import RenderEnded, RenderStore
from soundsight_gateway.workflows import QUEUE, Flow
from soundsight_kit.errors import (
    Aborted,
    Internal,
    SoundsightError,
    Unavailable,
    status_from_error,
)
from soundsight_kit.logs import log

NAME: Final = "soundsight-gateway"
UNFINISHED: Final = ["PENDING", "ENQUEUED", "DELAYED"]
LOST: Final = frozenset({"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "SUCCESS"})
PLACEMENT_AGE_S: Final = 7 * 86_400.0


class Engine:
    """Renders as durable workflows."""

    def __init__(
        self,
        settings: GatewaySettings,
        store: RenderStore,
        memory: PoolStore,
        hub: Hub,
        stages: Stages,
        filming: Filming,
        register: Register,
    ) -> None:
        self._settings = settings
        self._register = register
        self._store = store
        self._memory = memory
        self._hub = hub
        self._filming = filming
        self._flow = Flow(stages, filming, store, hub, self._front, settings.queue_polling_s)
        self._policy = RetryPolicy(
            attempts=settings.retry_attempts,
            first_s=settings.retry_first_s,
            factor=settings.retry_factor,
            most_s=settings.retry_most_s,
        )
        self._database: sa.Engine | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._leaving = False

    async def start(self) -> None:
        """Launches the engine and takes up, or pauses, what was left unfinished."""
        self._database = create_workflow_engine(self._settings.database_url)
        if self._settings.recover_on_start == "none":
            await self._pause_all(self._database)
        self._flow.register()
        DBOS(config=self._config(self._database))
        _adopt_logging()
        # On the loop's own thread: the engine runs workflows on the loop it is launched from.
        DBOS.launch()
        _adopt_logging()
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=sum(p.max_in_flight for p in self._settings.pools.values()),
            polling_interval_sec=self._settings.queue_polling_s,
            on_conflict="always_update",
        )
        await self._tidy()
        await self.sweep(resume_paused=self._settings.recover_on_start == "all")
        self._hub.rates = progress.learn(await self._store.recent_successes(progress.LEARNED_FROM))
        self._sweeping = asyncio.create_task(self._sweep_forever())
        self._register.watch(self.take_over)

    async def take_over(self, executor: str) -> None:
        """Lets the work of an executor that is gone for good go on, here and at other gateways.

        Raises Unavailable when the database is away, or this gateway goes away itself.
        """
        self._check_staying()
        await reviving.revive_all(executor)
        await self.sweep()

    def ended(self, ref: RenderRef, state: states.State) -> None:
        """A render was ended, perhaps by another gateway: nothing more is done for it here."""
        if state == states.CANCELLED:
            self._flow.interrupt(ref)
        self._filming.forget(ref)
        self._hub.end(ref)

    async def submit(self, ref: RenderRef) -> None:
        """Starts a render that was written down. Raises Unavailable while the gateway goes away;
        the sweep of the next start finds the render."""
        self._check_staying()
        await self._flow.start(ref, self._policy)

    async def resume(self, ref: RenderRef) -> None:
        """Lets a paused render go on. One that is not paused, or has ended, is left as it is."""
        if not (await self._store.standing(ref)).paused:
            return
        self._check_staying()
        # In this order: a crash in between leaves a render that the sweep starts.
        await self._store.set_paused(ref, False)
        await self._go_on(ref)

    async def cancel(self, ref: RenderRef) -> None:
        """Stops a render with everything that works for it; one that has ended stays as it is."""
        self._check_staying()
        try:
            await self._store.enter(ref, states.CANCELLED)
        except RenderEnded:
            return
        # The row comes first: steps that are now interrupted see why, and stop the services' work.
        await DBOS.cancel_workflow_async(ref.workflow_id, cancel_children=True)
        # The engine tells steps within a second or so, here and at other gateways; ours know now.
        self.ended(ref, states.CANCELLED)

    async def forget(self, ref: RenderRef) -> None:
        """Removes the workflows of a render that was deleted."""
        ids = [ref.workflow_id]
        for status in await self._below(ref):
            ids.append(status.workflow_id)
        await DBOS.delete_workflows_async(ids)

    async def sweep(self, *, resume_paused: bool = False) -> None:
        """Starts what a crash left out, and ends what can go on no more."""
        others = self._register.versions()
        for standing in await self._store.unfinished():
            try:
                if standing.paused and resume_paused:
                    await self.resume(standing.ref)
                elif not standing.paused:
                    await self._look_after(standing, others)
            except RenderEnded:
                continue
            except SoundsightError as error:
                log.warning("render not looked after", render=standing.ref.name, why=str(error))

    async def interrupt(self) -> None:
        """Interrupts what runs, and takes nothing on any more."""
        self._leaving = True
        await self._flow.leave()

    async def leave(self) -> None:
        """Interrupts what runs, so that it goes on at the next start, and lets the engine go."""
        if self._leaving:
            return
        self._leaving = True
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await self._flow.leave()
        # Workflows that it begins at this moment find its threads gone. That is no fault to tell:
        # they begin again at the next start.
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        # In a thread: the engine waits for its own threads, which wait for this loop.
        with ThreadPoolExecutor(1) as thread:
            await asyncio.get_running_loop().run_in_executor(thread, DBOS.destroy)
        # The engine had put its own threads behind asyncio.to_thread, and has ended them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        if self._database is not None:
            self._database.dispose()

    def _check_staying(self) -> None:
        if self._leaving:
            raise Unavailable(
                "the gateway goes away; try again", reason="DRAINING", retry_after_s=1.0
            )

    def _config(self, database: sa.Engine) -> DBOSConfig:
        return DBOSConfig(
            name=NAME,
            system_database_engine=database,
            application_version=APPLICATION_VERSION,
            executor_id=self._settings.executor,
            serializer=DBOSPortableJSONSerializer(),
            console_log_level="WARNING",
            # Nothing here waits for the engine's notifications: this only shortens its last wait.
            notification_listener_polling_interval_sec=0.1,
            enable_otlp=False,
        )

    async def _look_after(self, standing: Standing, others: frozenset[str]) -> None:
        """Brings a render's row and its workflow together again.

        `others` are the versions of workflows that other gateways can continue.
        """
        ref = standing.ref
        status = await DBOS.get_workflow_status_async(ref.workflow_id)
        if status is None:
            await self.submit(ref)
        elif status.status == "CANCELLED":
            await self._go_on(ref)
        elif status.status in LOST:
            # Between the look at the row and at the workflow it may just have ended well.
            if (await self._store.standing(ref)).state not in states.FINAL:
                await self._fail(
                    ref,
                    Internal(
                        "the render's workflow ended without a result; ask for it again, finished "
                        "work is reused",
                        reason="LOST_WORK",
                    ),
                )
        elif status.app_version not in (None, APPLICATION_VERSION) and (
            status.executor_id == self._settings.executor or status.app_version not in others
        ):
            # From before an upgrade, and ours, or everybody's: nobody will ever continue it.
            await DBOS.cancel_workflow_async(ref.workflow_id, cancel_children=True)
            await self._fail(
                ref,
                Aborted(
                    "the gateway was upgraded in the middle of this render; ask for it again, "
                    "finished work is reused",
                    reason="ENGINE_UPGRADED",
                ),
            )

    async def _go_on(self, ref: RenderRef) -> None:
        """Lets the workflows of a paused render run again, or starts the one that never was."""
        if await DBOS.get_workflow_status_async(ref.workflow_id) is None:
            await self.submit(ref)
            return
        below = [one for one in await self._below(ref) if one.status == "CANCELLED"]
        takes = [one.workflow_id for one in below if one.name == "soundsight.take"]
        chains = [one.workflow_id for one in below if one.name != "soundsight.take"]
        if takes:
            await DBOS.resume_workflows_async(takes, queue_name=QUEUE)
        await DBOS.resume_workflows_async([*chains, ref.workflow_id])

    async def _below(self, ref: RenderRef) -> list[WorkflowStatus]:
        return await DBOS.list_workflows_async(
            workflow_id_prefix=f"{ref.workflow_id}/", load_input=False, load_output=False
        )

    async def _fail(self, ref: RenderRef, error: SoundsightError) -> None:
        log.error("render failed", render=ref.name, why=str(error))
        await self._store.enter(ref, states.FAILED, error=status_from_error(error))
        self._hub.end(ref)

    async def _pause_all(self, database: sa.Engine) -> None:
        """Stops the workflows of unfinished renders before the engine can take them up again."""
        standings = await self._store.unfinished()
        if not standings:
            return
        client = DBOSClient(
            system_database_engine=database, serializer=DBOSPortableJSONSerializer()
        )
        try:
            for standing in standings:
                await self._store.set_paused(standing.ref, True)
                await client.cancel_workflow_async(standing.ref.workflow_id, cancel_children=True)
        finally:
            client.destroy()

    async def _tidy(self) -> None:
        """Stops workflows of renders that were ended while nobody could stop them."""
        left: list[str] = []
        workflows = await DBOS.list_workflows_async(
            status=UNFINISHED, load_input=False, load_output=False
        )
        # In this order: a render that another gateway begins just now has its row first.
        alive = {standing.ref for standing in await self._store.unfinished()}
        for status in workflows:
            ours = status.name.startswith("soundsight.")
            if ours and RenderRef.of_workflow(status.workflow_id) not in alive:
                left.append(status.workflow_id)
        if left:
            await DBOS.cancel_workflows_async(left)

    async def _sweep_forever(self) -> None:
        dropped = reviving.Dropped(self._settings.executor)
        while True:
            await asyncio.sleep(self._settings.sweep_interval_s)
            try:
                await self.sweep()
                await dropped.revive()
                await self._memory.forget_placements(PLACEMENT_AGE_S)
                successes = await self._store.recent_successes(progress.LEARNED_FROM)
                self._hub.rates = progress.learn(successes)
            except Exception as error:
                # The sweep must outlive whatever a bad moment of the database brings.
                log.warning("sweep failed", exc_info=error)

    async def _front(self) -> int:
        """The lowest priority number among the scenes that wait, 1 when none does."""
        waiting = await DBOS.list_queued_workflows_async(
            queue_name=QUEUE, status="ENQUEUED", load_input=False
        )
        return min((status.priority or 1 for status in waiting), default=1)


def _adopt_logging() -> None:
    """Sends the engine's own records where all others go, and only those that matter."""
    logger: Any = logging.getLogger("dbos")
    logger.handlers = []
    logger.propagate = True
    logger.setLevel(logging.WARNING)
