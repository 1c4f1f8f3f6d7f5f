"""The durable workflows: in which order stages run, how often they are tried, what waits for what.

Three workflows, one inside the other, run on DBOS:

    soundsight.render   id project/render                          a render from song to video
    soundsight.chain    id project/render/scene                    scenes filmed one after the other
    soundsight.take     id project/render/scene/key/attempt        one attempt at one clip, queued

What is recorded is plain JSON: names, keys, errors as google.rpc.Status. A step that is recorded
never runs again; one that was interrupted does. Steps therefore never raise what is to be expected:
they return it.

The order of steps is a contract with every render that is under way. Change it only together with
`settings.APPLICATION_VERSION`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID, WorkflowHandleAsync
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states
from soundsight_gateway.filming import Filming, Take
from soundsight_gateway.hub import Hub
from soundsight_gateway.names import RenderRef
from soundsight_gateway.retry import FINGERPRINT_MISMATCH, RetryPolicy
from soundsight_gateway.stages import Stages
from soundsight_gateway.store import RenderEnded, RenderStore
from soundsight_kit.errors import (
    Internal,
    SoundsightError,
    error_from_status,
    status_from_error,
)
from soundsight_kit.faults import UNEXPECTED, error_from_exception
from soundsight_kit.logs import log

Json = dict[str, Any]
Step = Callable[..., Awaitable[Any]]

QUEUE: Final = "scenes"
MAX_MOVES: Final = 10
"""Times that a scene is keyed anew because its pool changed, before that counts as a failure."""

OFTEN_LOOKING: Final = 4
"""So many scenes look for their clips as often as is configured; a crowd looks less often."""

LONGEST_POLLING_S: Final = 2.0

MAX_PRIORITY: Final = 2**31 - 1

_DETAILS = error_details_pb2.ErrorInfo
# Its descriptors must be known where a status with such details is parsed from JSON.


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step or a child workflow ended: with a value, with an error, or too late."""

    value: Any = None
    error: SoundsightError | None = None
    ended: bool = False
    """The render is in a final state: whoever finds that stops quietly."""

    @property
    def stops(self) -> bool:
        """Whether there is nothing more to do."""
        return self.ended or self.error is not None

    def to_json(self) -> Json:
        """As it is recorded."""
        if self.ended:
            return {"ended": True}
        if self.error is not None:
            return {"error": json_format.MessageToDict(status_from_error(self.error))}
        return {"ok": self.value}

    @classmethod
    def from_json(cls, recorded: Json) -> Outcome:
        """From what was recorded."""
        if "error" in recorded:
            status = json_format.ParseDict(recorded["error"], status_pb2.Status())
            return cls(error=error_from_status(status))
        return cls(value=recorded.get("ok"), ended=bool(recorded.get("ended")))


class Flow:
    """The workflows' logic, free of the engine's decorators.

    Args:
        stages, filming, store, hub: what steps do and where it shows.
        front: the lowest priority number in the queue of scenes.
        polling_s: how often a workflow looks whether another one has ended.
    """

    def __init__(
        self,
        stages: Stages,
        filming: Filming,
        store: RenderStore,
        hub: Hub,
        front: Callable[[], Awaitable[int]],
        polling_s: float,
    ) -> None:
        self._stages = stages
        self._filming = filming
        self._store = store
        self._hub = hub
        self._front = front
        self._polling_s = polling_s
        self._waiting = 0
        self._steps: dict[asyncio.Task[Any], RenderRef] = {}
        self._workflows: set[asyncio.Task[Any]] = set()
        self._leaving = False
        self._registered: _Registered | None = None

    def register(self) -> None:
        """Makes the workflows known to the engine, before it is launched."""
        self._registered = _register(self)

    async def start(self, ref: RenderRef, policy: RetryPolicy) -> None:
        """Starts a render's workflow; one that was started before is left as it is."""
        assert self._registered is not None, "register() comes first"
        with SetWorkflowID(ref.workflow_id):
            await DBOS.start_workflow_async(
                self._registered.render, ref.project, ref.render, asdict(policy)
            )

    def interrupt(self, ref: RenderRef) -> None:
        """Interrupts the running steps of a render whose workflow was cancelled."""
        for task, owner in list(self._steps.items()):
            if owner == ref:
                task.cancel()

    async def leave(self) -> None:
        """Interrupts everything that runs, unrecorded: it runs again at the next start."""
        self._leaving = True
        tasks = [*self._workflows, *self._steps]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Marks the present task as one that runs a workflow."""
        if self._leaving:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._workflows.add(task)
        try:
            yield
        finally:
            self._workflows.discard(task)

    async def render(self, ref: RenderRef, policy: RetryPolicy) -> Outcome:
        """A render from song to video, or as far as its goal."""
        taken = await self._stage("take_in", self._stages.take_in, ref, policy)
        if taken.stops:
            return taken
        analysed = await self._stage("analyse", self._stages.analyse, ref, policy)
        if analysed.stops or analysed.value == r.RENDER_GOAL_ANALYSIS:
            return analysed
        written = await self._stage("write", self._stages.write, ref, policy)
        if written.stops or analysed.value == r.RENDER_GOAL_STORYBOARD:
            return written
        begun = await self._stage("begin_filming", self._filming.begin, ref, policy)
        if begun.stops:
            return begun
        filmed = await self._film(ref, begun.value, policy)
        if filmed.stops:
            return filmed
        composed = await self._stage("compose", self._stages.compose, ref, policy)
        if composed.stops:
            return composed
        return await self._stage("publish", self._stages.publish, ref, policy)

    async def chain(
        self, ref: RenderRef, scene_ids: list[str], priority: int, policy: RetryPolicy
    ) -> Outcome:
        """Scenes filmed one after the other; the first that fails for good ends the chain."""
        after = ""
        for place, scene_id in enumerate(scene_ids):
            starts_chain = place + 1 < len(scene_ids)
            outcome = await self._scene(
                ref, scene_id, after, starts_chain, priority + place, policy
            )
            if outcome.stops:
                return outcome
            after = scene_id
        return Outcome()

    async def take(self, ref: RenderRef, take: Take, attempt: int) -> Outcome:
        """One attempt at one clip."""
        return await self._step("film", ref, self._filming.film, ref, take, attempt)

    async def _stage(self, name: str, stage: Step, ref: RenderRef, policy: RetryPolicy) -> Outcome:
        """Runs a stage, again after pauses while that may help, and fails the render at last."""
        failed = 0
        while True:
            outcome = await self._step(name, ref, stage, ref)
            if outcome.error is None:
                return outcome
            failed += 1
            pause_s = policy.pause_s(failed, outcome.error)
            if pause_s is None:
                return await self._fail(ref, outcome.error)
            await self._step("note_retry", ref, self._note_retry, ref, name, failed, outcome.error)
            await DBOS.sleep_async(pause_s)

    async def _film(self, ref: RenderRef, chains: list[list[str]], policy: RetryPolicy) -> Outcome:
        """Films all chains; the first that fails for good ends the filming of the others."""
        assert self._registered is not None
        front = await self._step("queue_front", ref, self._front)
        if front.error is not None:
            return await self._fail(ref, front.error)
        # Renders take turns: the first scene of a new one comes level with the first that still
        # waits, not behind the last.
        priority = int(front.value)
        running: dict[str, WorkflowHandleAsync[Json]] = {}
        for scene_ids in chains:
            workflow_id = f"{ref.workflow_id}/{scene_ids[0]}"
            with SetWorkflowID(workflow_id):
                running[workflow_id] = await DBOS.start_workflow_async(
                    self._registered.chain,
                    ref.project,
                    ref.render,
                    scene_ids,
                    priority,
                    asdict(policy),
                )
            priority += len(scene_ids)
        while running:
            handle = await DBOS.wait_first_async(
                list(running.values()), polling_interval_sec=self._polling_s
            )
            del running[handle.workflow_id]
            outcome = await self._result(handle)
            if outcome.stops:
                if outcome.error is not None:
                    outcome = await self._fail(ref, outcome.error)
                if running:
                    await DBOS.cancel_workflows_async([*running], cancel_children=True)
                return outcome
        return Outcome()

    async def _scene(
        self,
        ref: RenderRef,
        scene_id: str,
        after: str,
        starts_chain: bool,
        priority: int,
        policy: RetryPolicy,
    ) -> Outcome:
        """Films one scene, in as many attempts as it takes and the policy allows."""
        assert self._registered is not None
        attempt = failed = moved = 0
        while True:
            outcome = await self._step(
                "decide", ref, self._decide, ref, scene_id, after, starts_chain
            )
            if outcome.error is None and not outcome.ended and not outcome.value["done"]:
                attempt += 1
                key = outcome.value["key"]
                with (
                    SetWorkflowID(f"{ref.workflow_id}/{scene_id}/{key}/{attempt}"),
                    SetEnqueueOptions(priority=min(MAX_PRIORITY, max(1, priority))),
                ):
                    handle = await DBOS.enqueue_workflow_async(
                        QUEUE,
                        self._registered.take,
                        ref.project,
                        ref.render,
                        outcome.value,
                        attempt,
                    )
                outcome = await self._take_result(handle)
            error = outcome.error
            if error is None:
                return outcome
            if error.reason == FINGERPRINT_MISMATCH and moved < MAX_MOVES:
                moved += 1
                adopted = await self._step("adopt", ref, self._filming.adopt, ref)
                if adopted.error is None:
                    continue
                error = adopted.error
            failed += 1
            pause_s = policy.pause_s(failed, error)
            await self._step(
                "tried", ref, self._tried, ref, scene_id, failed, error, pause_s is None
            )
            if pause_s is None:
                return Outcome(error=error)
            await DBOS.sleep_async(pause_s)

    async def _take_result(self, handle: WorkflowHandleAsync[Json]) -> Outcome:
        """How a take ended. All scenes of a render wait at once, most of them for their turn: the
        more there are, the less often each looks, or looking takes time from filming."""
        self._waiting += 1
        try:
            crowd = max(1.0, self._waiting / OFTEN_LOOKING)
            polling_s = max(self._polling_s, min(self._polling_s * crowd, LONGEST_POLLING_S))
            return await self._result(handle, polling_s)
        finally:
            self._waiting -= 1

    async def _result(
        self, handle: WorkflowHandleAsync[Json], polling_s: float | None = None
    ) -> Outcome:
        """How a child ended. One that was cancelled or lost under the engine's hands counts as a
        fault of ours."""
        try:
            ended = await handle.get_result(polling_interval_sec=polling_s or self._polling_s)
        except Exception as raised:
            return Outcome(
                error=Internal(
                    f"a part of the workflow did not end well: {raised}", reason="LOST_WORK"
                )
            )
        return Outcome.from_json(ended)

    async def _fail(self, ref: RenderRef, error: SoundsightError) -> Outcome:
        """Ends a render with a reason; what is finished is kept."""
        await self._step("fail", ref, self._enter_failed, ref, error)
        return Outcome(error=error)

    async def _step(self, name: str, ref: RenderRef, work: Step, *args: Any) -> Outcome:
        """Runs a step, or returns what was recorded when it ran."""
        recorded: Json = await DBOS.run_step_async(
            {"name": name, "preemptible": True}, self._guarded, ref, work, *args
        )
        return Outcome.from_json(recorded)

    async def _guarded(self, ref: RenderRef, work: Step, *args: Any) -> Json:
        """Does a step's work; what may be expected to go wrong becomes its result."""
        if self._leaving:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._steps[task] = ref
        try:
            return Outcome(value=await work(*args)).to_json()
        except RenderEnded:
            return Outcome(ended=True).to_json()
        except Exception as raised:
            error = error_from_exception(raised)
            if error.reason == UNEXPECTED:
                log.error("step failed", incident=error.metadata["incident"], exc_info=raised)
            return Outcome(error=error).to_json()
        finally:
            del self._steps[task]

    async def _decide(self, ref: RenderRef, scene_id: str, after: str, starts_chain: bool) -> Json:
        return asdict(await self._filming.decide(ref, scene_id, after, starts_chain=starts_chain))

    async def _tried(
        self, ref: RenderRef, scene_id: str, failed: int, error: SoundsightError, final: bool
    ) -> None:
        log.warning("scene failed", render=ref.name, scene=scene_id, final=final, why=str(error))
        await self._filming.tried(ref, scene_id, failed, status_from_error(error), final=final)

    async def _note_retry(
        self, ref: RenderRef, stage: str, failed: int, error: SoundsightError
    ) -> None:
        log.warning("stage failed", render=ref.name, stage=stage, attempt=failed, why=str(error))
        note = f"{stage.replace('_', ' ')} was tried again after: {error.message}"
        await self._store.tried(ref, stage, failed, status_from_error(error), note)

    async def _enter_failed(self, ref: RenderRef, error: SoundsightError) -> None:
        log.error("render failed", render=ref.name, why=str(error), reason=error.reason)
        await self._store.enter(ref, states.FAILED, error=status_from_error(error))
        self._filming.forget(ref)
        self._hub.end(ref)


@dataclass(frozen=True, slots=True)
class _Registered:
    """The workflows as the engine knows them."""

    render: Callable[..., Any]
    chain: Callable[..., Any]
    take: Callable[..., Any]


def _register(flow: Flow) -> _Registered:
    """Registers under names of our own, which recorded workflows are found by."""

    @DBOS.workflow(name="soundsight.render")
    async def render(project: str, name: str, policy: Json) -> Json:
        with flow.running():
            outcome = await flow.render(RenderRef(project, name), RetryPolicy(**policy))
            return outcome.to_json()

    @DBOS.workflow(name="soundsight.chain")
    async def chain(
        project: str, name: str, scene_ids: list[str], priority: int, policy: Json
    ) -> Json:
        with flow.running():
            ref = RenderRef(project, name)
            outcome = await flow.chain(ref, scene_ids, priority, RetryPolicy(**policy))
            return outcome.to_json()

    @DBOS.workflow(name="soundsight.take")
    async def take(project: str, name: str, decided: Json, attempt: int) -> Json:
        with flow.running():
            outcome = await flow.take(RenderRef(project, name), Take(**decided), attempt)
            return outcome.to_json()

    return _Registered(render, chain, take)
