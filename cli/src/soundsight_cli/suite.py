"""Finds the suite that a command works with: a running one, or one of its own.

`suite_in_use` holds the folder's lease while the command runs. As long as any
command holds it the suite stays up; a command that dies gives it up by dying.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from soundsight_cli import locks
from soundsight_cli.state import StateFolder, SuiteRecord
from soundsight_cli.supervisor import START_TIMEOUT_S, SuiteError

POLL_S = 0.05


@asynccontextmanager
async def suite_in_use(
    state: StateFolder, tell: Callable[[str], None]
) -> AsyncIterator[SuiteRecord]:
    """Yields the record of the running suite, starting the suite when none runs.

    Args:
        state: the folder whose suite is meant.
        tell: takes one line about what is happening.

    Raises:
        SuiteError: when the suite cannot be started.
    """
    try:
        state.create()
    except OSError as error:
        raise SuiteError(
            f"the state folder {state.root} cannot be used ({error.strerror}); "
            "choose another with --state-dir or SOUNDSIGHT_STATE_DIR"
        ) from error
    with locks.shared(state.lease):
        yield await _find_or_start(state, tell)


async def _find_or_start(state: StateFolder, tell: Callable[[str], None]) -> SuiteRecord:
    supervisor: subprocess.Popen[bytes] | None = None
    for _ in range(int((START_TIMEOUT_S + 30) / POLL_S)):
        with locks.exclusive_if_free(state.lock) as nobody_runs:
            pass
        record = state.read_record()
        if not nobody_runs and record is not None:
            if supervisor is None:
                tell("using the suite that is already running")
            return record
        if nobody_runs and supervisor is None:
            tell("starting the suite")
            supervisor = _start(state)
        elif supervisor is not None and supervisor.poll() is not None:
            if nobody_runs:
                raise SuiteError(_last_words(state))
            # Another command was faster; its suite is the one to use.
            supervisor = None
        await asyncio.sleep(POLL_S)
    raise SuiteError(f"the suite does not come up; see {state.logs}")


def _start(state: StateFolder) -> subprocess.Popen[bytes]:
    """Starts a supervisor that outlives this command if others use its suite."""
    with (state.logs / "supervisor.log").open("wb") as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "soundsight_cli",
                "--state-dir",
                str(state.root),
                "serve",
                "--until-idle",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _last_words(state: StateFolder) -> str:
    lines = (state.logs / "supervisor.log").read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("soundsight: ") if lines else f"it ended; see {state.logs}"
