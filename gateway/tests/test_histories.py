"""Renders that an earlier gateway recorded go on under today's workflows.

Each history beside `histories/record.py` is put back as that gateway left it, and today's gateway
takes it up:

- One that has ended is opened again, and all its workflows are replayed: no step runs anew, and
  each workflow asks for exactly the steps that are recorded, by name and in order. That it asks for
  the last one, too, is seen by writing another name there: the engine itself then says which step
  it expected.
- One that was interrupted goes on to its end.

What does not is a change of the workflows that would strand renders under way.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dbos import DBOS

from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import engine, states
from soundsight_gateway.settings import APPLICATION_VERSION
from soundsight_gateway.workflows import Flow, Outcome
from soundsight_kit.testing import assert_eventually

Bench = Any  # conftest's
Json = dict[str, Any]

FOLDER = Path(__file__).parent / "histories"
ARTIFACTS = "file:///ARTIFACTS"
END = "the end of the record"
TAKING_A_RESULT = "DBOS.getResult"
UNFINISHED = ["PENDING", "ENQUEUED", "DELAYED"]
ADVICE = (
    "Renders under way would not survive this change of the workflows. Either keep their steps, "
    "with DBOS.patch_async around what is new; or raise settings.APPLICATION_VERSION, which ends "
    "such renders with ENGINE_UPGRADED, and record again with `make histories`."
)


class Step(NamedTuple):
    """A recorded step: its workflow, its number there, its name."""

    workflow: str
    number: int
    name: str


class History:
    """A recorded history, put back into a bench."""

    def __init__(self, bench: Bench, document: Json) -> None:
        self.bench = bench
        self.render: str = document["render"]
        self.file = bench.folder / "history.sqlite"
        bench.database_url = f"sqlite:///{self.file}"
        url: str = bench.services.artifacts_url
        with self.database() as database:
            script = "\n".join(document["database"]).replace(ARTIFACTS, url)
            database.executescript(script)
        folder = Path(url.removeprefix("file://"))
        for key, data in document["artifacts"].items():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(data).replace(ARTIFACTS.encode(), url.encode()))
        self.recorded = self.steps()
        self.outputs = self.all("SELECT workflow_uuid, output FROM workflow_output")

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """The job store, while no gateway has it or beside one."""
        with closing(sqlite3.connect(self.file)) as database, database:
            yield database

    def all(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query in order."""
        with self.database() as database:
            return sorted(database.execute(query))

    def steps(self) -> list[Step]:
        """The steps of all workflows."""
        rows = self.all("SELECT workflow_uuid, function_id, function_name FROM operation_outputs")
        return [Step(*row) for row in rows]

    def last_steps(self, *, of_a_child: bool) -> list[Step]:
        """The last step of each workflow, where that is, or is not, taking a child's result."""
        last = {step.workflow: step for step in self.recorded}.values()
        return [step for step in last if (step.name == TAKING_A_RESULT) == of_a_child]

    def open_again(self, workflows: Sequence[str]) -> None:
        """Makes workflows look as if their gateway had died before it wrote their ends down."""
        with self.database() as database:
            for workflow in workflows:
                database.execute(
                    "UPDATE workflow_status SET status = 'PENDING', completed_at = NULL, "
                    "owner_xid = NULL WHERE workflow_uuid = ?",
                    [workflow],
                )
                database.execute("DELETE FROM workflow_output WHERE workflow_uuid = ?", [workflow])
            # Workflows of a render that has ended would be stopped.
            database.execute("UPDATE renders SET state = ?, end_us = NULL", [states.FILMING])

    def remove(self, steps: Sequence[Step]) -> None:
        """Removes steps from the record."""
        with self.database() as database:
            for step in steps:
                database.execute(
                    "DELETE FROM operation_outputs WHERE workflow_uuid = ? AND function_id = ?",
                    [step.workflow, step.number],
                )

    def write_over(self, steps: Sequence[Step]) -> None:
        """Gives steps a name that no step has."""
        with self.database() as database:
            for step in steps:
                database.execute(
                    "UPDATE operation_outputs SET function_name = ? "
                    "WHERE workflow_uuid = ? AND function_id = ?",
                    [END, step.workflow, step.number],
                )

    async def run(self) -> None:
        """Lets today's gateway take up everything, until nothing is left to do."""

        async def done() -> bool:
            return not await DBOS.list_workflows_async(status=UNFINISHED)

        async with self.bench.gateway():
            await assert_eventually(done, message="the workflows do not end")


async def replay(bench: Bench, document: Json) -> list[str]:
    """Replays an ended history; returns what today's workflows do otherwise."""
    history = History(bench, document)
    history.open_again([step.workflow for step in history.recorded])
    # The engine writes down that a result was taken, but never reads it: written anew, it was.
    history.remove(history.last_steps(of_a_child=True))
    await history.run()
    steps = history.steps()
    wrong = [f"not recorded: {step}" for step in steps if step not in history.recorded]
    wrong += [f"not asked for: {step}" for step in history.recorded if step not in steps]
    if history.all("SELECT workflow_uuid, output FROM workflow_output") != history.outputs:
        wrong += [f"ended otherwise: {reason}" for reason in reasons(history).items()]
    if wrong:
        return wrong
    last = history.last_steps(of_a_child=False)
    history.open_again([step.workflow for step in last])
    history.write_over(last)
    await history.run()
    told = reasons(history)
    return [
        f"not asked for: {step}"
        for step in last
        if f"{END} was recorded when {step.name} was expected" not in told[step.workflow]
    ]


async def assert_replays(bench: Bench, document: Json) -> None:
    """Fails, and says what to do, unless today's workflows do what an ended history recorded."""
    wrong = await replay(bench, document)
    if wrong:
        pytest.fail("\n".join([ADVICE, *wrong]))


def reasons(history: History) -> dict[str, str]:
    """What each workflow ended with."""
    rows = history.all("SELECT workflow_uuid, coalesce(error, output) FROM workflow_output")
    return {workflow: str(reason) for workflow, reason in rows}


def histories(*, ended: bool) -> list[Any]:
    """The recorded histories, as parameters of a test."""
    found = [(file.stem, json.loads(file.read_text())) for file in sorted(FOLDER.glob("*.json"))]
    return [pytest.param(one, id=name) for name, one in found if one["ended"] == ended]


@pytest.mark.parametrize("document", [*histories(ended=True), *histories(ended=False)])
def test_a_history_is_of_todays_version(document: Json) -> None:
    """A new version of the workflows comes with new histories."""
    assert document["application_version"] == APPLICATION_VERSION, ADVICE


@pytest.mark.parametrize("document", histories(ended=True))
async def test_what_has_ended_replays_without_a_step(bench: Bench, document: Json) -> None:
    """Today's workflows ask for the recorded steps, no other, in the same order, to the last."""
    await assert_replays(bench, document)
    services = bench.services
    assert (services.analyzer.calls, services.writer.calls) == (0, 0)
    assert not services.videogen.log.requests
    assert not services.composer.requests


@pytest.mark.parametrize("document", histories(ended=False))
async def test_what_was_interrupted_goes_on_to_its_end(bench: Bench, document: Json) -> None:
    """Recorded steps stay as they are, finished scenes are not filmed again, and there is a
    video."""
    history = History(bench, document)
    finished = {step.workflow.split("/")[2] for step in history.recorded if step.name == "film"}
    async with bench.gateway() as caller:
        done = await caller.ended(history.render)
    steps = history.steps()
    assert done.state == states.SUCCEEDED, f"{ADVICE}\n{done.error}"
    assert [step for step in steps if step in history.recorded] == history.recorded, ADVICE
    assert len({(step.workflow, step.number) for step in steps}) == len(steps)
    assert {"compose", "publish"} <= {step.name for step in steps}
    filmed = {
        request.output_key.rpartition("/")[2] for request in bench.services.videogen.log.requests
    }
    assert finished
    assert filmed.isdisjoint(scene.clip_key for scene in done.scenes if scene.scene_id in finished)
    assert [scene.state for scene in done.scenes] == [r.SCENE_STATE_DONE] * len(done.scenes)
    assert bench.services.analyzer.calls == 0


async def nothing() -> None:
    """The work of a step that is there to be there."""


class Added(Flow):
    """A workflow with one step more."""

    async def take(self, ref: Any, take: Any, attempt: int) -> Outcome:
        await self._step("measure", ref, nothing)
        return await super().take(ref, take, attempt)


class AddedLast(Flow):
    """A workflow with one step more at its end."""

    async def take(self, ref: Any, take: Any, attempt: int) -> Outcome:
        outcome = await super().take(ref, take, attempt)
        await self._step("measure", ref, nothing)
        return outcome


class Removed(Flow):
    """A workflow without its last step."""

    async def _stage(self, name: str, *more: Any) -> Outcome:
        return Outcome() if name == "publish" else await super()._stage(name, *more)


class Renamed(Flow):
    """A workflow with another name for a step."""

    async def _step(self, name: str, *more: Any) -> Outcome:
        return await super()._step("choose" if name == "decide" else name, *more)


class Reordered(Flow):
    """A workflow with two steps in each other's place."""

    async def _stage(self, name: str, *more: Any) -> Outcome:
        swapped = {"take_in": "analyse", "analyse": "take_in"}
        return await super()._stage(swapped.get(name, name), *more)


class Patched(Flow):
    """A workflow with one step more, as DBOS wants it: only renders that begin now have it."""

    async def take(self, ref: Any, take: Any, attempt: int) -> Outcome:
        if await DBOS.patch_async("measure"):
            await self._step("measure", ref, nothing)
        return await super().take(ref, take, attempt)


WHOLE = json.loads((FOLDER / "whole.json").read_text())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (Added, "film was recorded when measure was expected"),
        (AddedLast, "not recorded: Step"),
        (Removed, "not asked for: Step"),
        (Renamed, "decide was recorded when choose was expected"),
        (Reordered, "take_in was recorded when analyse was expected"),
    ],
)
async def test_a_change_that_would_strand_renders_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, changed: Callable[..., Flow], told: str
) -> None:
    """Steps that are added, removed, renamed or in another order do not pass the replay."""
    monkeypatch.setattr(engine, "Flow", changed)
    with pytest.raises(pytest.fail.Exception) as failure:
        await assert_replays(bench, WHOLE)
    assert str(failure.value).startswith(ADVICE)
    assert told in str(failure.value)


async def test_a_patched_change_strands_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What DBOS calls a patch passes: recorded renders go on as they began."""
    monkeypatch.setattr(engine, "Flow", Patched)
    await assert_replays(bench, WHOLE)
