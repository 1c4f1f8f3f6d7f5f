"""Workflows that nobody runs, although they have not ended, go on.

The workflow engine does so by itself for what its own predecessor left. Two kinds are left to us:
those of another executor that is gone (see `executors.py`), and those that the engine dropped,
which it does when the database is away just as it writes down how a step went. All that is used of
the engine here is private to it; the versions of DBOS that we take are bounded accordingly.
"""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from dbos import DBOS
from dbos._dbos import _get_dbos_instance
from dbos._utils import INTERNAL_QUEUE_NAME

from soundsight_gateway.settings import APPLICATION_VERSION
from soundsight_kit.errors import Unavailable
from soundsight_kit.logs import log


async def revive_all(executor: str) -> None:
    """Lets the workflows of an executor that runs nothing any more be run by whoever has room.

    Raises Unavailable when the database is away.
    """
    try:
        await asyncio.to_thread(DBOS._recover_pending_workflows, [executor])
    except sa.exc.SQLAlchemyError as error:
        raise Unavailable(
            "the job store does not answer; try again", reason="STORE_UNAVAILABLE"
        ) from error


class Dropped:
    """Finds what the engine dropped of its own executor's workflows.

    Args:
        executor: this gateway's.
    """

    def __init__(self, executor: str) -> None:
        self._executor = executor
        self._missed: set[str] = set()

    async def revive(self) -> None:
        """Revives workflows that should run here, and did not at this look nor at the last one.

        One that is missing once may be about to begin, or to end.
        """
        engine = _get_dbos_instance()
        ours = await DBOS.list_workflows_async(
            status="PENDING",
            executor_id=self._executor,
            app_version=APPLICATION_VERSION,
            load_input=False,
            load_output=False,
        )
        running = set(engine._active_workflows_set.activeList())
        missing = {status.workflow_id for status in ours} - running
        for workflow_id in sorted(missing & self._missed):
            log.warning("workflow goes on that the engine had dropped", workflow=workflow_id)
            # Only while it is still pending, and still of this executor.
            await asyncio.to_thread(
                engine._sys_db.reenqueue_for_recovery,
                workflow_id,
                [self._executor],
                INTERNAL_QUEUE_NAME,
            )
        self._missed = missing
